"""Sign-up, as its person meets it: check, begin, and carry through while they wait; the saga does the rest."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.cache import cached
from portico.creation import intend
from portico.errors import (
    AlreadyRegistered,
    CustomerNumberUnknown,
    EmailTaken,
    PorticoError,
    Refusal,
    StillRunning,
    SystemDown,
    SystemRefused,
    Trouble,
)
from portico.freshness import CUSTOMER_NUMBER
from portico.i18n import Message, _m
from portico.identity import fields, saga, throttle
from portico.identity.billing_accounts import KIND, details_of, refuse_taken_email
from portico.identity.fields import Application, checked, completed
from portico.identity.mapping import customer_by_account, hold_account
from portico.identity.passwords import hashed, is_right
from portico.identity.saga import SignUp, carry_on, continue_sign_up, remove, sentence_of, sign_up_of, take_back
from portico.identity.sessions import start_session
from portico.identity.visitors import Visitor
from portico.portal import Portal
from portico.systems.salesforce.accounts import Account, PortalStatus, find_account_by_number
from portico.work import defer

NOTHING_CREATED = _m(
    "We can not sign you up just now: one of our systems does not answer. Nothing was created."
    " Please try again in a few minutes."
)
RUNNING = _m("We are setting up your account. We will send you a mail as soon as it is done.")
DONE = _m("Your account is ready. Sign in with your e-mail address and password.")
PARKED = _m("We need to look at your sign-up ourselves. Nothing is lost; support will write to you.")
SAFETY_NET_SECONDS = 10

UNDER_WAY = text("SELECT * FROM sign_ups WHERE sf_account_id = :account_id AND state IN ('creating', 'parked')")
EMAIL_OF_USER = text("SELECT 1 FROM users WHERE lower(email) = :email")
EMAIL_UNDER_WAY = text("SELECT 1 FROM sign_ups WHERE lower(email) = :email AND state IN ('creating', 'parked')")
INSERT = text("""
    INSERT INTO sign_ups (id, customer_number, email, password_hash, details, sf_account_id, creation_id, user_id,
                          state, wake_at, language, created_at, updated_at)
    VALUES (:id, :customer_number, :email, :password_hash, CAST(:details AS jsonb), :sf_account_id, :creation_id,
            :user_id, 'creating', :wake_at, :language, :now, :now)
    ON CONFLICT DO NOTHING
""")


@dataclass(frozen=True)
class SignedUp:
    user_id: UUID
    email: str
    token: str
    """Of the session that has begun."""


@dataclass(frozen=True)
class SignUpState:
    """Where a sign-up stands, for whoever has its unguessable id. Says nothing about the person."""

    operation_id: UUID
    state: Literal["running", "done", "refused", "parked"]
    message: Message


async def sign_up(
    portal: Portal, typed: Application, visitor: Visitor, *, personal_required: bool, replaces: str | None
) -> SignedUp:
    """A new customer, with a session; `replaces` is the token of the session that the visitor came with.

    Raises InputWrong, TooManyTries, CustomerNumberUnknown, AlreadyRegistered, EmailTaken, Busy: nothing was created.
    Raises Trouble: a system is down, nothing was created. Raises StillRunning: it goes on by itself, a mail follows.
    """
    least = portal.settings.identity.password_min_length
    application = checked(typed, least_password=least, personal_required=personal_required)
    try:
        account = await _account_of(portal, application, visitor)
        sign_up_id = await _under_way(portal, account, application)
        if sign_up_id is None:
            sign_up_id = await _begin_or_join(portal, account, application, visitor.language)
    except Trouble as trouble:
        trouble.for_customer = NOTHING_CREATED
        raise
    return await _carry_through(portal, sign_up_id, visitor, replaces)


async def sign_up_state(portal: Portal, operation_id: UUID) -> SignUpState | None:
    """None where there is no such sign-up (also some days after it has ended)."""
    async with portal.db.begin() as tx:
        found = await sign_up_of(tx, operation_id)
    if found is None:
        return None
    if found.state == "refused":
        return SignUpState(found.id, "refused", sentence_of(found.code))
    if found.state == "parked":
        return SignUpState(found.id, "parked", PARKED)
    if found.state == "creating":
        return SignUpState(found.id, "running", RUNNING)
    return SignUpState(found.id, "done", DONE)


@cached(CUSTOMER_NUMBER)
async def account_by_number(portal: Portal, number: str) -> Account | None:
    """The Salesforce account of a customer number, None where there is none."""
    return await find_account_by_number(portal.salesforce, number)


async def _account_of(portal: Portal, application: Application, visitor: Visitor) -> Account:
    """The account that this number and postal code prove; a wrong try is counted and reads alike, whatever is wrong."""
    tries = throttle.number_tries(portal.settings.identity, visitor.source)
    async with portal.db.begin() as tx:
        refusal = await throttle.refusal_of(tx, portal.clock.now(), tries)
    if refusal:
        raise refusal
    account = await _look_up(portal, application)
    async with portal.db.begin() as tx:
        judge = throttle.count_wrong if account is None else throttle.refusal_of
        refusal = await judge(tx, portal.clock.now(), tries)
    if refusal:
        raise refusal
    if account is None:
        raise CustomerNumberUnknown()
    return account


async def _look_up(portal: Portal, application: Application) -> Account | None:
    if not fields.CUSTOMER_NUMBER.fullmatch(application.customer_number):
        return None
    account = (await account_by_number(portal, application.customer_number)).value
    if account is None or account.portal_status == PortalStatus.CLOSED:
        return None
    held = fields.normal_postal_code(account.postal_code or "")
    if held and not hmac.compare_digest(held.encode(), application.postal_code.encode()):
        return None
    return account


async def _under_way(portal: Portal, account: Account, application: Application) -> UUID | None:
    """The same person's sign-up that is on its way (a second click, a reload). Raises AlreadyRegistered."""
    async with portal.db.begin() as tx:
        row = (await tx.execute(UNDER_WAY, {"account_id": account.id})).mappings().first()
        mapped = await customer_by_account(tx, account.id)
    if row is None and not mapped and not account.whmcs_client_id and account.portal_status != PortalStatus.ACTIVE:
        return None
    under_way = saga.as_sign_up(row) if row else None
    if under_way and await _is_same_person(under_way, application):
        return under_way.id
    raise AlreadyRegistered()


async def _is_same_person(under_way: SignUp, application: Application) -> bool:
    return under_way.email == application.email and await is_right(application.password, under_way.password_hash)


async def _refuse_taken_email(portal: Portal, email: str) -> None:
    async with portal.db.begin() as tx:
        if await _has(tx, EMAIL_OF_USER, email=email) or await _has(tx, EMAIL_UNDER_WAY, email=email):
            raise EmailTaken("portal")
    await refuse_taken_email(portal, email)


async def _begin_or_join(portal: Portal, account: Account, application: Application, language: str) -> UUID:
    whole = completed(application, account)
    await _refuse_taken_email(portal, whole.email)
    try:
        return await _begin(portal, account, whole, language)
    except AlreadyRegistered:  # a click of the same person may have been quicker
        under_way = await _under_way(portal, account, application)
        if under_way is None:
            raise
        return under_way


async def _begin(portal: Portal, account: Account, application: Application, language: str) -> UUID:
    """From here on the sign-up is carried to an end, whatever happens to this process."""
    password_hash = await hashed(application.password)
    sign_up_id, now = uuid4(), portal.clock.now()
    number = fields.normal_number(account.customer_number or application.customer_number)
    async with portal.db.begin() as tx:
        await hold_account(tx, account.id)
        creation = await intend(tx, portal.clock, KIND, number, {"sign_up_id": str(sign_up_id)})
        if creation.request["sign_up_id"] != str(sign_up_id):
            raise AlreadyRegistered("a client was made for this number")
        values = {
            "id": sign_up_id,
            "customer_number": number,
            "email": application.email,
            "password_hash": password_hash,
            "details": json.dumps(details_of(application, account.customer_number or number), ensure_ascii=False),
            "sf_account_id": account.id,
            "creation_id": creation.id,
            "user_id": uuid4(),
            "wake_at": now + timedelta(seconds=SAFETY_NET_SECONDS),
            "language": language,
            "now": now,
        }
        inserted = (await tx.execute(INSERT, values)).rowcount
        await _check_again(tx, account, application.email, inserted=bool(inserted))
        await defer(tx, continue_sign_up, in_seconds=SAFETY_NET_SECONDS, sign_up_id=str(sign_up_id))
    return sign_up_id


async def _check_again(tx: AsyncConnection, account: Account, email: str, *, inserted: bool) -> None:
    """Somebody may have been quicker since we looked: after our insert nobody else can begin, and who has is seen."""
    if await customer_by_account(tx, account.id):
        raise AlreadyRegistered()
    if not inserted and await _has(tx, UNDER_WAY, account_id=account.id):
        raise AlreadyRegistered()
    if not inserted or await _has(tx, EMAIL_OF_USER, email=email):
        raise EmailTaken("portal")


async def _has(tx: AsyncConnection, query: Any, **values: object) -> bool:
    return (await tx.execute(query, values)).first() is not None


async def _carry_through(portal: Portal, sign_up_id: UUID, visitor: Visitor, replaces: str | None) -> SignedUp:
    try:
        found = await carry_on(portal, sign_up_id)
    except SystemDown as down:
        raise await _undone(portal, sign_up_id, down) from down
    except (Refusal, SystemRefused):
        async with portal.db.begin() as tx:
            refused = await sign_up_of(tx, sign_up_id)
        if refused:
            await remove(portal, refused)
        raise
    if found is None or found.state not in ("joined", "done"):
        raise StillRunning(str(sign_up_id))
    async with portal.db.begin() as tx:
        token = await start_session(portal, tx, found.user_id, visitor, replaces=replaces)
    return SignedUp(found.user_id, found.email, token)


async def _undone(portal: Portal, sign_up_id: UUID, down: SystemDown) -> PorticoError:
    async with portal.db.begin() as tx:
        begun = await sign_up_of(tx, sign_up_id)
    if begun and not await take_back(portal, begun):
        return StillRunning(str(sign_up_id))
    down.for_customer = NOTHING_CREATED
    return down

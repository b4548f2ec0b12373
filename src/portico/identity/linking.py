"""Linking a WHMCS customer: joined (user without password, mapping) → done (Salesforce knows).

Nothing is created remotely, so there is one transaction; what comes before it leaves nothing behind. Afterwards the
row is the truth and jobs are disposable: whatever dies, the sweep finds the row and carries it on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.customer import Customer, UserId
from portico.errors import (
    AlreadyRegistered,
    BillingAccountClosed,
    BillingAccountUnclear,
    CustomerNumberMissing,
    CustomerNumberUnmatched,
    EmailTaken,
    FieldFault,
    InputWrong,
    PorticoError,
    Refusal,
    Trouble,
)
from portico.i18n import _m
from portico.identity import fields
from portico.identity.activation import tell_salesforce
from portico.identity.audit import record
from portico.identity.billing_logins import owned_clients
from portico.identity.mapping import add_mapping, customer_by_account, customer_by_client, customer_of, hold_account
from portico.identity.password_links import PasswordLink, forget_links, new_password_link
from portico.identity.sign_in import EMAIL_MISSING, PASSWORD_MISSING
from portico.identity.visitors import Visitor
from portico.portal import Portal
from portico.systems.salesforce.accounts import Account, PortalStatus, find_account_by_number
from portico.systems.whmcs.clients import Client
from portico.work import defer, job, periodic, portal

log = structlog.get_logger()

NOTHING_LINKED = _m(
    "We can not link your account just now: one of our systems does not answer. Nothing was changed."
    " Please try again in a few minutes."
)
LINKED_ALREADY = _m(
    "There is already a portal account with this e-mail address. Sign in with its portal password,"
    " or have a new one sent if you forgot it."
)
LONGEST = {"/email": 200, "/password": 500}
LONGEST_WAIT = 600
"""Seconds between two tries at most, while Salesforce is away."""
KEPT = timedelta(days=7)

USER = text("""
    SELECT u.id, u.role, u.password_hash IS NOT NULL AS has_password, m.whmcs_client_id
    FROM users u LEFT JOIN mappings m ON m.user_id = u.id WHERE lower(u.email) = :email
    FOR NO KEY UPDATE OF u
""")
"""Locked: who sets a first password just now must not get another link."""
UNDER_WAY = text("""
    SELECT 1 FROM sign_ups
    WHERE (sf_account_id = :account_id OR lower(email) = :email) AND state IN ('creating', 'parked')
""")
ADD_USER = text("""
    INSERT INTO users (id, email, display_name, password_hash, role, language, created_at)
    VALUES (:id, :email, :name, NULL, 'customer', :language, :now)
""")
INSERT = text("""
    INSERT INTO links (id, user_id, customer_number, state, wake_at, created_at, updated_at)
    VALUES (:id, :user_id, :customer_number, 'joined', :wake_at, :now, :now)
""")
JOINED = text("SELECT user_id, customer_number, tries FROM links WHERE id = :id AND state = 'joined'")
DONE = text("UPDATE links SET state = 'done', updated_at = :now WHERE id = :id AND state = 'joined'")
LATER = text("UPDATE links SET tries = tries + 1, wake_at = :wake_at WHERE id = :id AND state = 'joined'")
DUE = text("UPDATE links SET wake_at = :lease WHERE state = 'joined' AND wake_at <= :now RETURNING id")
FORGET = text("DELETE FROM links WHERE state = 'done' AND updated_at < :before")


async def link(portal: Portal, email: str, password: SecretStr, visitor: Visitor) -> PasswordLink:
    """Makes the owner of a WHMCS client a portal user, and answers the way to choose a portal password.

    The same person may come again until they have one. Raises InputWrong, TooManyTries, SignInWrong, LinkRefused,
    AlreadyRegistered, EmailTaken; Trouble: a system is down. Whatever it raises, nothing was changed.
    """
    _check(email, password)
    email = fields.normal_email(email)
    try:
        clients = await owned_clients(portal, email, password, visitor)
        async with portal.db.begin() as tx:
            again = await _linked_before(portal, tx, email, clients)
        if again:
            return again
        client, account = await _chosen(portal, clients)
    except Trouble as trouble:
        trouble.for_customer = NOTHING_LINKED
        raise
    return await _join(portal, email, client, account, visitor)


@job("house")
async def continue_link(link_id: str) -> None:
    await finish(portal(), UUID(link_id))


@periodic("* * * * * */10")
async def sweep_links(timestamp: int) -> None:
    await sweep(portal())


async def finish(portal: Portal, link_id: UUID) -> None:
    """Tells Salesforce who was linked; what fails is tried later."""
    async with portal.db.begin() as tx:
        row = (await tx.execute(JOINED, {"id": link_id})).first()
        customer = await customer_of(tx, row.user_id) if row else None
    if row is None:
        return
    try:
        if customer:
            await tell_salesforce(portal, customer, row.customer_number, "Linked")
    except PorticoError as error:
        log.warning("identity.link.waits", link=str(link_id), error=error.code)
        wait = timedelta(seconds=min(5 * 2.0 ** min(row.tries, 10), LONGEST_WAIT))
        async with portal.db.begin() as tx:
            await tx.execute(LATER, {"id": link_id, "wake_at": portal.clock.now() + wait})
        return
    async with portal.db.begin() as tx:
        await tx.execute(DONE, {"id": link_id, "now": portal.clock.now()})


async def sweep(portal: Portal) -> int:
    """Gives every link that waits for nothing a job; removes old rows. Answers how many were found."""
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        due = list((await tx.execute(DUE, {"now": now, "lease": now + timedelta(seconds=60)})).scalars())
        for link_id in due:
            await defer(tx, continue_link, link_id=str(link_id))
        await tx.execute(FORGET, {"before": now - KEPT})
        await forget_links(tx, now)
    return len(due)


def _check(email: str, password: SecretStr) -> None:
    given = {"/email": (email.strip(), EMAIL_MISSING), "/password": (password.get_secret_value(), PASSWORD_MISSING)}
    faults = [FieldFault(pointer, missing) for pointer, (value, missing) in given.items() if not value]
    faults += [
        FieldFault(pointer, fields.TOO_LONG(most=LONGEST[pointer]))
        for pointer, (value, _) in given.items()
        if len(value) > LONGEST[pointer]
    ]
    if faults:
        raise InputWrong(*faults)


async def _linked_before(
    portal: Portal, tx: AsyncConnection, email: str, clients: Sequence[Client]
) -> PasswordLink | None:
    """The way on for who was linked to one of these and has no password yet. Raises EmailTaken for any other user."""
    user = (await tx.execute(USER, {"email": email})).first()
    if user is None:
        return None
    linked = next((client for client in clients if client.id == user.whmcs_client_id), None)
    if linked is None or user.has_password or user.role != "customer":
        raise _taken(EmailTaken("portal"))
    if not _is_open(linked):
        raise BillingAccountClosed(linked.status)
    way_on = await new_password_link(portal, tx, user.id, "linked")
    await record(tx, portal.clock.now(), actor=str(user.id), action="link.repeated", object=str(user.id))
    return way_on


async def _chosen(portal: Portal, clients: Sequence[Client]) -> tuple[Client, Account]:
    """Of several clients of one owner the customer number decides. Raises what speaks against the only one."""
    fit: list[tuple[Client, Account]] = []
    refusals: list[Refusal] = []
    for client in clients:
        try:
            fit.append((client, await _account_of(portal, client)))
        except Refusal as refusal:
            refusals.append(refusal)
    if len(fit) > 1:
        raise BillingAccountUnclear()
    if not fit:
        raise refusals[0]
    return fit[0]


async def _account_of(portal: Portal, client: Client) -> Account:
    number = fields.normal_number(client.customer_number)
    if not _is_open(client):
        raise BillingAccountClosed(client.status)
    if not number:
        raise CustomerNumberMissing()
    account = await _found(portal, number)
    if account is None:
        raise CustomerNumberUnmatched()
    if account.portal_status == PortalStatus.CLOSED:
        raise BillingAccountClosed("in Salesforce")
    if account.portal_status == PortalStatus.ACTIVE or account.whmcs_client_id not in (None, client.id):
        raise AlreadyRegistered("Salesforce says so")
    return account


async def _found(portal: Portal, number: str) -> Account | None:
    """Live: the copies of sign-up are for what people type."""
    return await find_account_by_number(portal.salesforce, number) if fields.CUSTOMER_NUMBER.fullmatch(number) else None


async def _join(portal: Portal, email: str, client: Client, account: Account, visitor: Visitor) -> PasswordLink:
    try:
        async with portal.db.begin() as tx:
            await hold_account(tx, account.id)
            again = await _linked_before(portal, tx, email, [client])  # another tab was quicker
            if again:
                return again
            await _refuse_taken(tx, email, client, account)
            return await _add_person(portal, tx, email, client, account, visitor.language)
    except IntegrityError as error:  # another person was quicker, with other ids that meet ours
        log.warning("identity.link.taken", error=type(error.orig).__name__)
        raise AlreadyRegistered("one of the ids is mapped") from None


async def _refuse_taken(tx: AsyncConnection, email: str, client: Client, account: Account) -> None:
    if await customer_by_client(tx, client.id) or await customer_by_account(tx, account.id):
        raise AlreadyRegistered("mapped")
    if (await tx.execute(UNDER_WAY, {"account_id": account.id, "email": email})).first():
        raise AlreadyRegistered("a sign-up is under way")


async def _add_person(
    portal: Portal, tx: AsyncConnection, email: str, client: Client, account: Account, language: str
) -> PasswordLink:
    """User, mapping, the row that is carried on, and its job: all or none."""
    now, user_id, link_id = portal.clock.now(), uuid4(), uuid4()
    name = fields.display_name(client.first_name, client.last_name) or client.company or email
    await tx.execute(ADD_USER, {"id": user_id, "email": email, "name": name, "language": language, "now": now})
    await add_mapping(tx, now, Customer(UserId(user_id), client.id, account.id))
    await tx.execute(INSERT, _row(link_id, user_id, account.customer_number or client.customer_number, now))
    await defer(tx, continue_link, link_id=str(link_id))
    way_on = await new_password_link(portal, tx, user_id, "linked")
    actor = str(user_id)
    await record(tx, now, actor=actor, action="link.joined", object=actor, whmcs_client_id=int(client.id))
    return way_on


def _row(link_id: UUID, user_id: UUID, number: str, now: datetime) -> dict[str, Any]:
    wake_at = now + timedelta(seconds=30)
    number = fields.normal_number(number)
    return {"id": link_id, "user_id": user_id, "customer_number": number, "wake_at": wake_at, "now": now}


def _is_open(client: Client) -> bool:
    return client.status == "active"


def _taken(taken: EmailTaken) -> EmailTaken:
    taken.for_customer = LINKED_ALREADY
    return taken

"""A sign-up on its way: creating (WHMCS client) → joined (user, mapping) → done (Salesforce knows).

The row is the truth, jobs are disposable: whatever dies, the sweep finds the row and carries it on. `refused` rows
are kept for a while so that the person can read what happened; `parked` ones wait for staff.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.creation import Creation, LostClaim, carry_out, creation_of, forget, withdraw
from portico.customer import Customer, SfAccountId, UserId, WhmcsClientId
from portico.errors import EmailTaken, PorticoError, Refusal, SystemRefused
from portico.i18n import Message, _m
from portico.identity import throttle
from portico.identity.activation import tell_salesforce
from portico.identity.audit import record
from portico.identity.billing_accounts import Details, recipe_for
from portico.identity.fields import display_name
from portico.identity.mapping import add_mapping
from portico.portal import Portal
from portico.post import post
from portico.work import defer, job, periodic, portal

log = structlog.get_logger()

State = Literal["creating", "joined", "done", "refused", "parked"]
LONGEST_WAIT = {"creating": 60, "joined": 600}
"""Seconds between two tries at most, while WHMCS or Salesforce is away."""
KEPT = timedelta(days=7)
"""How long ended rows can be read on their page."""
NOT_CREATED = _m("We could not create your billing account with these details. Please contact support.")

SELECT = text("SELECT * FROM sign_ups WHERE id = :id")
HOLD = text("SELECT 1 FROM sign_ups WHERE id = :id FOR SHARE")
JOIN = text("""
    UPDATE sign_ups SET state = 'joined', password_hash = '', details = '{}', tries = 0, wake_at = :wake_at,
        updated_at = :now
    WHERE id = :id AND state = 'creating'
""")
ADD_USER = text("""
    INSERT INTO users (id, email, display_name, password_hash, role, language, created_at)
    VALUES (:id, :email, :name, :password_hash, 'customer', :language, :now)
""")
DONE = text("UPDATE sign_ups SET state = 'done', updated_at = :now WHERE id = :id AND state = 'joined'")
REFUSE = text("""
    UPDATE sign_ups SET state = 'refused', code = :code, creation_id = NULL, password_hash = '', details = '{}',
        updated_at = :now
    WHERE id = :id AND state = 'creating'
""")
PARK = text(
    "UPDATE sign_ups SET state = 'parked', code = :code, updated_at = :now WHERE id = :id AND state = 'creating'"
)
LATER = text("UPDATE sign_ups SET tries = tries + 1, wake_at = :wake_at WHERE id = :id")
DUE = text("""
    UPDATE sign_ups SET wake_at = :lease FROM creations
    WHERE creations.id = sign_ups.creation_id AND sign_ups.state IN ('creating', 'joined') AND sign_ups.wake_at <= :now
      AND (sign_ups.state = 'joined' OR ((creations.wake_at IS NULL OR creations.wake_at <= :now)
           AND (creations.claimed_until IS NULL OR creations.claimed_until <= :now)))
    RETURNING sign_ups.id
""")
FORGET = text("DELETE FROM sign_ups WHERE state IN ('done', 'refused') AND updated_at < :before")


@dataclass(frozen=True)
class SignUp:
    id: UUID
    customer_number: str
    email: str
    password_hash: str
    details: Details
    sf_account_id: str
    creation_id: UUID | None
    user_id: UUID
    state: State
    code: str | None
    tries: int
    language: str


async def sign_up_of(tx: AsyncConnection, sign_up_id: UUID) -> SignUp | None:
    row = (await tx.execute(SELECT, {"id": sign_up_id})).mappings().first()
    return as_sign_up(row) if row else None


def as_sign_up(row: Any) -> SignUp:
    return SignUp(**{name: row[name] for name in SignUp.__dataclass_fields__})


async def carry_on(portal: Portal, sign_up_id: UUID) -> SignUp | None:
    """Makes the client and, once it is there, the user; answers where the sign-up stands, None where it is gone.

    Raises what creation.carry_out raises: SystemDown, or the refusal (recorded there; see `remove` and `refuse`).
    """
    sign_up, creation = await _loaded(portal, sign_up_id)
    if sign_up is None or creation is None or sign_up.state != "creating":
        return sign_up
    try:
        creation = await carry_out(portal, creation.id, recipe_for(portal, creation, sign_up.email, sign_up.details))
    except LostClaim:
        return sign_up
    if creation.state == "done":
        return await _join(portal, sign_up, creation)
    if creation.state == "parked":
        await _park(portal, sign_up, creation.code or "")
    if creation.state == "refused":  # recorded by a process that died before it could clear up
        raise _recorded_refusal(creation)
    return sign_up


async def remove(portal: Portal, sign_up: SignUp) -> None:
    """Takes a refused sign-up back whole, while its person still looks on: nothing was made, nothing is left."""
    async with portal.db.begin() as tx:
        if sign_up.creation_id:
            await forget(tx, sign_up.creation_id)


async def take_back(portal: Portal, sign_up: SignUp) -> bool:
    """Takes a sign-up back of which nothing was sent to WHMCS. False where it goes on by itself."""
    async with portal.db.begin() as tx:
        return sign_up.creation_id is not None and await withdraw(tx, sign_up.creation_id)


@job("house")
async def continue_sign_up(sign_up_id: str) -> None:
    await finish(portal(), UUID(sign_up_id))


@periodic("* * * * * */10")
async def sweep_sign_ups(timestamp: int) -> None:
    await sweep(portal())


async def finish(portal: Portal, sign_up_id: UUID) -> None:
    """Carries a sign-up on without its person: what fails is tried later, a refusal is told by mail."""
    try:
        sign_up = await carry_on(portal, sign_up_id)
        if sign_up and sign_up.state == "joined":
            await _tell_salesforce(portal, sign_up)
            return
    except (Refusal, SystemRefused) as refusal:
        sign_up, _ = await _loaded(portal, sign_up_id)
        if sign_up and sign_up.state == "creating":
            await _refuse(portal, sign_up, refusal)
            return
    except PorticoError as error:
        log.warning("identity.sign_up.waits", sign_up=str(sign_up_id), error=error.code)
    await _later(portal, sign_up_id)


async def sweep(portal: Portal) -> int:
    """Gives every sign-up that waits for nothing a job; removes old rows. Answers how many were found."""
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        due = list((await tx.execute(DUE, {"now": now, "lease": now + timedelta(seconds=60)})).scalars())
        for sign_up_id in due:
            await defer(tx, continue_sign_up, sign_up_id=str(sign_up_id))
        await tx.execute(FORGET, {"before": now - KEPT})
        await throttle.forget(tx, now)
    return len(due)


async def _loaded(portal: Portal, sign_up_id: UUID) -> tuple[SignUp | None, Creation | None]:
    async with portal.db.begin() as tx:
        await tx.execute(HOLD, {"id": sign_up_id})  # both are there or neither: a refusal removes them together
        sign_up = await sign_up_of(tx, sign_up_id)
        creation = await creation_of(tx, sign_up.creation_id) if sign_up and sign_up.creation_id else None
    return sign_up, creation


async def _join(portal: Portal, sign_up: SignUp, creation: Creation) -> SignUp | None:
    """User, mapping and the welcome, all or none; done once however many come here at a time."""
    try:
        async with portal.db.begin() as tx:
            if await _leave_creating(portal, tx, sign_up):
                await _add_person(portal, tx, sign_up, WhmcsClientId(int(creation.remote_id or "")))
    except IntegrityError as error:
        log.error("identity.sign_up.parked", sign_up=str(sign_up.id), error=type(error.orig).__name__)
        await _park(portal, sign_up, "mapping_taken")
    async with portal.db.begin() as tx:
        return await sign_up_of(tx, sign_up.id)


async def _leave_creating(portal: Portal, tx: AsyncConnection, sign_up: SignUp) -> bool:
    now = portal.clock.now()
    values = {"id": sign_up.id, "now": now, "wake_at": now + timedelta(seconds=30)}
    return (await tx.execute(JOIN, values)).rowcount > 0


async def _add_person(portal: Portal, tx: AsyncConnection, sign_up: SignUp, client_id: WhmcsClientId) -> None:
    now, name = portal.clock.now(), display_name(sign_up.details["first_name"], sign_up.details["last_name"])
    user = {
        "id": sign_up.user_id,
        "email": sign_up.email,
        "name": name,
        "password_hash": sign_up.password_hash,
        "language": sign_up.language,
        "now": now,
    }
    await tx.execute(ADD_USER, user)
    await add_mapping(tx, now, Customer(UserId(sign_up.user_id), client_id, SfAccountId(sign_up.sf_account_id)))
    await post(
        portal,
        tx,
        key=f"welcome:{sign_up.user_id}",
        to=sign_up.email,
        template="identity/welcome.txt",
        language=sign_up.language,
        name=name,
    )
    await defer(tx, continue_sign_up, sign_up_id=str(sign_up.id))
    actor = str(sign_up.user_id)
    await record(tx, now, actor=actor, action="sign_up.joined", object=actor, whmcs_client_id=int(client_id))


async def _tell_salesforce(portal: Portal, sign_up: SignUp) -> None:
    """Writes the account's portal status. Repeating does no harm, so it is retried for ever."""
    async with portal.db.begin() as tx:
        creation = await creation_of(tx, sign_up.creation_id) if sign_up.creation_id else None
    if creation and creation.remote_id:
        client_id = WhmcsClientId(int(creation.remote_id))
        customer = Customer(UserId(sign_up.user_id), client_id, SfAccountId(sign_up.sf_account_id))
        await tell_salesforce(portal, customer, sign_up.customer_number, "Sign-up")
    async with portal.db.begin() as tx:
        await tx.execute(DONE, {"id": sign_up.id, "now": portal.clock.now()})


async def _refuse(portal: Portal, sign_up: SignUp, refusal: PorticoError) -> None:
    code = refusal.vendor_code if isinstance(refusal, SystemRefused) else refusal.code
    log.warning("identity.sign_up.refused", sign_up=str(sign_up.id), code=code)
    async with portal.db.begin() as tx:
        values = {"id": sign_up.id, "code": code, "now": portal.clock.now()}
        if (await tx.execute(REFUSE, values)).rowcount == 0:
            return
        if sign_up.creation_id:
            await forget(tx, sign_up.creation_id)
        await post(
            portal,
            tx,
            key=f"sign_up_refused:{sign_up.id}",
            to=sign_up.email,
            template="identity/sign_up_refused.txt",
            language=sign_up.language,
            reason=sentence_of(code).in_language(sign_up.language),
        )


def sentence_of(code: str | None) -> Message:
    """Why a sign-up was refused, for its person."""
    return EmailTaken.for_customer if code == EmailTaken.code else NOT_CREATED


async def _park(portal: Portal, sign_up: SignUp, code: str) -> None:
    log.error("identity.sign_up.parked", sign_up=str(sign_up.id), code=code)
    async with portal.db.begin() as tx:
        await tx.execute(PARK, {"id": sign_up.id, "code": code, "now": portal.clock.now()})


async def _later(portal: Portal, sign_up_id: UUID) -> None:
    """The sweep looks at it again: soon at first, then less often."""
    async with portal.db.begin() as tx:
        sign_up = await sign_up_of(tx, sign_up_id)
        if sign_up and sign_up.state in LONGEST_WAIT:
            wait = timedelta(seconds=min(5 * 2.0 ** min(sign_up.tries, 10), LONGEST_WAIT[sign_up.state]))
            await tx.execute(LATER, {"id": sign_up_id, "wake_at": portal.clock.now() + wait})


def _recorded_refusal(creation: Creation) -> PorticoError:
    return EmailTaken() if creation.code == EmailTaken.code else SystemRefused("whmcs", creation.code or "refused")

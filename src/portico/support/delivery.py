"""Carrying what was sent to its end: by the request, a second click or the job, whoever comes first.

A case bears a unique marker, so that Salesforce itself refuses a second one. A message can bear none: it is found
again by its words (docs/decisions/0006-cases-and-messages.md).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import text
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.creation import Creation, LostClaim, Recipe, carry_out, creation_of, forget, withdraw
from portico.customer import Customer, SfAccountId
from portico.errors import (
    NotFound,
    PorticoError,
    Refusal,
    StillRunning,
    SystemDown,
    SystemRefused,
    SystemSurprised,
)
from portico.identity.contacts import contact_of
from portico.portal import Portal
from portico.post import post
from portico.systems.salesforce import cases as salesforce_cases
from portico.systems.salesforce.cases import CaseExists, NewCase, said_already
from portico.work import defer, job, periodic, portal

log = structlog.get_logger()

CASE = "sf_case"
COMMENT = "sf_case_comment"
WAIT_SECONDS = 4.0
"""How long a second click waits for the first one's result."""
LOOK_AFTER_SECONDS = 8
"""When the job looks after what a request has left: it died, or did not learn the outcome."""

OWN = text("SELECT id FROM creations WHERE id = :id AND owner_id = :user_id AND kind IN ('sf_case', 'sf_case_comment')")
UNDER_WAY = text("""
    SELECT id FROM creations
    WHERE owner_id = :user_id AND kind IN ('sf_case', 'sf_case_comment')
      AND state IN ('intended', 'attempted', 'unknown')
    ORDER BY created_at
""")
TAKEN = text("SELECT remote_id FROM creations WHERE kind = 'sf_case_comment' AND remote_id = ANY(:ids) AND id <> :id")
DUE = text("""
    SELECT id FROM creations
    WHERE kind IN ('sf_case', 'sf_case_comment') AND state IN ('intended', 'attempted', 'unknown')
      AND updated_at <= :before AND (wake_at IS NULL OR wake_at <= :now)
      AND (claimed_until IS NULL OR claimed_until <= :now)
    ORDER BY updated_at LIMIT 200
""")


@dataclass(frozen=True)
class Sending:
    """Where something stands that a customer has sent."""

    id: UUID
    kind: Literal["case", "message"]
    state: Literal["running", "done", "refused"]
    subject: str
    words: str
    case_id: str
    """Empty for a case until it is there."""
    message_id: str
    """Empty until it is there."""


async def finish(portal: Portal, creation: Creation) -> Sending:
    """The request's part: carries it to its end, or waits for whoever does; answers it done."""
    try:
        creation = await _carried(portal, creation)
        creation = await _settled(portal, creation)
    except NoResultFound:
        raise SystemDown("salesforce", "a parallel click took it back", sent=False) from None
    except (SystemDown, SystemRefused, Refusal, NotFound) as error:
        if await _take_back(portal, creation):
            raise
        raise StillRunning(str(creation.id)) from error
    except (PorticoError, LostClaim) as error:
        raise StillRunning(str(creation.id)) from error
    if creation.state == "refused":  # by a parallel click, or a process that died before it could clear up
        await _take_back(portal, creation)
        raise SystemRefused("salesforce", creation.code or "refused")
    if creation.state != "done":
        raise StillRunning(str(creation.id))
    return _sending(creation)


async def sending_for(portal: Portal, customer: Customer, sending_id: UUID) -> Sending:
    """Raises NotFound: unknown, somebody else's, or taken back."""
    async with portal.db.begin() as tx:
        if (await tx.execute(OWN, {"id": sending_id, "user_id": customer.user_id})).first() is None:
            raise NotFound("nothing sent by this customer")
        return _sending(await creation_of(tx, sending_id))


async def under_way(portal: Portal, customer: Customer) -> list[Sending]:
    """What the customer has sent and nobody knows yet whether it arrived; oldest first."""
    async with portal.db.begin() as tx:
        found = (await tx.execute(UNDER_WAY, {"user_id": customer.user_id})).scalars()
        return [_sending(await creation_of(tx, each)) for each in list(found)]


@job("house")
async def continue_sending(sending_id: str) -> None:
    await resume(portal(), UUID(sending_id))


@periodic("* * * * * */15")
async def sweep_sendings(timestamp: int) -> None:
    await sweep(portal())


async def sweep(portal: Portal) -> int:
    """Gives everything that nobody carries on a job; answers how many. The row is the truth, jobs are disposable."""
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        values = {"now": now, "before": now - timedelta(seconds=LOOK_AFTER_SECONDS)}
        due = list((await tx.execute(DUE, values)).scalars())
        for sending_id in due:
            await look_after(tx, sending_id, in_seconds=0)
    return len(due)


async def resume(portal: Portal, sending_id: UUID) -> None:
    """The job's part: finishes what a request could not, and tells its sender by mail. The sweep comes again."""
    try:
        async with portal.db.begin() as tx:
            creation = await creation_of(tx, sending_id)
        if creation.is_settled:
            return
        creation = await _carried(portal, creation)
    except NoResultFound:
        return
    except (Refusal, SystemRefused, NotFound) as error:
        log.warning("support.sending.refused", sending=str(sending_id), error=str(error))
        await _tell(portal, creation, "support/not_received.txt")
    except PorticoError as error:
        log.info("support.sending.waits", sending=str(sending_id), error=error.code)
    else:
        if creation.state == "done":
            await _tell(portal, creation, "support/received.txt")


async def look_after(tx: AsyncConnection, sending_id: UUID, *, in_seconds: float) -> None:
    await defer(tx, continue_sending, in_seconds=in_seconds, lock=f"sending:{sending_id}", sending_id=str(sending_id))


async def _carried(portal: Portal, creation: Creation) -> Creation:
    if creation.is_settled:
        return creation
    recipe = _case_recipe(portal, creation) if creation.kind == CASE else _message_recipe(portal, creation)
    return await carry_out(portal, creation.id, recipe)


def _case_recipe(portal: Portal, creation: Creation) -> Recipe:
    async def create(marker: str) -> str:
        new = replace(msgspec.convert(creation.request["case"], NewCase), marker=marker)
        try:
            return await salesforce_cases.create_case(portal.salesforce, new)
        except CaseExists as exists:
            found = await look_up(marker)
            if len(found) != 1:
                raise SystemSurprised("salesforce", f"{exists.vendor_code}, and {len(found)} such cases") from exists
            return found[0]

    async def look_up(marker: str) -> list[str]:
        return list(await salesforce_cases.find_cases_by_marker(portal.salesforce, marker))

    return Recipe(create, look_up, repeat_is_refused=True)


def _message_recipe(portal: Portal, creation: Creation) -> Recipe:
    account, case_id = SfAccountId(creation.request["account_id"]), creation.request["case_id"]
    words, said_before = creation.request["words"], creation.request["said_before"]

    async def create(marker: str) -> str:
        return await salesforce_cases.add_comment(portal.salesforce, account, case_id, words)

    async def look_up(marker: str) -> list[str]:
        """The first that says the same and is nobody else's: said twice by mistake does less harm than parked."""
        try:
            read = await salesforce_cases.get_case(portal.salesforce, account, case_id)
        except NotFound:
            return []
        same = [each.id for each in said_already(read.comments, words) if each.id not in said_before]
        async with portal.db.begin() as tx:
            taken = set((await tx.execute(TAKEN, {"ids": same, "id": creation.id})).scalars())
        return [each for each in same if each not in taken][:1]

    return Recipe(create, look_up)


async def _settled(portal: Portal, creation: Creation) -> Creation:
    """Waits a little for another request or job that carries this on at the moment."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + WAIT_SECONDS
    while creation.state in ("intended", "attempted") and loop.time() < give_up:
        await asyncio.sleep(0.05)
        async with portal.db.begin() as tx:
            creation = await creation_of(tx, creation.id)
    return creation


async def _take_back(portal: Portal, creation: Creation) -> bool:
    """Where nothing was made, nothing is left and the form can be sent again. False where it goes on by itself."""
    async with portal.db.begin() as tx:
        await forget(tx, creation.id)
        await withdraw(tx, creation.id)
        return (await tx.execute(OWN, {"id": creation.id, "user_id": creation.owner_id})).first() is None


async def _tell(portal: Portal, creation: Creation, template: str) -> None:
    sending = _sending(creation)
    async with portal.db.begin() as tx:
        person = await contact_of(tx, creation.owner_id) if creation.owner_id else None
        if person is None:
            return
        place = sending.case_id if sending.state == "done" else f"pending-{creation.id}"
        await post(
            portal,
            tx,
            key=f"{template}:{creation.id}",
            to=person.email,
            template=template,
            language=person.language,
            name=person.display_name,
            subject=sending.subject,
            url=f"{portal.settings.portal.url}/support/{place}",
        )


def _sending(creation: Creation) -> Sending:
    request = creation.request
    state: Literal["running", "done", "refused"] = "running"
    if creation.state in ("done", "refused"):
        state = "done" if creation.state == "done" else "refused"
    if creation.kind == CASE:
        case = request["case"]
        return Sending(creation.id, "case", state, case["subject"], case["description"], creation.remote_id or "", "")
    subject, words, case_id = request["subject"], request["words"], request["case_id"]
    return Sending(creation.id, "message", state, subject, words, case_id, creation.remote_id or "")

"""What a customer sends to support, a new case or a message in one: sent once, however often the button is pressed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.creation import Creation, creation_of, forget, intend
from portico.customer import Customer
from portico.errors import CaseClosed, IdempotencyKeyReused
from portico.identity.contacts import contact_of
from portico.portal import Portal
from portico.support.cases import case_for
from portico.support.delivery import CASE, COMMENT, LOOK_AFTER_SECONDS, Sending, finish, look_after
from portico.systems.salesforce import cases as salesforce_cases
from portico.systems.salesforce.cases import NewCase, Priority, said_already
from portico.systems.salesforce.sf_id import case_id as checked_case

BY_KEY = text("SELECT id FROM creations WHERE kind = :kind AND business_key = :key")
SAME_UNDER_WAY = text("""
    SELECT id FROM creations
    WHERE owner_id = :user_id AND kind = 'sf_case_comment' AND state IN ('intended', 'attempted', 'unknown')
      AND request ->> 'fingerprint' = :fingerprint
""")
ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))")


@dataclass(frozen=True)
class Question:
    """A new case in the customer's words. `description` holds what it is about as well."""

    subject: str
    description: str
    priority: Priority


async def open_case(portal: Portal, customer: Customer, question: Question, *, key: str) -> Sending:
    """Opens a case and answers it with its Salesforce id; the same `key` again answers the same case.

    Raises SystemDown or SystemRefused (nothing was created), StillRunning, IdempotencyKeyReused.
    """
    fingerprint = _digest(question.subject, question.description, question.priority)
    creation = await _earlier(portal, customer, CASE, key, fingerprint)
    if creation is None:
        new = await _new_case(portal, customer, question)
        request = {"fingerprint": fingerprint, "case": msgspec.to_builtins(new)}
        async with portal.db.begin() as tx:
            creation = await _intend(tx, portal, customer, CASE, key, request)
    return await finish(portal, creation)


async def reply(portal: Portal, customer: Customer, case_id: str, words: str, *, key: str) -> Sending:
    """Says something in a case of the customer's, once: the same `key` again answers the same message.

    Raises NotFound, CaseClosed, SystemDown or SystemRefused (nothing was written), StillRunning (also while a message
    with the same words is under way: it is that one), IdempotencyKeyReused.
    """
    fingerprint = _digest(checked_case(case_id), *words.split())
    creation = await _earlier(portal, customer, COMMENT, key, fingerprint)
    if creation is None:
        read = await case_for(portal, customer, case_id)
        if read.case.is_closed:
            raise CaseClosed(case_id)
        request = {
            "fingerprint": fingerprint,
            "account_id": customer.sf_account_id,
            "case_id": read.case.id,
            "subject": read.case.subject,
            "words": words,
            "said_before": [comment.id for comment in said_already(read.comments, words)],
        }
        creation = await _intend_message(portal, customer, key, request)
    return await finish(portal, creation)


async def _earlier(portal: Portal, customer: Customer, kind: str, key: str, fingerprint: str) -> Creation | None:
    """What an earlier click or try has begun. One that was refused counts as never begun."""
    async with portal.db.begin() as tx:
        found = (await tx.execute(BY_KEY, {"kind": kind, "key": _business_key(customer, key)})).scalar()
        if found is None:
            return None
        creation = await creation_of(tx, found)
        if creation.request["fingerprint"] != fingerprint:
            raise IdempotencyKeyReused()
        if creation.state != "refused":
            return creation
        await forget(tx, creation.id)
    return None


async def _new_case(portal: Portal, customer: Customer, question: Question) -> NewCase:
    async with portal.db.begin() as tx:
        person = await contact_of(tx, customer.user_id)
    email = person.email if person else ""
    return NewCase(
        marker="",  # the creation's, known when it is intended
        account_id=customer.sf_account_id,
        contact_id=await salesforce_cases.find_contact(portal.salesforce, customer.sf_account_id, email),
        subject=question.subject,
        description=question.description,
        priority=question.priority,
    )


async def _intend_message(portal: Portal, customer: Customer, key: str, request: dict[str, Any]) -> Creation:
    """Two messages with the same words are never under way together: only so can each be told by its words."""
    async with portal.db.begin() as tx:
        await tx.execute(ONE_AT_A_TIME, {"what": f"{COMMENT}:{request['fingerprint']}"})
        values = {"user_id": customer.user_id, "fingerprint": request["fingerprint"]}
        same = (await tx.execute(SAME_UNDER_WAY, values)).scalar()
        if same is not None:
            return await creation_of(tx, same)
        return await _intend(tx, portal, customer, COMMENT, key, request)


async def _intend(
    tx: AsyncConnection, portal: Portal, customer: Customer, kind: str, key: str, request: dict[str, Any]
) -> Creation:
    """From here on it is sent, whatever happens to this process."""
    business_key = _business_key(customer, key)
    creation = await intend(tx, portal.clock, kind, business_key, request, owner_id=customer.user_id)
    await look_after(tx, creation.id, in_seconds=LOOK_AFTER_SECONDS)
    return creation


def _business_key(customer: Customer, key: str) -> str:
    return f"{customer.user_id}:{key}"


def _digest(*words: str) -> str:
    return hashlib.sha256("\x00".join(words).encode()).hexdigest()

"""Freebit chooses the number: the line is found by its EID (FREEBIT_ESIM_MODE=unnumbered)."""

from __future__ import annotations

import pytest

from portico.settings import Settings
from portico.systems.freebit import lines
from tests.fixtures.portal import ReadSettings
from tests.orders.shop import ESIM, QUICK, Shop


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    return read({**environment, **QUICK, "FREEBIT_ESIM_MODE": "unnumbered"})


async def test_the_number_comes_from_freebit(shop: Shop) -> None:
    order_id = await shop.approved(ESIM, numbered=False)
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    (activation,) = await shop.sandbox.ledger("freebit", "PA05-41 addAcnt")
    plan = (await shop.order(order_id)).items[0]
    assert plan.line_number == activation["reference"] and plan.iccid


@pytest.mark.parametrize("mode", ["commit_then_hang", "malformed"])
async def test_a_lost_answer_is_adopted_by_its_eid(shop: Shop, mode: str) -> None:
    order_id = await shop.approved(ESIM, numbered=False)
    await shop.sandbox.dial("freebit", mode, call="PA05-41", times=1)
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    assert len(await shop.sandbox.ledger("freebit", "PA05-41 addAcnt")) == 1


@pytest.mark.parametrize("fault", ["", "down"])
async def test_an_earlier_line_of_the_same_phone_is_not_taken_for_ours(shop: Shop, fault: str) -> None:
    """Neither for the one that was just asked for, nor for one of unknown outcome."""
    first = await shop.approved(ESIM, numbered=False)
    await shop.heard(first)
    await shop.run_until(first, "done")
    plan = (await shop.order(first)).items[0]
    await lines.cancel_account(shop.portal.freebit, plan.line_number or "", "at_once")
    second = await shop.place(ESIM)
    item = (await shop.order(second)).items[0]
    await shop.correct("OrderItem", item.id, "EID__c", plan.eid or "")
    await shop.sandbox.press("salesforce", "approve-order", order=second)
    if fault:
        await shop.sandbox.dial("freebit", fault, call="PA05-41", times=1)
    await shop.heard(second)
    await shop.run_until(second, "done")
    assert (await shop.order(second)).items[0].line_number not in (None, plan.line_number)

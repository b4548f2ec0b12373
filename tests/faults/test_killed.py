"""Workers killed at every moment that makes a difference: one of each thing in the end, and Salesforce told.

What comes after a death is another process, some seconds later, as the sweep or the rescue of stalled jobs makes it.
"""

from __future__ import annotations

from typing import Any

import pytest

from portico_sandbox.freebit.esim import REFUSED_EID
from tests.faults.conftest import Crashing
from tests.orders.shop import ESIM, SUPPORT, Shop

Job = dict[str, Any]


async def test_killed_after_each_effect_and_between_the_steps(shop: Shop, crashing: Crashing) -> None:
    points = await _points_of_an_order(shop, crashing)
    after = [at for at, name in enumerate(points, 1) if name != "before a commit"]
    effects = [at for at in after if points[at - 1] != "after a commit"]
    assert len(effects) >= 9, points
    await _killed_at(shop, crashing, sorted({*effects, *after[::5]}))


@pytest.mark.proof
@pytest.mark.timeout(900)
async def test_killed_at_every_moment(shop: Shop, crashing: Crashing) -> None:
    points = await _points_of_an_order(shop, crashing)
    await _killed_at(shop, crashing, list(range(1, len(points) + 1)))


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("system", "call", "mode"),
    [
        ("whmcs", "AddOrder", "commit_then_hang"),
        ("whmcs", "AddOrder", "error"),
        ("freebit", "PA05-41", "commit_then_hang"),
        ("freebit", "PA05-41", "down"),
        ("whmcs", "AcceptOrder", "commit_then_hang"),
    ],
)
async def test_killed_while_an_outcome_is_unknown(
    shop: Shop, crashing: Crashing, system: str, call: str, mode: str
) -> None:
    """The answer is lost, or the call was never carried out; and then the process dies as well."""
    points = await _points_of_an_order(shop, crashing)
    jobs = []
    for at in [at for at, name in enumerate(points, 1) if name != "before a commit"]:
        job = await _order_to_fulfill(shop, dies_at=at)
        await shop.sandbox.undial()
        await shop.sandbox.dial(system, mode, call=call, times=1)
        (answer,) = await crashing.do(job)
        assert answer["came_to"] == "done", (at, answer)
        jobs.append(job)
    await _each_once(shop, jobs)


async def test_killed_again_and_again(shop: Shop, crashing: Crashing) -> None:
    """No process ever gets further than sixteen moments; the order is done all the same."""
    job = await _order_to_fulfill(shop, dies_at=16, lives=30)
    (answer,) = await crashing.do(job)
    assert (answer.get("came_to"), len(answer["deaths"]) >= 4) == ("done", True), answer
    await _each_once(shop, [job])


async def test_a_refused_order_killed_on_its_way(shop: Shop, crashing: Crashing) -> None:
    """Parked at last, with one activation refused and nothing accepted that was not made."""
    jobs = [await _order_to_fulfill(shop, eid_ends=REFUSED_EID, dies_at=at) for at in (46, 52, 58)]
    answers = await crashing.do(*jobs)
    assert {answer["came_to"] for answer in answers} == {"parked"}, answers
    for job in jobs:
        assert await shop.told(job["id"]) == ("Failed", "SIM_REFUSED")
    assert await shop.sandbox.ledger("freebit") == []


async def test_a_request_killed_while_it_places_an_order(shop: Shop, crashing: Crashing) -> None:
    """At every moment: the customer comes back to the page, and the order is there once."""
    first = await _cart_to_place(shop)
    (whole,) = await crashing.do(first)
    points = whole["points"]
    assert points.count("after create Order") == 1
    deaths = [at for at, name in enumerate(points, 1) if name != "before a commit"]
    orders = {whole["came_to"]}
    for at in deaths:
        job = await _cart_to_place(shop)
        (answer,) = await crashing.do({**job, "dies_at": at})
        orders.add(answer["came_to"])
        placed = await shop.rows("SELECT order_id FROM placements WHERE id = :id", id=job["id"])
        assert placed == [{"order_id": answer["came_to"]}], (at, answer)
    made = await shop.made()
    assert made["create Order"] == len(orders) == len(deaths) + 1
    mails = await shop.rows("SELECT key FROM mails")
    assert sorted(mail["key"] for mail in mails) == sorted(f"order-placed:{order_id}" for order_id in orders)
    (cart,) = await shop.rows("SELECT items FROM carts")
    assert cart["items"] == []


@pytest.mark.proof
@pytest.mark.timeout(900)
async def test_a_request_killed_while_it_signs_somebody_up(shop: Shop, crashing: Crashing) -> None:
    """At every moment: one client at WHMCS, one user, the account active."""
    (whole,) = await crashing.do(await _newcomer(shop))
    assert whole.get("came_to") == "done" and "after AddClient" in whole["points"], whole
    jobs = [await _newcomer(shop, dies_at=at) for at in range(1, len(whole["points"]) + 1)]
    for at, answer in enumerate(await crashing.do(*jobs), 1):
        assert (answer.get("came_to"), len(answer["deaths"])) == ("done", 1), (at, answer)
    assert len(await shop.sandbox.ledger("whmcs", "AddClient")) == len(jobs) + 1
    mappings = await shop.rows("SELECT whmcs_client_id FROM mappings WHERE user_id <> :id", id=shop.customer.user_id)
    made = {line["reference"] for line in await shop.sandbox.ledger("whmcs", "AddClient")}
    assert {str(row["whmcs_client_id"]) for row in mappings} == made
    welcomes = await shop.rows("SELECT key FROM mails WHERE key LIKE 'welcome:%'")
    assert len(welcomes) == len(jobs) + 1


async def _newcomer(shop: Shop, **more: Any) -> Job:
    account = await shop.sandbox.press("salesforce", "add-account")
    number = account["customer_number"]
    person = {
        "email": f"{number.lower()}@mail.example",
        "password": "correct horse battery",
        "customer_number": number,
        "first_name": "Kim",
        "last_name": "Noguchi",
        "phone": "09012345678",
        "postal_code": account["postal_code"],
        "state": "Tokyo",
        "city": "Shibuya-ku",
        "street": "Jingumae 1-1-1",
    }
    return {"kind": "join", "id": number, "application": person, **more}


async def _points_of_an_order(shop: Shop, crashing: Crashing) -> list[str]:
    """The moments of an order that nobody disturbs."""
    (whole,) = await crashing.do(await _order_to_fulfill(shop))
    assert whole.get("came_to") == "done", whole
    return list(whole["points"])


async def _killed_at(shop: Shop, crashing: Crashing, moments: list[int]) -> None:
    """One order for each moment."""
    jobs = [await _order_to_fulfill(shop, dies_at=at) for at in moments]
    answers = await crashing.do(*jobs)
    for at, answer in zip(moments, answers, strict=True):
        assert (answer.get("came_to"), len(answer["deaths"])) == ("done", 1), (at, answer)
    await _each_once(shop, jobs)


async def _order_to_fulfill(shop: Shop, *, eid_ends: str = "", **more: Any) -> Job:
    order_id = await shop.approved(ESIM, eid_ends=eid_ends)
    order = await shop.order(order_id)
    markers = [item.id for item in order.items]
    return {"kind": "fulfill", "id": order_id, "eid": order.items[0].eid, "markers": markers, **more}


async def _cart_to_place(shop: Shop) -> Job:
    await shop.fill(SUPPORT)
    (cart,) = await shop.rows("SELECT checkout_key FROM carts")
    return {"kind": "place", "id": str(cart["checkout_key"]), "user_id": str(shop.customer.user_id)}


async def _each_once(shop: Shop, jobs: list[Job]) -> None:
    """The ledger, order by order; what Salesforce reads; the journal."""
    lines = await shop.sandbox.ledger()

    def made(effect: str) -> list[Job]:
        return [line for line in lines if line["effect"] == effect]

    for job in jobs:
        (placed,) = [line for line in made("AddOrder") if set(line["facts"]["markers"]) & set(job["markers"])]
        assert [line["reference"] for line in made("AcceptOrder")].count(placed["reference"]) == 1
        assert [line["facts"]["eid"] for line in made("PA05-41 addAcnt")].count(job["eid"]) == 1
        order = await shop.order(job["id"])
        assert (order.fulfillment_status, order.error_code) == ("Completed", None)
        assert order.whmcs_order_id == placed["reference"] and all(item.whmcs_service_id for item in order.items)
        journal = await shop.journal(job["id"])
        assert journal.state == "done" and {step.state for name, step in journal.steps.items()} == {"done"}

"""The cart: what may be in it together, what it brings along, what it says is wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from portico.errors import CartChanged, InputWrong, NotFound
from portico.orders.cart import CartItem, add_to_cart, priced_cart, put_cart, remove_from_cart
from tests.fixtures.sandbox import SandboxControl
from tests.orders.shop import ALICE, ESIM, KEN, SIM_CARD, SUPPORT, VPN, Shop, known

EID = "89033023423456789012345678901234"
FEE, FIBER, INSTALLATION, WEEKEND = "MOB-ACT-ESIM", "NET-FIBER-1G", "NET-INST-STD", "NET-INST-WEEKEND"


AS_TYPED = (
    EID,
    "8903 3023 4234 5678 9012 3456 7890 1234",
    "8903-3023-4234-5678-9012-3456-7890-1234",
    "８９０３３０２３４２３４５６７８９０１２３４５６７８９０１２３４",
    "８９０３－３０２３－４２３４－５６７８　９０１２‐３４５６−７８９０ー１２３４",
    f"\n{EID}\t",
)
NO_EIDS = ("", "8903", EID + "1", EID[:-1] + "x", "٨٩٠٣٣٠٢٣٤٢٣٤٥٦٧٨٩٠١٢٣٤٥٦٧٨٩٠١٢٣٤")


async def test_an_eid_as_people_type_it(shop: Shop) -> None:
    for typed in AS_TYPED:
        await add_to_cart(shop.portal, shop.customer, ESIM, eid=typed)
    lines = (await priced_cart(shop.portal, shop.customer)).lines
    assert [line.item.eid for line in lines if line.item.sku == ESIM] == [EID] * len(AS_TYPED)


async def test_what_is_no_eid(shop: Shop) -> None:
    for typed in NO_EIDS:
        with pytest.raises(InputWrong) as wrong:
            await add_to_cart(shop.portal, shop.customer, ESIM, eid=typed)
        assert [fault.pointer for fault in wrong.value.faults] == ["/eid"], typed
    assert await _lines(shop) == []


async def test_a_plan_brings_its_fee_and_takes_it_along(shop: Shop) -> None:
    await add_to_cart(shop.portal, shop.customer, ESIM, eid=EID)
    await add_to_cart(shop.portal, shop.customer, VPN)
    assert await _lines(shop) == [(ESIM, 1), (FEE, 1), (VPN, 1)]
    await _take_out(shop, 0)
    assert await _lines(shop) == [(VPN, 1)]


async def test_two_plans_have_two_fees_and_one_has_one(shop: Shop) -> None:
    for ending in "12":
        await add_to_cart(shop.portal, shop.customer, ESIM, eid=EID[:-1] + ending)
    assert await _lines(shop) == [(ESIM, 1), (FEE, 1), (ESIM, 1), (FEE, 1)]
    await _take_out(shop, 2)
    assert await _lines(shop) == [(ESIM, 1), (FEE, 1)]


async def test_a_fee_can_not_be_saved(shop: Shop) -> None:
    """Two plans and one of their fees taken out: neither plan can be ordered so."""
    for ending in "12":
        await add_to_cart(shop.portal, shop.customer, ESIM, eid=EID[:-1] + ending)
    await _take_out(shop, 1)
    cart = await priced_cart(shop.portal, shop.customer)
    assert not cart.is_orderable and [line.item.sku for line in cart.lines if line.problem] == [ESIM, ESIM]


async def test_one_installation_for_all_that_needs_it(shop: Shop) -> None:
    ken = Shop(shop.portal, shop.sandbox, await known(shop.portal, KEN), KEN)
    for sku in (FIBER, WEEKEND):
        await add_to_cart(ken.portal, ken.customer, sku)
    assert await _lines(ken) == [(FIBER, 1), (INSTALLATION, 1), (WEEKEND, 1)]
    await _take_out(ken, 0)
    assert await _lines(ken) == [(INSTALLATION, 1), (WEEKEND, 1)]
    await _take_out(ken, 1)
    assert await _lines(ken) == []


async def test_a_whole_cart_gets_what_it_lacks(shop: Shop, alice: httpx2.AsyncClient) -> None:
    items = [_line(ESIM, eid=EID), _line(ESIM, eid=EID[:-1] + "5"), _line(FEE), _line(SIM_CARD)]
    answer = await alice.put("/api/v1/cart", json={"items": items})
    assert answer.status_code == 200, answer.text
    skus = [item["sku"] for item in answer.json()["items"]]
    assert skus == [ESIM, ESIM, FEE, SIM_CARD, FEE, "MOB-ACT-SIM"]
    assert (answer.json()["monthly"]["net"]["amount"], answer.json()["orderable"]) == ("3940", True)
    assert answer.json()["one_time"] == {
        "net": {"amount": "9400", "currency": "JPY"},
        "tax": {"amount": "940", "currency": "JPY"},
        "gross": {"amount": "10340", "currency": "JPY"},
    }


async def test_every_fault_is_told(alice: httpx2.AsyncClient) -> None:
    items = [_line("NOTHING"), _line(ESIM, 2, "123"), _line(SUPPORT, 10), _line("MOB-ESIM-DATA", eid=EID), _line(VPN)]
    answer = await alice.put("/api/v1/cart", json={"items": items})
    assert (answer.status_code, answer.json()["code"]) == (422, "input_wrong")
    assert sorted(error["pointer"] for error in answer.json()["errors"]) == [
        "/items/0/sku",
        "/items/1/options/eid",
        "/items/1/quantity",
        "/items/2/quantity",
        "/items/3/sku",
    ]
    assert (await alice.get("/api/v1/cart")).json()["items"] == []


async def test_too_many_products(shop: Shop) -> None:
    with pytest.raises(InputWrong):
        await put_cart(shop.portal, shop.customer, [CartItem(SUPPORT)] * 21)


async def test_what_clashes_can_not_be_ordered(shop: Shop) -> None:
    await put_cart(shop.portal, shop.customer, [CartItem(VPN), CartItem("VPN-TEAM")])
    cart = await priced_cart(shop.portal, shop.customer)
    assert [bool(line.problem) for line in cart.lines] == [True, True] and not cart.is_orderable


async def test_what_is_sold_out_meanwhile_stands_in_the_way(shop: Shop, sandbox: SandboxControl) -> None:
    await put_cart(shop.portal, shop.customer, [CartItem(SUPPORT)])
    await sandbox.press("salesforce", "set-availability", sku=SUPPORT, available="false")
    await shop.portal.cache.retire()
    cart = await priced_cart(shop.portal, shop.customer)
    assert not cart.is_orderable and cart.lines[0].problem is not None


async def test_the_cart_is_on_every_device_and_outlives_redis(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await alice.put("/api/v1/cart", json={"items": [_line(SUPPORT, 2)]})
    await shop.portal.cache.retire()
    again = (await alice.get("/api/v1/cart")).json()
    assert (again["items"][0]["quantity"], again["one_time"]["net"]["amount"]) == (2, "10000")
    assert again["as_of"] == (await alice.get("/api/v1/catalog")).json()["as_of"], "the prices' age"
    assert ALICE.email == shop.person.email


async def test_a_removal_that_comes_twice_removes_once(shop: Shop) -> None:
    for sku in (VPN, SUPPORT, SUPPORT):
        await add_to_cart(shop.portal, shop.customer, sku)
    first, second, third = (line.id for line in (await priced_cart(shop.portal, shop.customer)).lines)
    assert second == third != first
    left = [await remove_from_cart(shop.portal, shop.customer, second) for _ in "12"]
    assert [cart.count for cart in left] == [2, 2] and await _lines(shop) == [(VPN, 1), (SUPPORT, 1)]
    await add_to_cart(shop.portal, shop.customer, SIM_CARD)
    await remove_from_cart(shop.portal, shop.customer, first)
    assert [sku for sku, _ in await _lines(shop)] == [SUPPORT, SIM_CARD, "MOB-ACT-SIM"], "others may come meanwhile"


async def test_removals_at_once_remove_one(shop: Shop) -> None:
    await put_cart(shop.portal, shop.customer, [CartItem(SUPPORT)] * 3)
    line = (await priced_cart(shop.portal, shop.customer)).lines[0].id
    await asyncio.gather(*(remove_from_cart(shop.portal, shop.customer, line) for _ in range(5)))
    assert await _lines(shop) == [(SUPPORT, 1)] * 2


async def test_a_line_that_was_not_seen_is_not_removed(shop: Shop) -> None:
    await add_to_cart(shop.portal, shop.customer, SUPPORT)
    line = (await priced_cart(shop.portal, shop.customer)).lines[0].id
    await add_to_cart(shop.portal, shop.customer, SUPPORT)
    with pytest.raises(CartChanged):
        await remove_from_cart(shop.portal, shop.customer, line)
    for nobodys in ("0", "00000000-0000000000000000-1", ""):
        with pytest.raises(NotFound):
            await remove_from_cart(shop.portal, shop.customer, nobodys)
    assert await _lines(shop) == [(SUPPORT, 1)] * 2


async def _take_out(shop: Shop, position: int) -> None:
    lines = (await priced_cart(shop.portal, shop.customer)).lines
    await remove_from_cart(shop.portal, shop.customer, lines[position].id)


async def _lines(shop: Shop) -> list[tuple[str, int]]:
    cart = await priced_cart(shop.portal, shop.customer)
    return [(line.item.sku, line.item.quantity) for line in cart.lines]


def _line(sku: str, quantity: int = 1, eid: str = "") -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, "options": {"eid": eid}}

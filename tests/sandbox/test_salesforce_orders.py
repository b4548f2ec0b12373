"""The rules of orders and their lines, and what staff do to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from portico_sandbox.buttons import ButtonRefused
from portico_sandbox.salesforce import control
from portico_sandbox.salesforce.knobs import turn
from tests.sandbox.salesforce_calling import Salesforce, salesforce_at


@pytest.fixture(scope="module")
async def org(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Salesforce]:
    async with salesforce_at(tmp_path_factory.mktemp("org")) as caller:
        yield caller


async def row(org: Salesforce, entity: str, record_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await org.call("GET", f"/sobjects/{entity}/{record_id}")).json()
    return found


async def codes(org: Salesforce, method: str, path: str, **body: Any) -> list[str]:
    return [each["errorCode"] for each in (await org.call(method, path, body or None)).json()]


async def test_the_life_of_an_order(org: Salesforce) -> None:
    order = await org.draft_order("MOB-ESIM-3GB", "MOB-ACT-ESIM")
    draft = await row(org, "Order", order)
    assert (draft["StatusCode"], draft["TotalAmount"], draft["ActivatedDate"]) == ("Draft", 1960.0, None)
    assert draft["OrderNumber"].isdigit()
    path = f"/sobjects/Order/{order}"
    assert await codes(org, "PATCH", path, Status="Approved", Description="x") == ["FIELD_INTEGRITY_EXCEPTION"]
    await control.approve_order(org.sandbox, order)
    active = await row(org, "Order", order)
    assert (active["Status"], active["StatusCode"]) == ("Approved", "Activated")
    assert active["ActivatedDate"]
    assert active["ActivatedById"].startswith("005")
    await org.update("Order", order, Fulfillment_Status__c="In Progress", WHMCS_Order_Id__c="6001")
    assert await codes(org, "DELETE", path) == ["ENTITY_IS_LOCKED"]
    assert await codes(org, "PATCH", path, AccountId=org.account_id(1)) == ["FIELD_INTEGRITY_EXCEPTION"]
    line = {"OrderId": order, "PricebookEntryId": org.entry_id(), "Quantity": 1, "UnitPrice": 1}
    assert await codes(org, "POST", "/sobjects/OrderItem", **line) == ["ENTITY_IS_LOCKED"]
    [first, _] = await org.records(f"SELECT Id FROM OrderItem WHERE OrderId = '{order}'")
    assert await codes(org, "DELETE", f"/sobjects/OrderItem/{first['Id']}") == ["ENTITY_IS_LOCKED"]
    await org.update("OrderItem", first["Id"], Line_Number__c="07000000001")
    await org.update("Order", order, Status="Completed", Fulfillment_Status__c="Completed")
    await org.update("Order", order, Status="Pending Review")
    assert (await row(org, "Order", order))["ActivatedDate"] is None
    assert (await org.call("DELETE", path)).status_code == 204
    assert await org.records(f"SELECT Id FROM OrderItem WHERE OrderId = '{order}'") == []


async def test_an_order_starts_as_a_draft_and_needs_products(org: Salesforce) -> None:
    start = {"AccountId": org.account_id(), "EffectiveDate": "2026-11-23"}
    assert await codes(org, "POST", "/sobjects/Order", **start, Status="Approved") == ["FAILED_ACTIVATION"]
    assert await codes(org, "POST", "/sobjects/Order", Status="Draft") == ["REQUIRED_FIELD_MISSING"]
    empty = await org.draft_order()
    with pytest.raises(ButtonRefused, match="at least one product"):
        await control.approve_order(org.sandbox, empty)
    turn(org.sandbox, "activation_without_items", "FIELD_INTEGRITY_EXCEPTION")
    assert await codes(org, "PATCH", f"/sobjects/Order/{empty}", Status="Approved") == ["FIELD_INTEGRITY_EXCEPTION"]


async def test_lines_fit_their_order(org: Salesforce) -> None:
    order = await org.draft_order()
    good = {"OrderId": order, "PricebookEntryId": org.entry_id(), "Quantity": 2, "UnitPrice": 900}
    [standard] = await org.records(
        "SELECT Id FROM PricebookEntry WHERE Pricebook2.IsStandard = true AND Product2.StockKeepingUnit = 'VPN-HOME'"
    )
    bookless = await org.create("Order", AccountId=org.account_id(), EffectiveDate="2026-11-23", Status="Draft")
    for change, expected in (
        ({"PricebookEntryId": None}, ["REQUIRED_FIELD_MISSING", *["FIELD_INTEGRITY_EXCEPTION"] * 2]),
        ({"PricebookEntryId": standard["Id"]}, ["FIELD_INTEGRITY_EXCEPTION"]),
        ({"OrderId": bookless}, ["FIELD_INTEGRITY_EXCEPTION"]),
        ({"Quantity": 0}, ["FIELD_INTEGRITY_EXCEPTION"]),
        ({"UnitPrice": None}, ["REQUIRED_FIELD_MISSING"]),
        ({"ServiceDate": "2026-11-22"}, ["FIELD_INTEGRITY_EXCEPTION"]),
        ({"TotalPrice": 5}, ["INVALID_FIELD_FOR_INSERT_UPDATE"]),
    ):
        assert await codes(org, "POST", "/sobjects/OrderItem", **{**good, **change}) == expected
    item = await org.create("OrderItem", **good)
    line = await row(org, "OrderItem", item)
    assert (line["TotalPrice"], line["ListPrice"]) == (1800.0, 980.0)
    assert line["Product2Id"] == org.sandbox.world.product_by_sku["MOB-ESIM-3GB"].sf_product_id
    await org.update("OrderItem", item, Quantity=3)
    assert (await row(org, "Order", order))["TotalAmount"] == 2700.0
    assert (await org.call("DELETE", f"/sobjects/OrderItem/{item}")).status_code == 204
    assert (await row(org, "Order", order))["TotalAmount"] == 0


async def test_staff_find_orders_by_any_name_and_number_their_lines(org: Salesforce) -> None:
    order = await org.draft_order("MOB-ESIM-3GB", "MOB-ACT-ESIM", "MOB-ESIM-10GB", Portal_Order_Id__c="find-me")
    number = (await row(org, "Order", order))["OrderNumber"]
    given = (await control.set_line_number(org.sandbox, "find-me", "07000009001"))["items"]
    assert sorted(given.values()) == ["07000009001", "07000009002"]
    numbered = await org.records(
        f"SELECT Line_Number__c FROM OrderItem WHERE OrderId = '{order}' AND Line_Number__c != ''"
    )
    assert len(numbered) == 2
    assert (await control.approve_order(org.sandbox, number))["order"] == order
    other = await org.draft_order()
    assert (await control.cancel_order(org.sandbox, other))["status"] == "Cancelled"
    with pytest.raises(ButtonRefused, match="There is no order nothing"):
        await control.cancel_order(org.sandbox, "nothing")


async def test_the_other_buttons(org: Salesforce) -> None:
    sandbox = org.sandbox
    buttons = {button.name: button for button in control.BUTTONS}
    assert len(buttons) == len(control.BUTTONS)
    assert {button.system for button in control.BUTTONS} == {"salesforce"}
    account = await buttons["add-account"].press(
        sandbox, {"customer_number": "", "postal_code": "150-0009", "name": ""}
    )
    found = await row(org, "Account", account["sf_account_id"])
    assert (found["Customer_Number__c"], found["BillingPostalCode"]) == (account["customer_number"], "150-0009")
    await control.change_eligibility(sandbox, account["customer_number"], "Mobile;VPN", "Eligible")
    assert (await row(org, "Account", account["sf_account_id"]))["Eligibility__c"] == "Mobile;VPN"
    await buttons["delete-account"].press(sandbox, {"account": account["customer_number"]})
    assert (await org.call("GET", f"/sobjects/Account/{account['sf_account_id']}")).status_code == 404
    await control.change_price(sandbox, "VPN-HOME", "550")
    assert (await row(org, "PricebookEntry", org.entry_id("VPN-HOME")))["UnitPrice"] == 550.0
    await control.set_availability(sandbox, "VPN-HOME", "false")
    product = org.sandbox.world.product_by_sku["VPN-HOME"].sf_product_id
    await control.change_field(sandbox, "Product2", product, "Display_Order__c", "7")
    changed = await row(org, "Product2", product)
    assert (changed["Available__c"], changed["Display_Order__c"]) == (False, 7.0)
    case = await org.create("Case", Subject="Help", AccountId=org.account_id())
    await control.answer_case(sandbox, case, "We are on it.", "Working")
    [comment] = await org.records(f"SELECT CommentBody, IsPublished FROM CaseComment WHERE ParentId = '{case}'")
    assert (comment["CommentBody"], comment["IsPublished"]) == ("We are on it.", True)
    with pytest.raises(ButtonRefused, match="refuses"):
        await control.change_field(sandbox, "Account", org.account_id(), "Portal_Status__c", "Nonsense")

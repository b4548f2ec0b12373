"""Clients and users over a real socket: who they are, and every refusal of AddClient."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from portico_sandbox.whmcs.switches import turn
from tests.sandbox.whmcs_calling import ALICE, ALPHA, KEN, KEN_EMAIL, Caller, serialized, whmcs_open


@pytest.fixture
async def whmcs(tmp_path: Path) -> AsyncIterator[Caller]:
    async with whmcs_open(tmp_path) as caller:
        yield caller


async def test_add_client_makes_a_user_and_a_client_with_different_ids(whmcs: Caller) -> None:
    made = await whmcs.ok("AddClient", **ALPHA, customfields=serialized({11: "CN-1", 12: "op-1", 99: "lost"}))
    assert made == {"result": "success", "clientid": 6000, "owner_id": 9000}

    shown = (await whmcs.ok("GetClientsDetails", clientid=6000))["client"]
    assert (shown["id"], shown["owner_user_id"], shown["status"]) == (6000, 9000, "Active")
    assert shown["customfields"] == [{"id": 11, "value": "CN-1"}, {"id": 12, "value": "op-1"}]
    assert shown["city"] == "千代田区"
    assert shown["countryname"] == "Japan"
    assert (shown["phonenumberformatted"], shown["currency_code"]) == ("+81.312345678", "JPY")
    assert shown["users"] == {
        "user": [{"id": 9000, "name": "Alpha Tester", "email": "alpha@portal.test", "is_owner": True}]
    }
    [line] = whmcs.sandbox.ledger.lines("whmcs", "AddClient")
    facts = {"client_id": 6000, "email": "alpha@portal.test", "customer_number": "CN-1", "marker": "op-1"}
    assert (line["reference"], line["facts"]) == ("6000", facts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"firstname": ""}, "You did not enter your first name"),
        ({"lastname": " "}, "You did not enter your last name"),
        ({"email": ""}, "You did not enter your email address"),
        ({"email": "nobody"}, "The email address you entered was not valid"),
        ({"address1": ""}, "You did not enter your address (line 1)"),
        ({"city": ""}, "You did not enter your city"),
        ({"state": ""}, "You did not enter your state"),
        ({"postcode": ""}, "You did not enter your postcode"),
        ({"phonenumber": ""}, "You did not enter your phone number"),
        ({"country": "Japan"}, "Valid country required"),
        ({"password2": ""}, "You did not enter a password"),
        ({"password2": "", "skipvalidation": "1"}, "You did not enter a password"),
        ({"email": "Ken.Tanaka@mail.example"}, "A user already exists with that email address"),
        ({"email": "x@banned.example"}, "The email address entered is not available for use."),
        ({"owner_user_id": "123456"}, "Invalid Owner User ID"),
    ],
)
async def test_add_client_refuses(whmcs: Caller, change: dict[str, str], message: str) -> None:
    assert await whmcs.refused("AddClient", **{**ALPHA, **change}) == message
    assert whmcs.sandbox.ledger.lines("whmcs") == []


async def test_required_custom_fields_and_the_array_that_makes_them_look_empty(whmcs: Caller) -> None:
    turn(whmcs.sandbox, "required_client_fields", "11")
    missing = "You did not provide required custom field value for Customer number"
    assert await whmcs.refused("AddClient", **ALPHA) == missing
    assert await whmcs.refused("AddClient", **ALPHA, **{"customfields[0]": serialized({11: "CN-1"})}) == missing
    await whmcs.ok("AddClient", **ALPHA, customfields=serialized({11: "CN-1"}))


async def test_a_client_can_be_attached_to_an_existing_user(whmcs: Caller) -> None:
    first = await whmcs.ok("AddClient", **ALPHA)
    second = await whmcs.ok("AddClient", **{**ALPHA, "email": "b@portal.test"}, owner_user_id=first["owner_id"])
    assert second == {"result": "success", "clientid": 6001, "owner_id": 9000}
    [user] = (await whmcs.ok("GetUsers", search="alpha@"))["users"]
    assert user["clients"] == [{"id": 6000, "isOwner": True}, {"id": 6001, "isOwner": True}]


async def test_update_client_is_partial_and_echoes_the_id_as_text(whmcs: Caller) -> None:
    assert await whmcs.ok("UpdateClient", clientid=KEN, address1="4-5-6 Minato", address2="", nonsense="x") == {
        "result": "success",
        "clientid": str(KEN),
    }
    shown = (await whmcs.ok("GetClientsDetails", email=KEN_EMAIL))["client"]
    assert (shown["address1"], shown["address2"], shown["postcode"]) == ("4-5-6 Minato", "", "100-0005")
    assert await whmcs.refused("UpdateClient", clientid=1) == "Client ID Not Found"
    assert await whmcs.refused("UpdateClient", clientid=ALICE, email=KEN_EMAIL) == "Duplicate Email Address"
    assert await whmcs.refused("UpdateClient", clientid=ALICE, email="x") == "The email address entered is not valid"


@pytest.mark.parametrize(("how", "number"), [("merge", "CN-100401"), ("replace", "")])
async def test_custom_fields_left_out_of_an_update(whmcs: Caller, how: str, number: str) -> None:
    turn(whmcs.sandbox, "custom_fields_update", how)
    await whmcs.ok("UpdateClient", clientid=KEN, customfields=serialized({12: "op-9"}))
    shown = (await whmcs.ok("GetClientsDetails", clientid=KEN))["client"]["customfields"]
    assert shown == [{"id": 11, "value": number}, {"id": 12, "value": "op-9"}]


async def test_details_need_an_id_or_an_email(whmcs: Caller) -> None:
    assert await whmcs.refused("GetClientsDetails") == "Either clientid Or email Is Required"
    assert await whmcs.refused("GetClientsDetails", clientid=1) == "Client Not Found"
    stats = (await whmcs.ok("GetClientsDetails", clientid=KEN, stats=1))["stats"]
    assert (stats["numpaidinvoices"], stats["numunpaidinvoices"]) == (10, 1)


async def test_validate_login_names_the_user_and_not_the_client(whmcs: Caller) -> None:
    answer = await whmcs.ok("ValidateLogin", email=KEN_EMAIL, password2="portal-ken-4011")
    assert answer["userid"] == 921 != KEN
    assert answer["twoFactorEnabled"] is False
    assert len(answer["passwordhash"]) == 64
    for email, password in ((KEN_EMAIL, "wrong"), ("nobody@mail.example", "portal-ken-4011")):
        assert await whmcs.refused("ValidateLogin", email=email, password2=password) == "Email or Password Invalid"


async def test_with_a_second_factor_the_password_is_right_but_there_is_no_session(whmcs: Caller) -> None:
    careful = next(p for p in whmcs.sandbox.world.people if p.two_factor and p.whmcs_client_id)
    answer = await whmcs.ok("ValidateLogin", email=careful.email, password2=careful.password)
    assert answer == {"result": "success", "userid": careful.whmcs_user_id, "twoFactorEnabled": True}


@pytest.mark.parametrize(("value", "keys"), [("also", {"client", "email"}), ("never", {"client"}), ("only", {"email"})])
async def test_client_fields_at_top_level(whmcs: Caller, value: str, keys: set[str]) -> None:
    turn(whmcs.sandbox, "toplevel_client", value)
    answer: dict[str, Any] = await whmcs.ok("GetClientsDetails", clientid=KEN)
    assert {"client", "email"} & set(answer) == keys

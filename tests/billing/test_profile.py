"""Profile and address at the front door: written to WHMCS field by field, seen at once, honest in trouble."""

from __future__ import annotations

import time
from typing import Any

import pytest

from portico.billing.profile import profile_of
from portico.portal import Portal
from portico.systems.whmcs.clients import ClientChange, get_clients_details, update_client
from portico_sandbox.world_types import Person
from tests.billing.guests import ALICE, KEN, House, calls, customer_of
from tests.fixtures.browser import Browser, Page
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until

PROFILE, ADDRESS = "/api/v1/me/profile", "/api/v1/me/address"
DETAILS_FORM, ADDRESS_FORM = "/profile/details", "/profile/address"
NEW_HOME = {"postal_code": "150-0041", "state": "東京都", "city": "渋谷区", "street": "神南1-2-3", "street2": ""}


async def save(browser: Browser, form: str, *, expect: int = 200, **values: str) -> Page:
    return await browser.submit(await browser.visit(form), form, expect=expect, **values)


async def at_whmcs(portal: Portal, person: Person) -> dict[str, Any]:
    client = await get_clients_details(portal.whmcs, customer_of(person).whmcs_client_id)
    address = {name: getattr(client.address, name) for name in client.address.__dataclass_fields__}
    return {"first_name": client.first_name, "last_name": client.last_name, "phone": client.phone, **address}


async def writes(sandbox: SandboxControl) -> list[list[str]]:
    """Which fields each UpdateClient changed."""
    return [line["facts"]["changed"] for line in await sandbox.ledger("whmcs", "UpdateClient")]


async def test_the_profile_shows_what_whmcs_has(house: House) -> None:
    browser = await house.enter(KEN)
    page = await browser.visit("/profile")
    for words in ("田中 健", "090-0000-0401", "CN-100401", "100-0005", "東京都千代田区丸の内1-9-1", KEN.email):
        assert words in page.text
    body = (await browser.client.get(PROFILE)).json()
    assert (body["customer_number"], body["address"]["city"], body["email"]) == ("CN-100401", "千代田区", KEN.email)
    assert body["as_of"]
    before = calls("GetClientsDetails")
    await browser.visit("/profile")
    house.portal.clock.move_to(29 * 60)
    await browser.visit("/profile")
    assert calls("GetClientsDetails") == before


async def test_a_new_address_is_seen_at_once_in_every_process(
    house: House, portal: Portal, sandbox: SandboxControl
) -> None:
    """`portal` is a second process beside the app's: both have a copy before."""
    browser = await house.enter(KEN)
    assert (await profile_of(portal, customer_of(KEN))).value.address.city == "千代田区"
    page = await save(
        browser, ADDRESS_FORM, postal_code="〒１５０－００４１", city="渋谷区", street="神南１－２－３", street2=""
    )
    assert "Your changes are saved." in page.text
    assert "150-0041東京都渋谷区神南１－２－３" in page.text.replace(" ", "")
    assert (await profile_of(portal, customer_of(KEN))).value.address.city == "渋谷区"
    assert (await writes(sandbox)) == [["address1", "address2", "city", "postcode"]]
    assert (await at_whmcs(portal, KEN))["postal_code"] == "150-0041"


async def test_only_what_was_changed_is_written(house: House, portal: Portal, sandbox: SandboxControl) -> None:
    browser = await house.enter(KEN)
    page = await browser.visit(ADDRESS_FORM)
    await sandbox.press("whmcs", "edit-client", client_id="4011", address2="別館101", phonenumber="03-1111-2222")
    answer = await browser.submit(page, ADDRESS_FORM, street="丸の内2-2-2")
    assert "Something else was changed meanwhile" in answer.text
    now = await at_whmcs(portal, KEN)
    assert (now["street"], now["street2"], now["phone"]) == ("丸の内2-2-2", "別館101", "03-1111-2222")


async def test_what_another_wrote_into_the_same_field_is_not_overwritten(
    house: House, portal: Portal, sandbox: SandboxControl
) -> None:
    browser = await house.enter(KEN)
    page = await browser.visit(ADDRESS_FORM)
    await sandbox.press("whmcs", "edit-client", client_id="4011", address1="丸の内9-9-9")
    again = await browser.submit(page, ADDRESS_FORM, expect=409, street="丸の内2-2-2")
    assert "changed meanwhile by somebody else" in again.text
    assert "This is now: 丸の内9-9-9" in again.text
    assert again.form(ADDRESS_FORM).values["street"] == "丸の内2-2-2"
    saved = await browser.submit(again, ADDRESS_FORM)
    assert "Your changes are saved." in saved.text
    assert (await at_whmcs(portal, KEN))["street"] == "丸の内2-2-2"


async def test_names_and_phone_in_either_script(house: House, portal: Portal) -> None:
    browser = await house.enter(ALICE)
    page = await save(
        browser, DETAILS_FORM, last_name="ジョンソン", first_name="アリス", phone="＋81 （０）90-1234-5678"
    )
    assert "ジョンソン アリス" in page.text
    assert "09012345678" in page.text
    me = (await browser.client.get("/api/v1/me")).json()
    assert me["display_name"] == "ジョンソン アリス"
    body = (await browser.client.patch(PROFILE, json={"last_name": "Johnson", "first_name": "Alice"})).json()
    assert (body["last_name"], body["phone"]) == ("Johnson", "09012345678")
    assert (await browser.client.get("/api/v1/me")).json()["display_name"] == "Alice Johnson"
    assert (await at_whmcs(portal, ALICE))["first_name"] == "Alice"


async def test_nothing_to_save_writes_nothing(house: House, sandbox: SandboxControl) -> None:
    browser = await house.enter(KEN)
    assert "it was like this already" in (await save(browser, ADDRESS_FORM)).text
    assert "it was like this already" in (await save(browser, DETAILS_FORM)).text
    assert (await browser.client.patch(PROFILE, json={})).status_code == 200
    assert await writes(sandbox) == []


async def test_the_prefecture_is_chosen_in_the_script_of_the_address(house: House) -> None:
    ken, alice = await house.enter(KEN), await house.enter(ALICE)
    assert (await ken.visit(ADDRESS_FORM)).form(ADDRESS_FORM).values["state"] == "東京都"
    page = await alice.visit(ADDRESS_FORM)
    assert page.form(ADDRESS_FORM).values["state"] == "Tokyo"
    saved = await alice.submit(page, ADDRESS_FORM, state="Kanagawa", postal_code="2200011")
    assert "Kanagawa 220-0011" in saved.text


async def test_a_prefecture_nobody_has_heard_of_is_kept_as_it_is(house: House, sandbox: SandboxControl) -> None:
    await sandbox.press("whmcs", "edit-client", client_id="4012", state="Tokyo Metropolis")
    browser = await house.enter(ALICE)
    page = await browser.visit(ADDRESS_FORM)
    assert page.form(ADDRESS_FORM).values["state"] == "Tokyo Metropolis"
    await browser.submit(page, ADDRESS_FORM, street="Kamimeguro 9")
    assert await writes(sandbox) == [["address1"]]


@pytest.mark.parametrize(
    ("form", "wrong", "says"),
    [
        (ADDRESS_FORM, {"postal_code": "15000"}, "7 digits"),
        (ADDRESS_FORM, {"street": "  "}, "Enter your street address."),
        (ADDRESS_FORM, {"city": "渋" * 101}, "at most 40"),
        (DETAILS_FORM, {"phone": "12345"}, "10 or 11 digits"),
        (DETAILS_FORM, {"last_name": ""}, "Enter your last name."),
    ],
)
async def test_a_wrong_field_is_marked_and_nothing_is_lost(
    house: House, sandbox: SandboxControl, form: str, wrong: dict[str, str], says: str
) -> None:
    browser = await house.enter(KEN)
    page = await save(browser, form, expect=422, **wrong)
    assert says in page.text
    ((name, value),) = wrong.items()
    assert page.form(form).values[name] == value
    assert f"f-{name}-fault" in page.ids
    assert await writes(sandbox) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "pointers"),
    [
        ("PATCH", PROFILE, {"phone": "x", "last_name": ""}, ["/last_name", "/phone"]),
        ("PATCH", PROFILE, {"email": "new@mail.example"}, ["/email"]),
        ("PATCH", PROFILE, {"credit": 9}, ["/credit"]),
        ("PUT", ADDRESS, {**NEW_HOME, "postal_code": "1"}, ["/postal_code"]),
        ("PUT", ADDRESS, {**NEW_HOME, "country": "Japan"}, ["/country"]),
        ("PUT", ADDRESS, {"city": "渋谷区"}, ["/postal_code", "/state", "/street"]),
    ],
)
async def test_the_api_names_each_wrong_field(
    house: House, method: str, path: str, body: dict[str, Any], pointers: list[str]
) -> None:
    browser = await house.enter(KEN)
    answer = await browser.client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "input_wrong")
    assert sorted(fault["pointer"] for fault in answer.json()["errors"]) == pointers


async def test_the_api_replaces_an_address_and_may_leave_japan(house: House) -> None:
    browser = await house.enter(KEN)
    body = (await browser.client.put(ADDRESS, json=NEW_HOME)).json()
    assert body["address"] == {**NEW_HOME, "country": "JP"}
    abroad = {"postal_code": "SW1A 1AA", "state": "", "city": "London", "street": "10 Downing Street", "country": "gb"}
    body = (await browser.client.put(ADDRESS, json=abroad)).json()
    assert body["address"] == {**abroad, "street2": "", "country": "GB"}
    assert (await browser.client.get(PROFILE)).json()["address"]["city"] == "London"
    page = await browser.visit(ADDRESS_FORM)
    assert "State or region" in page.text
    assert "London" in (await browser.visit("/profile")).text


@pytest.mark.parametrize(
    ("message", "pointer"),
    [("You did not enter your city", "/city"), ("Valid country required", "/country"), ("Odd", None)],
)
async def test_what_whmcs_refuses_stands_at_its_field(
    house: House, sandbox: SandboxControl, message: str, pointer: str | None
) -> None:
    browser = await house.enter(KEN)
    await sandbox.dial("whmcs", "refuse", call="UpdateClient", code=message)
    answer = await browser.client.put(ADDRESS, json=NEW_HOME)
    body = answer.json()
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in body.get("errors", [])] == ([pointer] if pointer else [])
    page = await save(browser, ADDRESS_FORM, expect=422, city="渋谷区")
    assert "billing system did not take this" in page.text
    assert page.form(ADDRESS_FORM).values["city"] == "渋谷区"


@pytest.mark.parametrize("mode", ["down", "malformed"])
async def test_whmcs_away_is_said_on_each_page(house: House, sandbox: SandboxControl, mode: str) -> None:
    browser = await house.enter(KEN)
    form = await browser.visit(ADDRESS_FORM)
    ken = await house.enter(ALICE)
    await sandbox.dial("whmcs", mode)
    page = await ken.visit("/profile")
    assert "Not available just now" in page.text
    assert ALICE.email in page.text
    again = await browser.submit(form, ADDRESS_FORM, expect=503, city="渋谷区")
    assert "Nothing was changed; please try again" in again.text
    assert again.form(ADDRESS_FORM).values["city"] == "渋谷区"
    answer = await browser.client.patch(PROFILE, json={"company": "株式会社"})
    assert (answer.status_code, answer.json()["code"]) == (503, "try_again_later")


async def test_an_answer_that_was_lost_is_looked_after(house: House, portal: Portal, sandbox: SandboxControl) -> None:
    """Written, then silence: what was to be is found to be so."""
    browser = await house.enter(KEN)
    form = await browser.visit(ADDRESS_FORM)
    await sandbox.dial("whmcs", "commit_then_hang", call="UpdateClient", times=1)
    began = time.monotonic()
    page = await browser.submit(form, ADDRESS_FORM, city="渋谷区")
    assert "Your changes are saved." in page.text
    assert time.monotonic() - began < 15
    assert (await at_whmcs(portal, KEN))["city"] == "渋谷区"


async def test_what_nobody_can_know_yet_is_said_so(house: House, sandbox: SandboxControl) -> None:
    browser = await house.enter(KEN)
    form = await browser.visit(ADDRESS_FORM)
    await sandbox.dial("whmcs", "slow", call="UpdateClient", seconds=9)
    page = await browser.submit(form, ADDRESS_FORM, expect=503, city="渋谷区")
    assert "We could not find out whether this was saved" in page.text
    assert page.form(ADDRESS_FORM).values["city"] == "渋谷区"
    await sandbox.undial()
    assert "渋谷区" in (await browser.submit(page, ADDRESS_FORM)).text


async def test_a_write_that_stumbles_is_sent_again(house: House, sandbox: SandboxControl) -> None:
    browser = await house.enter(KEN)
    await sandbox.dial("whmcs", "down", call="UpdateClient", times=1)
    assert (await browser.client.patch(PROFILE, json={"company": "株式会社"})).status_code == 200
    assert await writes(sandbox) == [["companyname"]]


async def test_a_hook_shows_what_staff_changed(house: House, portal: Portal, sandbox: SandboxControl) -> None:
    browser = await house.enter(KEN)
    async with house.open_to_hooks():
        assert "千代田区" in (await browser.visit("/profile")).text
        await update_client(portal.whmcs, customer_of(KEN).whmcs_client_id, ClientChange(city="港区"))

        async def shows() -> bool:
            return "港区" in (await browser.visit("/profile")).text

        await until(shows, 4)


async def test_each_sees_and_changes_only_their_own(house: House, portal: Portal) -> None:
    ken, alice = await house.enter(KEN), await house.enter(ALICE)
    await ken.client.put(ADDRESS, json=NEW_HOME)
    assert (await alice.client.get(PROFILE)).json()["address"]["city"] == "Meguro-ku"
    assert "渋谷区" not in (await alice.visit("/profile")).text
    assert (await at_whmcs(portal, ALICE))["city"] == "Meguro-ku"
    async with house.client() as stranger:
        assert (await stranger.get(PROFILE)).status_code == 401
        assert (await stranger.put(ADDRESS, json=NEW_HOME)).status_code == 401

"""Clients and users: created once, found by marker, read alike in every shape, changed and read back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from portico.customer import WhmcsClientId, WhmcsUserId
from portico.errors import EmailTaken, SignInWrong, SystemDown, SystemRefused, SystemSurprised
from portico.money import Money
from portico.settings import WhmcsSettings
from portico.systems.whmcs import clients, users
from portico.systems.whmcs.client import Whmcs, build_whmcs
from portico.systems.whmcs.clients import Address, ClientChange, NewClient
from portico_sandbox.dials import Dial
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.whmcs.rows import CLIENTS
from tests.systems.raw_server import answer, raw_server
from tests.systems.whmcs.conftest import settings_for
from tests.systems.whmcs.quirks import QUIRKS

ISABELLA = WhmcsClientId(4018)
NEW = NewClient(
    first_name="湊",
    last_name="髙﨑",
    email="new.one@mail.example",
    phone="090-0000-0110",
    address=Address("900-0015", "沖縄県", "那覇市", "久茂地1-1-1", 'Apt. "5" & <b>'),
    customer_number="CN-100110",
    marker="op-0001",
)


async def test_a_profile_reads_as_it_is(whmcs: Whmcs) -> None:
    client = await clients.get_clients_details(whmcs, ISABELLA)
    assert (client.id, client.owner_user_id, client.status) == (ISABELLA, WhmcsUserId(933), "active")
    assert (client.first_name, client.last_name) == ("Isabella", "de la Cruz")
    assert client.address == Address("810-0041", "Fukuoka", "Fukuoka-shi Chuo-ku", "Daimyo 2-6-50")
    assert client.customer_number == "CN-100408"
    assert str(client.credit) == "¥3,000"
    assert client.credit == Money(client.credit.amount, "JPY")
    assert client.sso_allowed
    assert client.owner_email == client.email


@pytest.mark.parametrize(("name", "value"), QUIRKS)
async def test_a_profile_reads_the_same_in_every_shape(
    whmcs: Whmcs, switch: Callable[[str, str], Any], name: str, value: str
) -> None:
    client_id = await clients.add_client(whmcs, NEW)
    usual = await clients.get_clients_details(whmcs, client_id)
    switch(name, value)
    assert await clients.get_clients_details(whmcs, client_id) == usual
    assert await clients.find_clients_by_marker(whmcs, NEW.email, NEW.marker) == [client_id]


async def test_a_new_client_is_what_was_given(sandbox: Sandbox, whmcs: Whmcs) -> None:
    client_id = await clients.add_client(whmcs, NEW)
    client = await clients.get_clients_details(whmcs, client_id)
    for name in ("first_name", "last_name", "email", "phone", "address", "customer_number", "marker"):
        assert getattr(client, name) == getattr(NEW, name), name
    assert [str(line["reference"]) for line in sandbox.ledger.lines("whmcs", "AddClient")] == [str(client_id)]


async def test_entities_are_decoded_once_and_never_encoded(whmcs: Whmcs, switch: Callable[[str, str], Any]) -> None:
    switch("entities", "on")
    tricky = dataclasses.replace(NEW, last_name="O'Brien &amp; Co", company="A & B <C>")
    client = await clients.get_clients_details(whmcs, await clients.add_client(whmcs, tricky))
    assert (client.last_name, client.company) == ("O'Brien &amp; Co", "A & B <C>")


async def test_an_email_in_use_is_said_by_name(whmcs: Whmcs) -> None:
    await clients.add_client(whmcs, NEW)
    with pytest.raises(EmailTaken):
        await clients.add_client(whmcs, dataclasses.replace(NEW, marker="op-0002"))
    assert await clients.find_clients_by_marker(whmcs, NEW.email, "op-0002") == []


async def test_a_lost_answer_leaves_a_client_that_its_marker_finds(sandbox: Sandbox) -> None:
    whmcs = build_whmcs(settings_for(sandbox, write_seconds=1))
    sandbox.dials.turn(Dial("whmcs", "commit_then_hang", call="AddClient", times=1))
    with pytest.raises(SystemDown) as caught:
        await clients.add_client(whmcs, NEW)
    assert caught.value.sent
    (found,) = await clients.find_clients_by_marker(whmcs, NEW.email, NEW.marker)
    assert (await clients.get_clients_details(whmcs, found)).marker == NEW.marker
    await whmcs.aclose()


async def test_a_client_whose_email_moved_is_found_through_its_user(sandbox: Sandbox, whmcs: Whmcs) -> None:
    client_id = await clients.add_client(whmcs, NEW)
    with sandbox.store.begin() as tx:
        tx.change(CLIENTS, str(client_id), email="elsewhere@mail.example")
    assert await clients.find_client_by_email(whmcs, NEW.email) is None
    assert await clients.find_clients_by_marker(whmcs, NEW.email, NEW.marker) == [client_id]


async def test_find_by_email_ignores_case_and_knows_none(whmcs: Whmcs) -> None:
    found = await clients.find_client_by_email(whmcs, "Isabella.delacruz@mail.example")
    assert found is not None
    assert found.id == ISABELLA
    assert await clients.find_client_by_email(whmcs, "nobody@mail.example") is None


async def test_an_update_changes_what_is_given_and_leaves_the_rest(whmcs: Whmcs) -> None:
    before = await clients.get_clients_details(whmcs, ISABELLA)
    address = Address("105-0011", "東京都", "港区", "芝公園4-2-8")
    await clients.update_client(whmcs, ISABELLA, ClientChange(**dataclasses.asdict(address), phone="03-1234-5678"))
    after = await clients.get_clients_details(whmcs, ISABELLA)
    assert after == dataclasses.replace(before, address=address, phone="03-1234-5678")


async def test_one_field_is_changed_alone_and_an_empty_text_clears(whmcs: Whmcs) -> None:
    before = await clients.get_clients_details(whmcs, ISABELLA)
    await clients.update_client(whmcs, ISABELLA, ClientChange(street="大名2-6-51", street2="", company="エー & ビー"))
    after = await clients.get_clients_details(whmcs, ISABELLA)
    address = dataclasses.replace(before.address, street="大名2-6-51")
    assert after == dataclasses.replace(before, address=address, company="エー & ビー")


@pytest.mark.parametrize("semantics", ["merge", "replace"])
async def test_the_whole_map_of_custom_fields_survives_either_way(
    whmcs: Whmcs, switch: Callable[[str, str], Any], semantics: str
) -> None:
    switch("custom_fields_update", semantics)
    before = await clients.get_clients_details(whmcs, ISABELLA)
    fields = {**before.custom_fields, whmcs.settings.field_portal_marker: "op-0009"}
    await clients.update_client(whmcs, ISABELLA, ClientChange(), custom_fields=fields)
    after = await clients.get_clients_details(whmcs, ISABELLA)
    assert (after.customer_number, after.marker) == (before.customer_number, "op-0009")


async def test_an_unknown_client_is_refused_by_code(whmcs: Whmcs) -> None:
    with pytest.raises(SystemRefused) as caught:
        await clients.get_clients_details(whmcs, WhmcsClientId(999_999))
    assert caught.value.vendor_code == "client_not_found"


async def test_somebody_elses_details_are_a_surprise() -> None:
    body = b'{"result":"success","client":{"id":4712,"email":"x@mail.example","status":"Active"}}'
    async with raw_server(answer(200, body)) as server:
        whmcs = build_whmcs(WhmcsSettings(url=server.url))
        with pytest.raises(SystemSurprised):
            await clients.get_clients_details(whmcs, WhmcsClientId(4711))
        await whmcs.aclose()


async def test_a_login_names_the_user_not_the_client(whmcs: Whmcs) -> None:
    login = await users.validate_login(whmcs, "misaki.nakamura@mail.example", "whmcs-misaki-4001")
    assert (login.user_id, login.needs_second_factor) == (WhmcsUserId(905), False)
    (user,) = await users.get_users(whmcs, "misaki.nakamura@mail.example")
    assert user.id == login.user_id
    assert [(owned.client_id, owned.is_owner) for owned in user.clients] == [(WhmcsClientId(4001), True)]


async def test_a_wrong_password_is_said_by_name(whmcs: Whmcs) -> None:
    with pytest.raises(SignInWrong):
        await users.validate_login(whmcs, "misaki.nakamura@mail.example", "wrong")


async def test_a_second_factor_is_told(sandbox: Sandbox, whmcs: Whmcs) -> None:
    person = next(person for person in sandbox.world.people if person.two_factor)
    assert (await users.validate_login(whmcs, person.email, person.password)).needs_second_factor


@pytest.mark.parametrize(("name", "value"), QUIRKS)
async def test_users_read_the_same_in_every_shape(
    whmcs: Whmcs, switch: Callable[[str, str], Any], name: str, value: str
) -> None:
    usual = await users.get_users(whmcs, "misaki.nakamura@mail.example")
    switch(name, value)
    assert await users.get_users(whmcs, "misaki.nakamura@mail.example") == usual
    assert await users.get_users(whmcs, "misaki.nakamura@mail") == []


async def test_the_email_of_a_login_can_be_changed(whmcs: Whmcs) -> None:
    await users.update_user(whmcs, WhmcsUserId(905), email="misaki@new.example")
    assert [user.id for user in await users.get_users(whmcs, "misaki@new.example")] == [905]
    with pytest.raises(EmailTaken):
        await users.update_user(whmcs, WhmcsUserId(905), email="noah.berg@mail.example")

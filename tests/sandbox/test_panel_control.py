"""The control panel over a real socket: JSON for tests, forms and pages for people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from portico_sandbox.buttons import Button, ButtonRefused, Field
from portico_sandbox.freebit.control import BUTTONS as FREEBIT_BUTTONS
from portico_sandbox.freebit.seed import seed
from portico_sandbox.panel.app import build_app
from portico_sandbox.sandbox import Sandbox
from tests.sandbox.serving_apps import client_of, fresh_sandbox

PAGES = ("/", "/buttons", "/faults", "/people", "/ledger", "/mailbox")


async def greet(sandbox: Sandbox, given: dict[str, str]) -> dict[str, Any]:
    if given["name"] == "nobody":
        raise ButtonRefused("There is nobody to greet.")
    sandbox.ledger.record("whmcs", "Greet", given["name"], **given)
    return {"greeted": given["name"]}


GREET = Button(
    "greet",
    "Greet <somebody>",
    "whmcs",
    (
        Field("name", "Name"),
        Field("tone", "Tone", required=False, default="warm", choices=("warm", "cold")),
        Field("note", "Note", required=False),
    ),
    greet,
)


async def start_over(sandbox: Sandbox) -> None:
    sandbox.dials.clear()
    sandbox.store.clear()
    seed(sandbox)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    sandbox = fresh_sandbox(tmp_path)
    seed(sandbox)
    return sandbox


@pytest.fixture
async def panel(sandbox: Sandbox) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(build_app(sandbox, [GREET, *FREEBIT_BUTTONS], start_over)) as client:
        yield client


async def test_a_button_as_json(sandbox: Sandbox, panel: httpx2.AsyncClient) -> None:
    answer = await panel.post("/control/whmcs/greet", json={"name": "  Ken ", "note": 5})
    assert (answer.status_code, answer.json()) == (200, {"greeted": "Ken"})
    [line] = (await panel.get("/control/ledger", params={"system": "whmcs", "effect": "Greet"})).json()
    assert line["facts"] == {"name": "Ken", "tone": "warm", "note": "5"}
    assert (await panel.get("/control/ledger", params={"system": "freebit"})).json() == []


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("whmcs/greet", {}, "Name (name) is missing."),
        ("whmcs/greet", {"name": "nobody"}, "There is nobody to greet."),
        ("whmcs/greet", {"name": "Ken", "tone": "loud"}, "tone must be one of warm, cold."),
        ("whmcs/greet", {"name": "Ken", "nmae": "Ken"}, "greet has no field nmae."),
        ("whmcs/greet", {"name": ["Ken"]}, "name must be text or a number."),
        ("whmcs/great", {"name": "Ken"}, "whmcs has no button great."),
        ("freebit/finish-activation", {"line": "123"}, "Freebit knows no line"),
        ("dials", {"system": "fax", "mode": "down"}, "system must be one of"),
        ("dials", {"system": "whmcs", "mode": "upside-down"}, "mode must be one of"),
        ("dials", {"system": "whmcs", "mode": "down", "times": 0}, "times must be a whole number"),
        ("clock", {"hours": "soon"}, "hours must be a number."),
        ("clock", {}, "hours must be a number"),
    ],
)
async def test_what_makes_no_sense_is_said(panel: httpx2.AsyncClient, path: str, body: Any, said: str) -> None:
    answer = await panel.post(f"/control/{path}", json=body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


async def test_bodies_that_are_no_object(panel: httpx2.AsyncClient) -> None:
    for body in (b"[1]", b"{", b'"text"'):
        assert (await panel.post("/control/whmcs/greet", content=body)).status_code == 422


async def test_dials(sandbox: Sandbox, panel: httpx2.AsyncClient) -> None:
    await panel.post("/control/dials", json={"system": "whmcs", "mode": "slow", "seconds": 0.5, "call": "AddOrder"})
    await panel.post("/control/dials", json={"system": "freebit", "mode": "refuse", "times": 2, "code": "400-356"})
    whmcs, freebit = (await panel.get("/control/dials")).json()
    assert whmcs == {"system": "whmcs", "mode": "slow", "call": "AddOrder", "times": None, "seconds": 0.5, "code": ""}
    assert (freebit["times"], freebit["code"]) == (2, "400-356")
    assert "until turned back" in (await panel.get("/faults")).text

    assert (await panel.delete("/control/dials", params={"system": "whmcs"})).json() == [freebit]
    assert (await panel.delete("/control/dials")).json() == []
    assert sandbox.dials.active() == []


async def test_the_clock(sandbox: Sandbox, panel: httpx2.AsyncClient) -> None:
    moved = (await panel.post("/control/clock", json={"hours": 12})).json()
    assert (moved["offset_seconds"], moved["problem"]) == (12 * 3600, "")
    assert "12 h ahead" in (await panel.get("/")).text
    assert (await panel.post("/control/clock", json={"hours": -1.5})).json()["offset_seconds"] == 10.5 * 3600
    assert (await panel.post("/control/clock", json={"reset": True})).json()["offset_seconds"] == 0


async def test_a_portal_database_that_is_away_is_told(tmp_path: Path) -> None:
    sandbox = fresh_sandbox(tmp_path, portal_database_url="postgresql://portico@127.0.0.1:1/portico")
    async with client_of(build_app(sandbox, FREEBIT_BUTTONS, start_over)) as panel:
        moved = (await panel.post("/control/clock", json={"hours": 1})).json()
        assert moved["problem"].startswith("The portal's database did not take the new time:")
        assert sandbox.clock.offset.total_seconds() == 3600
        shown = await panel.post("/control/clock", data={"hours": "1", "back": "/"}, follow_redirects=True)
        assert "did not take the new time" in shown.text


async def test_reset(sandbox: Sandbox, panel: httpx2.AsyncClient) -> None:
    await panel.post("/control/whmcs/greet", json={"name": "Ken"})
    await panel.post("/control/clock", json={"hours": 12})
    await panel.post("/control/dials", json={"system": "whmcs", "mode": "down"})
    assert (await panel.post("/control/reset")).json() == {"reset": True, "problem": ""}
    assert (await panel.get("/control/ledger")).json() == []
    assert (await panel.get("/control/health")).json()["offset_seconds"] == 0
    assert sandbox.dials.active() == []


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_shows(panel: httpx2.AsyncClient, path: str) -> None:
    await panel.post("/control/whmcs/greet", json={"name": "<b>Ken</b>"})
    answer = await panel.get(path)
    assert answer.status_code == 200
    assert "<b>Ken</b>" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert 'aria-current="page"' in answer.text


async def test_forms_come_back_to_their_page_with_a_notice(panel: httpx2.AsyncClient) -> None:
    assert "Greet &lt;somebody&gt;" in (await panel.get("/buttons")).text
    pressed = await panel.post("/control/whmcs/greet", data={"name": "Ken", "back": "/buttons#whmcs"})
    assert pressed.status_code == 303
    assert pressed.headers["location"].startswith("/buttons?notice=")
    assert pressed.headers["location"].endswith("#whmcs")
    assert "greeted Ken" in (await panel.get(pressed.headers["location"])).text

    refused = await panel.post("/control/whmcs/greet", data={"name": "nobody"}, follow_redirects=True)
    assert "Not done" in refused.text
    assert "There is nobody to greet." in refused.text


async def test_the_way_back_stays_here(panel: httpx2.AsyncClient) -> None:
    for elsewhere in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        answer = await panel.post("/control/whmcs/greet", data={"name": "Ken", "back": elsewhere})
        assert answer.headers["location"].startswith("/?notice=")


async def test_other_sites_may_not_press(sandbox: Sandbox, panel: httpx2.AsyncClient) -> None:
    answer = await panel.post("/control/whmcs/greet", json={"name": "Ken"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert sandbox.ledger.lines() == []


async def test_unknown_addresses(panel: httpx2.AsyncClient) -> None:
    assert (await panel.get("/control/nothing")).json()["detail"]
    page = await panel.get("/nothing")
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (404, "text/html")


async def test_the_ledger_pages(sandbox: Sandbox, panel: httpx2.AsyncClient) -> None:
    for number in range(51):
        sandbox.ledger.record("freebit", "PA05-41 addAcnt", f"line-{number}")
    first, second = (await panel.get("/ledger?system=freebit")).text, (await panel.get("/ledger?page=2")).text
    assert "line-50<" in first
    assert "line-0<" not in first
    assert "line-0<" in second

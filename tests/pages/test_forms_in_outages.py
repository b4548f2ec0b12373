"""Each form of the portal sent while a system that it needs is away: nothing that was typed is lost."""

from __future__ import annotations

import httpx2
import pytest

from tests.fixtures.browser import Page
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until
from tests.house.conftest import Door
from tests.house.test_crawl import path_of
from tests.house.two_customers import Route, routes
from tests.pages.grid import LANGUAGES, english, faults_of
from tests.pages.sent_forms import FORMS

SENDS = [route for route in routes() if route.is_unsafe and not route.is_api and route.access in ("public", "customer")]
SECRET = "password"
UNKNOWN = ("/orders/pending-", "/support/pending-", "/sign-up/")
"""Where it is said that the outcome is not known yet."""


def test_every_form_is_here() -> None:
    assert {str(route) for route in SENDS} == FORMS.keys(), "tell sent_forms.py what is typed there"


@pytest.mark.parametrize("mode", ["down", "malformed"])
@pytest.mark.parametrize("system", ["whmcs", "salesforce"])
async def test_what_was_typed_is_kept(system: str, mode: str, door: Door, sandbox: SandboxControl) -> None:
    wrong, foreign = [], english()
    for route in [route for route in SENDS if system in FORMS[str(route)].needs]:
        for language in LANGUAGES:
            values = await filled_in(door, route)
            await sandbox.dial(system, mode)
            answer = await send(door, route, language, values)
            faults = faults_after(answer, route, language, door, foreign)
            await sandbox.undial(system)
            wrong += [f"{system} {mode}: {route} in {language} {fault}" for fault in faults]
    assert not wrong, "\n".join(wrong)


async def test_sent_again_it_arrives(door: Door, sandbox: SandboxControl) -> None:
    """The button on the page that says "later" sends the very same form."""
    route = next(route for route in SENDS if route.template == "/cart/items")
    before = (await door.owner.get("/api/v1/cart")).json()
    await sandbox.dial("salesforce", "down")
    refused = await send(door, route, "en", FORMS[str(route)].typed)
    assert refused.status_code == 503
    await sandbox.undial("salesforce")
    form = Page(refused).form("/cart/items")

    async def arrives() -> bool:
        answer = await door.owner.post("/cart/items", data=form.values)
        return answer.status_code == 303

    await until(arrives)
    after = (await door.owner.get("/api/v1/cart")).json()
    assert len(after["items"]) > len(before["items"])
    assert any(item["options"].get("eid") == form.values["eid"] for item in after["items"])


async def test_a_password_is_never_shown_again(door: Door, sandbox: SandboxControl) -> None:
    for template in ("/sign-up", "/link"):
        route = next(route for route in SENDS if route.template == template)
        await sandbox.dial("salesforce", "down")
        await sandbox.dial("whmcs", "down")
        answer = await send(door, route, "en", FORMS[str(route)].typed)
        await sandbox.undial()
        assert FORMS[str(route)].typed[SECRET] not in answer.text


async def filled_in(door: Door, route: Route) -> dict[str, str]:
    """What a browser would send: what the page has put into the form, and what is typed."""
    sent = FORMS[str(route)]
    if not sent.page:
        return sent.typed
    page = Page(await door.owner.get(sent.page))
    return {**page.form(route.template).values, **sent.typed}


async def send(door: Door, route: Route, language: str, values: dict[str, str]) -> httpx2.Response:
    visitor = door.nobody if route.access == "public" else door.owner
    headers = {"accept": "text/html", "accept-language": language}
    return await visitor.post(path_of(route, door), data=values, headers=headers)


def faults_after(answer: httpx2.Response, route: Route, language: str, door: Door, foreign: list[str]) -> list[str]:
    if answer.status_code == 303 and answer.headers["location"].startswith(UNKNOWN):
        return []
    if answer.status_code not in (502, 503) or not answer.headers.get("retry-after"):
        return [f"answers {answer.status_code}, retry-after {answer.headers.get('retry-after')}"]
    typed = {name: value for name, value in FORMS[str(route)].typed.items() if SECRET not in name}
    lost = sorted(typed.items() - kept(answer))
    faults = faults_of(answer, language, door.portal.settings.portal.url, foreign)
    return [*faults, *([f"loses {lost}"] if lost else [])]


def kept(answer: httpx2.Response) -> set[tuple[str, str]]:
    """What the forms of this page would send."""
    return {(name, value) for form in Page(answer).forms for name, value in form.values.items()}

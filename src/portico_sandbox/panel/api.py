"""`/control/…`: everything the panel can do, for forms and for tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from portico_sandbox.buttons import Button, ButtonRefused
from portico_sandbox.panel.portal_clock import tell_portal
from portico_sandbox.panel.render import Notices
from portico_sandbox.panel.requests import Input, PanelRequest, answered, input_of, refused, text_fields
from portico_sandbox.panel.turning import clear_dials, clock_facts, move_clock, turn_dial, turned
from portico_sandbox.sandbox import Sandbox

Reset = Callable[[Sandbox], Awaitable[None]]
_Done = tuple[str, Any]  # a sentence for the page, facts for JSON


def routes(sandbox: Sandbox, buttons: Sequence[Button], reset: Reset, notices: Notices) -> list[HTTPRouteHandler]:
    async def served(request: PanelRequest, work: Callable[[dict[str, str]], Awaitable[_Done]]) -> Response[Any]:
        given = Input({}, is_form=False)
        try:
            given = await input_of(request)
            return answered(given, notices, *await work(text_fields(given.values)))
        except ButtonRefused as refusal:
            return refused(given, notices, str(refusal))

    @post("/control/{system:str}/{name:str}", status_code=200)
    async def press(request: PanelRequest, system: FromPath[str], name: FromPath[str]) -> Response[Any]:
        async def work(values: dict[str, str]) -> _Done:
            button = button_named(buttons, system, name)
            facts = await button.press(sandbox, _fields_of(button, values))
            return f"{button.label}: {_in_words(facts)}", facts

        return await served(request, work)

    @post("/control/reset", status_code=200)
    async def start_over(request: PanelRequest) -> Response[Any]:
        async def work(_values: dict[str, str]) -> _Done:
            await reset(sandbox)
            problem = await tell_portal(sandbox)
            return f"The world starts over. {problem}", {"reset": True, "problem": problem}

        return await served(request, work)

    return [press, start_over, *_dial_routes(sandbox, served), *_clock_routes(sandbox, served), *_reads(sandbox)]


def button_named(buttons: Sequence[Button], system: str, name: str) -> Button:
    for button in buttons:
        if (button.system, button.name) == (system, name):
            return button
    known = ", ".join(button.name for button in buttons if button.system == system)
    raise ButtonRefused(f"{system} has no button {name}. It has: {known or 'none'}.")


_Served = Callable[[PanelRequest, Callable[[dict[str, str]], Awaitable[_Done]]], Awaitable[Response[Any]]]


def _dial_routes(sandbox: Sandbox, served: _Served) -> list[HTTPRouteHandler]:
    @get("/control/dials")
    async def dials() -> list[dict[str, Any]]:
        return turned(sandbox)

    @post("/control/dials", status_code=200)
    async def turn(request: PanelRequest) -> Response[Any]:
        async def work(values: dict[str, str]) -> _Done:
            dial = turn_dial(sandbox, values)
            return f"{dial.system} is now {dial.mode} ({dial.call}).", turned(sandbox)

        return await served(request, work)

    @delete("/control/dials", status_code=200)
    async def clear(request: PanelRequest, system: FromQuery[str] = "") -> Response[Any]:
        async def work(_values: dict[str, str]) -> _Done:
            clear_dials(sandbox, system)
            return "", turned(sandbox)

        return await served(request, work)

    @post("/control/dials/clear", status_code=200)
    async def clear_by_form(request: PanelRequest) -> Response[Any]:
        async def work(values: dict[str, str]) -> _Done:
            clear_dials(sandbox, values.get("system", ""))
            return f"Turned back: {values.get('system') or 'all dials'}.", turned(sandbox)

        return await served(request, work)

    return [dials, turn, clear, clear_by_form]


def _clock_routes(sandbox: Sandbox, served: _Served) -> list[HTTPRouteHandler]:
    @get("/control/clock")
    async def clock() -> dict[str, Any]:
        return clock_facts(sandbox)

    @post("/control/clock", status_code=200)
    async def move(request: PanelRequest) -> Response[Any]:
        async def work(values: dict[str, str]) -> _Done:
            facts = await move_clock(sandbox, values)
            return f"The clock was moved. {facts['problem']}", facts

        return await served(request, work)

    return [clock, move]


def _reads(sandbox: Sandbox) -> list[HTTPRouteHandler]:
    @get("/control/ledger")
    async def ledger(system: FromQuery[str] = "", effect: FromQuery[str] = "") -> list[dict[str, Any]]:
        return sandbox.ledger.lines(system or None, effect or None)

    @get("/control/health")
    async def health() -> dict[str, Any]:
        return {"ready": True, "people": len(sandbox.world.people), **clock_facts(sandbox)}

    return [ledger, health]


def _fields_of(button: Button, values: dict[str, str]) -> dict[str, str]:
    """Every field of the button by name; unknown ones are refused, so that a typing error is not silently nothing."""
    unknown = sorted(values.keys() - {field.name for field in button.fields})
    if unknown:
        known = ", ".join(field.name for field in button.fields)
        raise ButtonRefused(f"{button.name} has no field {', '.join(unknown)}. It has: {known or 'none'}.")
    fields = {}
    for field in button.fields:
        value = values.get(field.name) or field.default
        if field.required and not value:
            raise ButtonRefused(f"{field.label} ({field.name}) is missing.")
        if field.choices and value and value not in field.choices:
            raise ButtonRefused(f"{field.name} must be one of {', '.join(field.choices)}.")
        fields[field.name] = value
    return fields


def _in_words(facts: dict[str, Any]) -> str:
    words = [f"{name.replace('_', ' ')} {value}" for name, value in facts.items() if value not in (None, "", [], {})]
    return ", ".join(words) or "done"

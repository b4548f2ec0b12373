"""The panel's pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from portico_sandbox.buttons import Button
from portico_sandbox.panel.desk import desk_of
from portico_sandbox.panel.render import Notices, page
from portico_sandbox.panel.turning import MODES, SYSTEMS
from portico_sandbox.sandbox import Sandbox

LINES_PER_PAGE = 50

SYSTEM_NAMES = {
    "salesforce": "Salesforce",
    "pubsub": "Salesforce change events",
    "whmcs": "WHMCS",
    "freebit": "Freebit",
}

MODE_WORDS = {
    "down": "answers 503 with an HTML page",
    "slow": "answers after the given seconds",
    "error": "answers its own internal error",
    "commit_then_hang": "does the work, never answers",
    "malformed": "does the work, answers rubbish",
    "refuse": "refuses with the given code",
    "drop_events": "events are lost",
    "duplicate_events": "events come twice",
}

ROLES = {
    "ready": ("Portal customers", "Sign in at the portal with e-mail and password."),
    "free": ("Free customer numbers", "Sign up at the portal with the number and its postal code."),
    "whmcs_user": ("WHMCS users without a portal user", "Link at the portal with WHMCS e-mail and password."),
    "other": ("Awkward cases", "Nobody here gets in: each stops for a reason."),
}


def routes(sandbox: Sandbox, buttons: Sequence[Button], notices: Notices) -> list[HTTPRouteHandler]:
    def shown(here: str, notice: str, **context: Any) -> Response[str]:
        return page(sandbox, f"panel/{here}.html", here=here, notice=notices.get(notice), **context)

    @get("/")
    async def desk_page(notice: FromQuery[str] = "") -> Response[str]:
        recent = sandbox.ledger.lines()[:-7:-1]
        return shown("desk", notice, desk=desk_of(sandbox, buttons), recent=recent)

    @get("/buttons")
    async def button_page(notice: FromQuery[str] = "") -> Response[str]:
        by_system = {system: [b for b in buttons if b.system == system] for system in SYSTEM_NAMES}
        return shown("buttons", notice, by_system={s: b for s, b in by_system.items() if b}, names=SYSTEM_NAMES)

    @get("/faults")
    async def faults(notice: FromQuery[str] = "") -> Response[str]:
        dials = sandbox.dials.active()
        return shown("faults", notice, dials=dials, systems=SYSTEMS, modes=MODES, names=SYSTEM_NAMES, words=MODE_WORDS)

    @get("/people")
    async def people(notice: FromQuery[str] = "") -> Response[str]:
        groups = [
            (*ROLES[role], role, [person for person in sandbox.world.people if person.role == role]) for role in ROLES
        ]
        return shown("people", notice, groups=groups)

    @get("/ledger")
    async def ledger(
        system: FromQuery[str] = "",
        number: Annotated[int, QueryParameter(name="page", ge=1)] = 1,
        notice: FromQuery[str] = "",
    ) -> Response[str]:
        lines = sandbox.ledger.lines(system or None)[::-1]
        last = max(1, -(-len(lines) // LINES_PER_PAGE))
        part = lines[(number - 1) * LINES_PER_PAGE : number * LINES_PER_PAGE]
        systems = sorted({line["system"] for line in sandbox.ledger.lines()})
        return shown(
            "ledger", notice, lines=part, total=len(lines), system=system, systems=systems, page=number, last=last
        )

    return [desk_page, button_page, faults, people, ledger]

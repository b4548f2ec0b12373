"""The mailbox in a browser, and as JSON for tests."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from portico_sandbox.mailbox.messages import message_for, messages_to
from portico_sandbox.panel.render import page
from portico_sandbox.sandbox import Sandbox

PER_PAGE = 25


def routes(sandbox: Sandbox) -> list[HTTPRouteHandler]:
    @get("/mailbox")
    async def inbox(
        to: FromQuery[str] = "", number: Annotated[int, QueryParameter(name="page", ge=1)] = 1
    ) -> Response[str]:
        messages = messages_to(sandbox, to)
        shown = messages[(number - 1) * PER_PAGE : number * PER_PAGE]
        last = max(1, -(-len(messages) // PER_PAGE))
        return page(sandbox, "mailbox/inbox.html", messages=shown, total=len(messages), to=to, page=number, last=last)

    @get("/mailbox/{number:int}")
    async def message(number: FromPath[int]) -> Response[str]:
        row = message_for(sandbox, number)
        if row is None:
            raise NotFoundException("There is no such message. A reset empties the mailbox.")
        return page(sandbox, "mailbox/message.html", message=row)

    @get("/mailbox.json")
    async def as_json(to: FromQuery[str] = "") -> list[dict[str, Any]]:
        return messages_to(sandbox, to)

    return [inbox, message, as_json]

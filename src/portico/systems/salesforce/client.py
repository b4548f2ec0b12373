"""How Salesforce is called: token, errors, paging. The only file that knows its REST addresses."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from portico.errors import NotFound, SetupWrong, SystemDown, SystemRefused, SystemSurprised
from portico.settings import SalesforceFields, SalesforceSettings
from portico.systems.http import Door, Limits, Reply, deadline
from portico.systems.salesforce.budget import Budget
from portico.systems.salesforce.errors import SYSTEM, CallsSpent, RowLocked, error_in, error_of, faults_in
from portico.systems.salesforce.exact_json import NotJson, decode, encode
from portico.systems.salesforce.rows import Row
from portico.systems.salesforce.sf_id import normalized
from portico.systems.salesforce.token import Token, TokenHolder

_LOCK_PAUSES = (0.1, 3.0)
"""Seconds before the second attempt at a locked row, at most; doubled each time up to the other figure."""
_MOST_PAGES = 500

Result = TypeVar("Result")


@dataclass(frozen=True)
class Part:
    """One request of a composite call. `path` starts below `/services/data/vNN.0`."""

    reference: str
    method: str
    path: str
    body: Mapping[str, Any]


@dataclass
class Salesforce:
    """The connection to one org. `currency` is that of its pricebook and orders."""

    door: Door
    settings: SalesforceSettings
    fields: SalesforceFields
    token: TokenHolder
    budget: Budget
    currency: str
    batch_size: int = 2000
    """Rows that a page of a query may hold; Salesforce may choose fewer."""

    async def ping(self) -> None:
        """Whether token and REST work. Raises as every call does."""
        await self._json("GET", "/limits", name="limits", repeatable=True)

    async def aclose(self) -> None:
        await self.door.aclose()

    async def query(self, statement: str, *, name: str, deleted: bool = False) -> list[Row]:
        """All rows of a SOQL statement (made by `soql`), page by page. `deleted`: those in the recycle bin too."""
        path = f"/{'queryAll' if deleted else 'query'}?q={quote(statement, safe='')}"
        try:
            return [row async for row in self._pages(path, name)]
        except SystemRefused as refused:
            if refused.vendor_code != "INVALID_QUERY_LOCATOR":
                raise
        # The cursor died between two pages; the statement itself is still good.
        return [row async for row in self._pages(path, name)]

    async def children(self, row: Row, relationship: str, *, name: str) -> list[Row]:
        """The rows of a child subquery, with the pages that did not come along."""
        nested = row.page(relationship)
        if nested is None:
            return []
        first, following = _page_of(nested)
        if following is None:
            return first
        return first + [row async for row in self._pages(following, name)]

    async def update(self, entity: str, record_id: str, values: Mapping[str, Any], *, name: str) -> None:
        """Sets fields of one record. Repeating does no harm. Raises NotFound where there is no such record."""
        await self.call("PATCH", f"/sobjects/{entity}/{record_id}", name=name, repeatable=True, body=values)

    async def create(self, entity: str, values: Mapping[str, Any], *, name: str) -> str:
        """Creates one record, in a call that is never repeated blindly; answers its id.

        Raises SystemRefused as a definite "no"; SystemDown(sent=True) or SystemSurprised where nobody can tell.
        """
        reply = await self.call("POST", f"/sobjects/{entity}", name=name, repeatable=False, body=values)
        try:
            return normalized(json_in(reply, name)["id"])
        except (TypeError, KeyError, ValueError) as error:
            raise SystemSurprised(SYSTEM, f"{name}: created without an id", body=reply.body) from error

    async def composite(self, parts: list[Part], *, name: str) -> dict[str, Any]:
        """All parts or none, in one call that is never repeated blindly; answers the bodies by reference.

        Raises SystemRefused with the faults of the part that failed; SystemDown(sent=True) or SystemSurprised where
        nobody can tell whether it was done.
        """
        base = self._path("")
        requests = [
            {"referenceId": part.reference, "method": part.method, "url": base + part.path, "body": part.body}
            for part in parts
        ]
        body = {"allOrNone": True, "collateSubrequests": False, "compositeRequest": requests}

        async def send() -> dict[str, Any]:
            answer = await self._once_as_json("POST", "/composite", name=name, repeatable=False, body=body)
            return _bodies_of(answer, parts)

        return await self._despite_locks(send)

    async def _pages(self, path: str, name: str) -> AsyncIterator[Row]:
        for _ in range(_MOST_PAGES):
            rows, following = _page_of(await self._json("GET", path, name=name, repeatable=True))
            for row in rows:
                yield row
            if following is None:
                return
            path = following
        raise SystemSurprised(SYSTEM, f"{name}: pages without end")

    async def _json(self, method: str, path: str, *, name: str, repeatable: bool) -> Any:
        try:
            return json_in(await self.call(method, path, name=name, repeatable=repeatable), name)
        except NotFound:
            # Nobody asked for a record: the address itself is unknown there.
            raise SetupWrong(SYSTEM, f"{name}: no such address, is SALESFORCE_API_VERSION right?") from None

    async def _once_as_json(self, method: str, path: str, *, name: str, repeatable: bool, body: Any) -> Any:
        return json_in(await self._once(method, path, name=name, repeatable=repeatable, body=body), name)

    async def call(self, method: str, path: str, *, name: str, repeatable: bool, body: Any = None) -> Reply:
        """One request below `/services/data/vNN.0`; answers a success only. Raises what errors.py makes of the rest."""
        return await self._despite_locks(lambda: self._once(method, path, name=name, repeatable=repeatable, body=body))

    async def _despite_locks(self, act: Callable[[], Awaitable[Result]]) -> Result:
        """Repeats what found its row locked: nothing was written then. Jittered, for as long as the settings say, and
        within the deadline."""
        loop = asyncio.get_running_loop()
        end = min(loop.time() + self.settings.lock_seconds, deadline.get() or math.inf)
        longest, most = _LOCK_PAUSES
        while True:
            try:
                return await act()
            except RowLocked:
                pause = random.uniform(longest / 2, longest)  # noqa: S311
                if loop.time() + pause >= end:
                    raise
            await asyncio.sleep(pause)
            longest = min(longest * 2, most)

    async def _once(self, method: str, path: str, *, name: str, repeatable: bool, body: Any) -> Reply:
        """One call; after a 401 the token is minted anew and the call replayed once (a 401 did nothing)."""
        self.budget.admit(name)
        content = None if body is None else encode(body)
        token = await self.token.get()
        reply = await self._send(token, method, path, name, repeatable, content)
        if reply.status == 401:
            token = await self.token.renew(token)
            reply = await self._send(token, method, path, name, repeatable, content)
        error = error_in(reply)
        if isinstance(error, CallsSpent) and error.for_today:
            self.budget.spent()
        if error is not None:
            raise error
        return reply

    async def _send(
        self, token: Token, method: str, path: str, name: str, repeatable: bool, content: bytes | None
    ) -> Reply:
        headers = {
            "Authorization": f"Bearer {token.secret}",
            "Accept": "application/json",
            "Sforce-Call-Options": f"client={self.settings.client_name}",
            "Sforce-Query-Options": f"batchSize={self.batch_size}",
        }
        if content is not None:
            headers["Content-Type"] = "application/json"
        url = token.instance_url + self._path(path)
        reply = await self.door.call(method, url, name=name, repeatable=repeatable, headers=headers, content=content)
        self.budget.note(reply)
        return reply

    def _path(self, path: str) -> str:
        return path if path.startswith("/services/") else f"/services/data/v{self.settings.api_version}{path}"


def build_salesforce(settings: SalesforceSettings, fields: SalesforceFields, currency: str) -> Salesforce:
    """`currency` is the portal's (PORTAL_CURRENCY). Nothing is called yet."""
    limits = Limits(
        connect_seconds=settings.connect_seconds,
        read_seconds=settings.read_seconds,
        write_seconds=settings.write_seconds,
        concurrency=settings.concurrency,
    )
    door = Door(SYSTEM, settings.login_url, limits, ca_path=settings.ca_path)
    budget = Budget(settings.reserved_calls_percent, settings.spent_pause_seconds)
    return Salesforce(door, settings, fields, TokenHolder(door, settings), budget, currency)


def json_in(reply: Reply, name: str) -> Any:
    try:
        return decode(reply.body)
    except NotJson as error:
        raise SystemSurprised(SYSTEM, f"{name}: not JSON", body=reply.body) from error


def _page_of(answer: Any) -> tuple[list[Row], str | None]:
    """The rows of a query answer and the path of its next page, if any."""
    match answer:
        case {"done": True, "records": list(records)} if all(isinstance(record, dict) for record in records):
            return [Row(record) for record in records], None
        case {"done": False, "records": list(records), "nextRecordsUrl": str(path)} if path.startswith("/services/"):
            return [Row(record) for record in records], path
    raise SystemSurprised(SYSTEM, "not a query answer", body=encode(answer))


def _bodies_of(answer: Any, parts: list[Part]) -> dict[str, Any]:
    """The bodies of a composite answer by reference. A part that failed makes the whole an error."""
    try:
        entries = {entry["referenceId"]: entry for entry in answer["compositeResponse"]}
        bodies = [entries[part.reference]["body"] for part in parts]
        statuses = [int(entries[part.reference]["httpStatusCode"]) for part in parts]
    except (TypeError, KeyError, ValueError) as error:
        raise SystemSurprised(SYSTEM, "not a composite answer", body=encode(answer)) from error
    faults = [fault for body in bodies for fault in faults_in(body) + _faults_in_rows(body)]
    if not faults and all(200 <= status < 300 for status in statuses):
        return {part.reference: body for part, body in zip(parts, bodies, strict=True)}
    # "All or none" held only if no part claims success beside the failure of another.
    if not faults or any(_claims_success(body) for body in bodies):
        raise SystemSurprised(SYSTEM, "composite answer in two minds", body=encode(answer))
    if max(statuses) >= 500:
        raise SystemDown(SYSTEM, "; ".join(map(str, faults))[:1000])
    raise error_of(faults)


def _faults_in_rows(body: Any) -> list[Any]:
    """Faults of a collection's rows: each row has a list of its own."""
    rows = body if isinstance(body, list) else []
    return [fault for row in rows if isinstance(row, dict) for fault in faults_in(row.get("errors"))]


def _claims_success(body: Any) -> bool:
    return isinstance(body, dict) and body.get("success") is True

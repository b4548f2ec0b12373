"""The envelope, the credentials, and answers that are none of WHMCS's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from portico.errors import PorticoError, SetupWrong, SystemDown, SystemSurprised
from portico.settings import WhmcsSettings
from portico.systems.whmcs.client import Whmcs, build_whmcs, call, call_for_all, ping
from portico_sandbox.dials import Dial
from portico_sandbox.sandbox import Sandbox
from tests.systems.raw_server import Script, answer, hang, raw_server, reset
from tests.systems.whmcs.conftest import settings_for

SUCCESS = json.dumps({"result": "success"}).encode()


@asynccontextmanager
async def answering(*scripts: Script, **settings: Any) -> AsyncIterator[Whmcs]:
    async with raw_server(*scripts) as server:
        whmcs = build_whmcs(WhmcsSettings(**{"url": server.url, "read_seconds": 0.2, "write_seconds": 0.2, **settings}))
        try:
            yield whmcs
        finally:
            await whmcs.aclose()


async def outcome_of(reading: Callable[[], Awaitable[Any]]) -> type[PorticoError]:
    with pytest.raises(PorticoError) as caught:
        await reading()
    return type(caught.value)


async def read(whmcs: Whmcs) -> Any:
    return await call(whmcs, "GetInvoices", {}, repeatable=True)


async def write(whmcs: Whmcs) -> Any:
    return await call(whmcs, "AddOrder", {}, repeatable=False)


async def test_ping_tells_the_version(whmcs: Whmcs) -> None:
    assert (await ping(whmcs)).startswith("8.")


async def test_wrong_credentials_are_a_wrong_set_up(sandbox: Sandbox) -> None:
    whmcs = build_whmcs(settings_for(sandbox, secret="wrong"))
    assert await outcome_of(lambda: ping(whmcs)) is SetupWrong
    await whmcs.aclose()


async def test_credentials_travel_in_the_body_only() -> None:
    async with raw_server(answer(200, SUCCESS)) as server:
        secrets: dict[str, Any] = {
            "identifier": SecretStr("me"),
            "secret": SecretStr("s3cret"),
            "access_key": SecretStr("key"),
        }
        whmcs = build_whmcs(WhmcsSettings(url=server.url, **secrets))
        with capture_logs() as lines:
            await call(whmcs, "GetInvoices", {"userid": 1}, repeatable=True)
        await whmcs.aclose()
    assert server.heads[0].startswith(b"POST /includes/api.php HTTP/1.1")
    assert b"s3cret" not in server.heads[0]
    assert "s3cret" not in str(lines)
    form = {name: values[0] for name, values in parse_qs(server.bodies[0].decode()).items()}
    credentials = {"identifier": "me", "secret": "s3cret", "accesskey": "key"}
    assert form == {"action": "GetInvoices", "userid": "1", "responsetype": "json", **credentials}


# Body, HTTP status, what it is for a read and for a write.
STRANGE: list[tuple[bytes, int, type[PorticoError]]] = [
    (b"<html>Down for Maintenance</html>", 200, SystemSurprised),
    (b"", 200, SystemSurprised),
    (b'{"result":"success","clien', 200, SystemSurprised),
    (b'{"result":"success","city":"M\xfcnchen"}', 200, SystemSurprised),
    (b"[]", 200, SystemSurprised),
    (b'"success"', 200, SystemSurprised),
    (b"null", 200, SystemSurprised),
    (b"{}", 200, SystemSurprised),
    (b'{"clientid": 1}', 200, SystemSurprised),
    (b'{"result": true}', 200, SystemSurprised),
    (b'{"result": "perhaps"}', 200, SystemSurprised),
    (b'{"result": "success", "n": NaN}', 200, SystemSurprised),
    (b"[" * 100_000, 200, SystemSurprised),
    (b'{"a":' * 100_000, 200, SystemSurprised),
    (b"result=success;clientid=1;", 200, SystemSurprised),
    (b"<html>bot?</html>", 403, SetupWrong),
    (b"<html>not here</html>", 404, SetupWrong),
    (b"", 302, SystemDown),
    (b"<html>output has already been emitted</html>", 500, SystemDown),
    (b"slow down", 429, SystemDown),
    (b"<html>Maintenance</html>", 503, SystemDown),
    (b"<html>Bad gateway</html>", 502, SystemDown),
    (b"<html>strange</html>", 418, SystemSurprised),
]


@pytest.mark.parametrize(("body", "status", "becomes"), STRANGE, ids=range(len(STRANGE)))
@pytest.mark.parametrize("use", [read, write])
async def test_what_is_no_answer_of_whmcs_never_passes(
    use: Callable[[Whmcs], Awaitable[Any]], body: bytes, status: int, becomes: type[PorticoError]
) -> None:
    async with answering(answer(status, body, Retry_After="60")) as whmcs:
        assert await outcome_of(lambda: use(whmcs)) is becomes


@pytest.mark.parametrize("script", [hang, reset])
async def test_a_write_that_got_no_answer_may_have_happened(script: Script) -> None:
    async with answering(script) as whmcs:
        with pytest.raises(SystemDown) as caught:
            await write(whmcs)
    assert caught.value.sent


async def test_a_write_is_sent_once_and_a_read_again() -> None:
    async with raw_server(answer(503, b""), answer(200, SUCCESS)) as server:
        whmcs = build_whmcs(WhmcsSettings(url=server.url))
        assert await outcome_of(lambda: write(whmcs)) is SystemDown
        await read(whmcs)
        await whmcs.aclose()
    assert len(server.heads) == 2
    async with raw_server(answer(503, b""), answer(200, SUCCESS)) as server:
        whmcs = build_whmcs(WhmcsSettings(url=server.url))
        await read(whmcs)
        await whmcs.aclose()
    assert len(server.heads) == 2


async def test_a_write_with_a_warning_is_not_confirmed_a_read_with_one_is_fine() -> None:
    body = json.dumps({"result": "success", "warning": "Payment information could not be verified."}).encode()
    async with answering(answer(200, body)) as whmcs:
        assert await outcome_of(lambda: write(whmcs)) is SystemSurprised
        assert (await read(whmcs))["result"] == "success"


async def test_an_error_may_be_called_status() -> None:
    body = json.dumps({"status": "error", "message": "Client Not Found"}).encode()
    async with answering(answer(200, body)) as whmcs:
        with pytest.raises(PorticoError, match="client_not_found"):
            await read(whmcs)


async def test_a_body_with_a_byte_order_mark_is_read() -> None:
    async with answering(answer(200, b"\xef\xbb\xbf" + SUCCESS)) as whmcs:
        await write(whmcs)


async def test_rows_that_were_announced_and_not_sent_are_no_empty_list() -> None:
    body = json.dumps({"result": "success", "totalresults": "3", "invoices": ""}).encode()
    async with answering(answer(200, body)) as whmcs:
        assert (
            await outcome_of(lambda: call_for_all(whmcs, "GetInvoices", {}, "invoices", "invoice")) is SystemSurprised
        )


async def all_things(whmcs: Whmcs, container: str = "things", item: str = "thing") -> list[Any]:
    return await call_for_all(whmcs, "GetThings", {}, container, item)


def page_of(*ids: int, total: int) -> Script:
    rows = [{"id": each} for each in ids]
    return answer(200, json.dumps({"result": "success", "totalresults": total, "things": {"thing": rows}}).encode())


async def test_pages_go_on_by_what_came_and_each_id_counts_once() -> None:
    # The server caps pages at two rows, and a new row pushes one over the edge in between.
    pages = (page_of(5, 4, total=4), page_of(4, 3, total=5), page_of(2, total=5))
    async with answering(*pages) as whmcs:
        found = await all_things(whmcs)
    assert [row["id"] for row in found] == [5, 4, 3, 2]


async def test_pages_without_end_are_a_surprise() -> None:
    async with answering(page_of(1, total=10**6)) as whmcs:
        assert await outcome_of(lambda: all_things(whmcs)) is SystemSurprised


@pytest.mark.parametrize(
    ("mode", "code", "becomes"),
    [
        ("down", "", SystemDown),
        ("error", "", SystemDown),
        ("malformed", "", SystemSurprised),
        ("malformed", "html", SystemSurprised),
        ("malformed", "empty", SystemSurprised),
        ("malformed", "latin1", SystemSurprised),
        ("refuse", "Invalid IP 203.0.113.9", SetupWrong),
    ],
)
async def test_each_dial_has_its_error(
    sandbox: Sandbox, whmcs: Whmcs, mode: Any, code: str, becomes: type[PorticoError]
) -> None:
    sandbox.dials.turn(Dial("whmcs", mode, code=code))
    assert await outcome_of(lambda: ping(whmcs)) is becomes

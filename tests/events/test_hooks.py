"""`POST /hooks/whmcs`: only what is signed just now with a secret of ours; once; answered after the commit."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import psycopg
import pytest
from standardwebhooks.webhooks import Webhook

from portico.events import drain
from portico.inbox import Event
from portico.portal import Portal
from tests.caching import Origin, thing_for
from tests.events.conftest import NEXT_SECRET, NOW_SECRET, OLD_SECRET, Front
from tests.fixtures.until import until

PAID = {"event": "InvoicePaid", "whmcs_client_id": 4711, "ids": {"invoice": 8801}, "at": "2026-05-03T09:15:00+09:00"}


async def post(
    front: Front,
    said: Any = PAID,
    *,
    id: str = "msg_1",  # noqa: A002
    secret: str = NOW_SECRET,
    moved: float = 0,
    **headers: str,
) -> httpx2.Response:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    now = datetime.now(UTC) + timedelta(seconds=moved)
    signed = {
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, now, body.decode("utf-8", "replace")),
        "content-type": "application/json",
    }
    kept = {name: value for name, value in {**signed, **headers}.items() if value}
    raw = {name.encode(): value.encode() for name, value in kept.items()}
    return await front.client.post("/hooks/whmcs", content=body, headers=raw)


@pytest.mark.parametrize("secret", [NOW_SECRET, NEXT_SECRET])
async def test_a_hook_is_stored_as_ids_only_and_a_drain_deferred_with_it(front: Front, secret: str) -> None:
    answer = await post(front, {**PAID, "password": "never", "source": "prod"}, secret=secret)
    assert (answer.status_code, answer.content) == (202, b"")
    [row] = await front.rows("SELECT source, external_id, kind, body, stage, xmin::text FROM inbox")
    [job] = await front.rows("SELECT task_name, queue_name, lock, status::text, xmin::text FROM procrastinate_jobs")
    assert (row["source"], row["external_id"], row["kind"], row["stage"]) == ("whmcs", "msg_1", "InvoicePaid", 0)
    assert row["body"] == {"whmcs_client_id": 4711, "ids": {"invoice": 8801}}
    assert (job["task_name"], job["queue_name"], job["lock"]) == ("drain_inbox", "events", "drain")
    assert row["xmin"] == job["xmin"], "one transaction: neither can exist without the other"


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"secret": OLD_SECRET}, 401),
        ({"moved": -400}, 401),
        ({"moved": 400}, 401),
        ({"webhook-signature": ""}, 401),
        ({"webhook-id": ""}, 401),
        ({"webhook-timestamp": ""}, 401),
        ({"webhook-id": "msg_other"}, 401),
        ({"webhook-signature": "v1,AAAA"}, 401),
        ({"webhook-signature": "v1,\u00e4"}, 401),
        ({"webhook-timestamp": "soon"}, 401),
        ({"said": b"not json"}, 400),
        ({"said": b"[]"}, 400),
        ({"said": {"event": 5}}, 400),
        ({"said": {**PAID, "ids": {"invoice": "DROP"}}}, 400),
        ({"said": {**PAID, "more": "x" * 20_000}}, 413),
    ],
    ids=str,
)
async def test_anything_else_is_refused_and_leaves_nothing(front: Front, how: dict[str, Any], status: int) -> None:
    answer = await post(front, **how)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert await front.stages() == [] and await front.rows("SELECT 1 FROM procrastinate_jobs") == []


async def test_a_body_without_an_end_is_not_read_to_its_end(front: Front) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 400:
            sent += 1
            yield b"x" * 1000

    answer = await front.client.post("/hooks/whmcs", content=endless(), headers={"webhook-id": "1"})
    assert answer.status_code == 413
    assert sent < 50, "20 kB are 20 of them"
    assert await front.stages() == []


async def test_a_flipped_bit_anywhere_is_refused(front: Front) -> None:
    body, now = json.dumps(PAID).encode(), datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(NOW_SECRET).sign("msg_1", now, body.decode()),
    }
    for place in range(0, len(body), 7):
        flipped = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert (await front.client.post("/hooks/whmcs", content=flipped, headers=headers)).status_code == 401
    assert await front.stages() == []


async def test_a_duplicate_is_welcome_and_changes_nothing(front: Front) -> None:
    answers = await asyncio.gather(*(post(front) for _ in range(8)), *(post(front, moved=-60) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {202}
    assert await front.stages() == [0]
    assert len(await front.rows("SELECT 1 FROM procrastinate_jobs")) == 1


async def test_an_event_that_nobody_knows_is_stored_all_the_same(front: Front) -> None:
    assert (await post(front, {"event": "Unheard"})).status_code == 202
    assert await front.stages() == [0]


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_stored_is_what_was_valid_once_each(front: Front, seed: int) -> None:
    """Any mixture, in any order."""
    draw = random.Random(seed)
    valid = set()
    for _ in range(60):
        webhook_id = f"msg_{draw.randrange(20)}"
        how = draw.choice([{}, {}, {"secret": OLD_SECRET}, {"moved": 900}, {"webhook-id": "msg_x"}, {"said": b"{"}])
        answer = await post(front, id=webhook_id, **how)  # type: ignore[arg-type]
        assert (answer.status_code == 202) == (how == {})
        if not how:
            valid.add(webhook_id)
    stored = [row["external_id"] for row in await front.rows("SELECT external_id FROM inbox")]
    assert sorted(stored) == sorted(valid)


async def test_the_answer_comes_after_the_commit(front: Front) -> None:
    async with _locked(front, "inbox"):
        answering = asyncio.create_task(post(front))
        await until(lambda: _waits_for_a_lock(front))
        assert not answering.done()
    assert (await answering).status_code == 202


async def test_what_could_not_be_stored_is_not_acknowledged(front: Front) -> None:
    await front.do("ALTER TABLE inbox RENAME TO away")
    try:
        assert (await post(front)).status_code >= 500
    finally:
        await front.do("ALTER TABLE away RENAME TO inbox")
    assert (await post(front)).status_code == 202


async def test_the_next_read_is_fresh_without_any_worker(front: Front, redis_url: str) -> None:
    ann, bob, origin = await front.customer(), await front.customer(4712), Origin()
    reader = _Reader(front.portal.cache, origin)
    for customer in (ann, bob):
        await thing_for(reader, customer, "1")
    await post(front)
    for customer in (ann, bob):
        await thing_for(reader, customer, "1")
    assert origin.reads == (3 if redis_url else 4), "of the customer whom it names, not of others"
    await post(front, {"event": "InvoicePaid"}, id="msg_2")
    for customer in (ann, bob):
        await thing_for(reader, customer, "1")
    assert origin.reads == (5 if redis_url else 6), "of everybody, where it does not say whose"


async def test_what_can_not_be_dropped_at_once_is_acknowledged_all_the_same(front: Front, redis_url: str) -> None:
    """It is stored: the drain is the guarantee, and the sender would only send it again."""
    await front.do("ALTER TABLE cache_epoch RENAME TO away")
    try:
        assert (await post(front, {"event": "InvoicePaid"})).status_code == 202
    finally:
        await front.do("ALTER TABLE away RENAME TO cache_epoch")
    assert await front.stages() == [0]


async def test_a_process_killed_after_the_commit_and_before_its_answer(front: Front) -> None:
    """The sender comes again; it is handled once."""
    handled: list[int] = []

    async def note(portal: Portal, event: Event) -> None:
        handled.append(event.id)

    drain.register({("whmcs", "InvoicePaid"): note})
    async with _locked(front, "mappings"):  # which the drops look at, after the commit
        dying = asyncio.create_task(post(front))
        await until(front.stages)
        dying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await dying
    assert (await post(front)).status_code == 202
    await drain.drain(front.portal)
    await drain.drain(front.portal)
    assert len(handled) == 1 and await front.stages() == [1]


class _Reader:
    def __init__(self, cache: Any, origin: Origin) -> None:
        self.cache = cache
        self.origin = origin


@contextlib.asynccontextmanager
async def _locked(front: Front, table: str) -> Any:
    url = front.portal.settings.database.direct
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield
        await connection.rollback()


async def _waits_for_a_lock(front: Front) -> bool:
    return bool(await front.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))

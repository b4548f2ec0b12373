"""What the provider's hook file does: signs small events and posts them to the portal, from a spool."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import httpx2
from standardwebhooks.webhooks import Webhook

from portico_sandbox.clock import TOKYO
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row, Store, Transaction
from portico_sandbox.whmcs.rows import HOOK_SPOOL
from portico_sandbox.whmcs.switches import switches_of

SOURCE = "sandbox"
RETRY_PAUSES = (1, 2, 5, 10, 30)
"""In multiples of the switch `hook_retry_seconds`; after the last one the event is lost, as hooks can be."""

_bells: WeakKeyDictionary[Store, asyncio.Event] = WeakKeyDictionary()


def spool(tx: Transaction, sandbox: Sandbox, event: str, client_id: int | None, ids: dict[str, int]) -> None:
    """Puts an event in the transaction of the change it tells; the dials decide here whether it is lost or doubled."""
    if sandbox.dials.take("whmcs", event, "drop_events"):
        return
    doubled = sandbox.dials.take("whmcs", event, "duplicate_events")
    at = sandbox.clock.now().astimezone(TOKYO).isoformat(timespec="seconds")
    body = {"event": event, "whmcs_client_id": client_id, "ids": ids, "at": at, "source": SOURCE}
    webhook_id = f"msg_{uuid.uuid4().hex}"
    row = {"id": webhook_id, "body": json.dumps(body, separators=(",", ":")), "copies": 2 if doubled else 1}
    tx.put(HOOK_SPOOL, webhook_id, row)


def ring(store: Store) -> None:
    """Tells the deliverer that the spool has something new. Call it after the commit."""
    if bell := _bells.get(store):
        bell.set()


def signed_headers(secret: str, webhook_id: str, body: str) -> dict[str, str]:
    """Standard Webhooks 1.0.

    Real time, not the sandbox's movable clock: receivers compare it with theirs, and so does the public library.
    """
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, body),
    }


class Deliverer:
    """Posts whatever is spooled, each event in a task of its own, until it is stopped."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._bell = _bells.setdefault(sandbox.store, asyncio.Event())
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(8)

    async def run(self) -> None:
        # Short, as the hook file must be: it runs inside a WHMCS request.
        timeout = httpx2.Timeout(2.0, connect=1.0)
        try:
            async with httpx2.AsyncClient(timeout=timeout, trust_env=False) as http:
                while True:
                    self._bell.clear()
                    self._start_new(http)
                    await self._bell.wait()
        finally:
            for task in self._tasks.values():
                task.cancel()

    def _start_new(self, http: httpx2.AsyncClient) -> None:
        for webhook_id, row in self._sandbox.store.table(HOOK_SPOOL).items():
            if webhook_id not in self._tasks:
                task = asyncio.create_task(self._deliver(http, row))
                self._tasks[webhook_id] = task
                task.add_done_callback(partial(self._forget, webhook_id))

    def _forget(self, webhook_id: str, _: asyncio.Task[None]) -> None:
        self._tasks.pop(webhook_id, None)

    async def _deliver(self, http: httpx2.AsyncClient, row: Row) -> None:
        switches = switches_of(self._sandbox)
        await asyncio.sleep(switches.hook_delay_seconds)
        for pause in (*RETRY_PAUSES, None):
            if self._sandbox.store.get(HOOK_SPOOL, row["id"]) is None:
                return  # the sandbox was reset
            if await self._post(http, row) or pause is None:
                break
            await asyncio.sleep(pause * switches.hook_retry_seconds)
        with self._sandbox.store.begin() as tx:
            tx.delete(HOOK_SPOOL, row["id"])

    async def _post(self, http: httpx2.AsyncClient, row: Row) -> bool:
        settings = self._sandbox.settings
        headers = signed_headers(settings.whmcs_hook_secret, row["id"], row["body"])
        try:
            async with self._places:
                for _ in range(row["copies"]):
                    answer = await http.post(f"{settings.portal_url}/hooks/whmcs", content=row["body"], headers=headers)
        except httpx2.HTTPError:
            return False
        return answer.is_success


def spooled(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The events not delivered yet, for tests and the control panel."""
    return [json.loads(row["body"]) for row in sandbox.store.table(HOOK_SPOOL).values()]

"""ManagedSubscribe: subscriptions whose position the vendor keeps, committed on the stream that delivers (beta)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from portico_sandbox.salesforce import wire
from portico_sandbox.salesforce.event_log import ms, oldest_number, state_of
from portico_sandbox.salesforce.ids import with_suffix
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.positions import number_of, replay_number
from portico_sandbox.salesforce.stream import Stream
from portico_sandbox.salesforce.stream_ends import Ended
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row, Transaction

_TABLE = "sf_managed"


@dataclass(frozen=True)
class Subscription:
    """What an admin sets up. Replays are LATEST or EARLIEST, the state RUN or STOP."""

    name: str
    topic: str
    default_replay: str = "LATEST"
    error_recovery_replay: str = "LATEST"
    state: str = "RUN"


def put_subscription(sandbox: Sandbox, tx: Transaction, wanted: Subscription) -> Row:
    """Creates or changes one; its position and its id stay."""
    known = sandbox.store.get(_TABLE, wanted.name) or {
        "id": with_suffix(f"18x5g1{tx.next(_TABLE):09d}"), "committed": "",
    }  # fmt: skip
    row = {**known, **vars(wanted)}
    tx.put(_TABLE, wanted.name, row)
    return row


def subscriptions(sandbox: Sandbox) -> list[Row]:
    return list(sandbox.store.table(_TABLE).values())


def subscription_of(sandbox: Sandbox, request: Any) -> Row:
    """The subscription that a first request names, by id or by name. Raises Ended."""
    if bool(request.subscription_id) == bool(request.developer_name):
        raise Ended("INVALID_ARGUMENT", "managed.subscription.invalid", "Either an id or a developer name is wanted")
    for row in subscriptions(sandbox):
        if request.subscription_id in (row["id"], row["id"][:15]) or request.developer_name == row["name"]:
            if row["state"] != "RUN":
                raise Ended("FAILED_PRECONDITION", "managed.subscription.stopped", "The subscription is stopped")
            return row
    raise Ended(knob(sandbox, "unknown_topic"), "managed.subscription.not.found", "There is no such subscription")


def start_number(sandbox: Sandbox, row: Row) -> int:
    """After what was committed last; where that is lost or there is nothing, as the subscription says."""
    if not row["committed"]:
        return _preset(sandbox, row["default_replay"])
    number = number_of(sandbox, bytes.fromhex(row["committed"]))
    return _preset(sandbox, row["error_recovery_replay"]) if number is None else number


def _preset(sandbox: Sandbox, preset: str) -> int:
    return oldest_number(sandbox) if preset == "EARLIEST" else int(state_of(sandbox.store)["last"]) + 1


class ManagedStream(Stream):
    """Commits that come faster than they are answered are answered by one: the last."""

    _to_acknowledge: Any = None
    _name = ""

    @contextmanager
    def taking(self, name: str) -> Iterator[None]:
        """While it lasts nobody else gets the subscription. Raises Ended where somebody has it."""
        taken = self._sandbox.managed_subscriptions
        if name in taken:
            status = knob(self._sandbox, "limit_status")
            raise Ended(status, "concurrent.client.limit.exceeded", "The subscription has an active client")
        taken.add(name)
        self._name = name
        try:
            yield
        finally:
            taken.discard(name)

    def take(self, request: Any) -> None:
        """Credit, a commit, or both."""
        if request.HasField("commit_replay_id_request"):
            self._commit(request.commit_replay_id_request)
        if request.num_requested or not request.HasField("commit_replay_id_request"):
            self.ask_for_more(request.num_requested)
        self.wake()

    def notices(self) -> list[Any]:
        told, self._to_acknowledge = self._to_acknowledge, None
        if told is None:
            return []
        if told.HasField("error"):  # can't be recovered from
            self.end(Ended("INVALID_ARGUMENT", "commit.replayid.invalid", told.error.msg))
        response = self.response([])
        response.commit_response.CopyFrom(told)
        return [response]

    def _commit(self, request: Any) -> None:
        now = ms(self._sandbox.clock.now())
        told = wire.CommitReplayResponse(
            commit_request_id=request.commit_request_id, replay_id=request.replay_id, process_time=now
        )
        if replay_number(request.replay_id) is None or number_of(self._sandbox, request.replay_id) is None:
            told.error.code, told.error.msg = wire.COMMIT_ERROR, "The replay id is invalid or no longer kept"
        else:
            with self._sandbox.store.begin() as tx:
                tx.change(_TABLE, self._name, committed=request.replay_id.hex())
        self._to_acknowledge = told

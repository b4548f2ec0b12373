"""The create protocol by its promises: at most one thing is made, whatever gets lost in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from portico.clock import Clock
from portico.creation import (
    LostClaim,
    Recipe,
    carry_out,
    creation_of,
    forget,
    intend,
    new_marker,
    reopen,
    withdraw,
)
from portico.db import Database
from portico.errors import EmailTaken, PorticoError, SystemDown, SystemRefused, SystemSurprised
from portico.settings import read_settings
from tests.creating import LEASE, QUIET, Remote, Stores, Trial
from tests.fixtures.servers import Servers
from tests.own_servers import own_database

LOST = SystemDown("whmcs", "no answer", sent=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def db(servers: Servers) -> AsyncIterator[Database]:
    db = Database(await own_database(servers, "creations"))
    yield db
    await db.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def trial(db: Database) -> Trial:
    stores, key = Stores(db, Clock(), read_settings()), f"order-{uuid4()}"
    async with db.begin() as tx:
        creation = await intend(tx, stores.clock, "thing", key, {"what": "it"})
    assert creation.state == "intended"
    return Trial(stores, Remote(), creation.id, key)


async def test_made_at_the_first_call(trial: Trial) -> None:
    done = await trial.go_on()
    assert (done.state, done.remote_id, done.attempt) == ("done", "id-1", 1)
    assert trial.remote.things == [done.marker]
    assert await trial.go_on() == done
    assert len(trial.remote.calls) == 1


async def test_one_business_key_is_one_intent(trial: Trial) -> None:
    async with trial.stores.db.begin() as tx:
        again = await intend(tx, trial.stores.clock, "thing", trial.key, {"what": "something else"})
        other = await intend(tx, trial.stores.clock, "other", trial.key, {})
    assert again.id == trial.id and again.request == {"what": "it"}
    assert other.id != trial.id and other.marker != again.marker


async def test_an_intent_goes_with_its_transaction(trial: Trial) -> None:
    with pytest.raises(ZeroDivisionError):
        async with trial.stores.db.begin() as tx:
            rolled_back = await intend(tx, trial.stores.clock, "thing", "order-2", {})
            raise ZeroDivisionError
    async with trial.stores.db.begin() as tx:
        assert (await intend(tx, trial.stores.clock, "thing", "order-2", {})).id != rolled_back.id


def test_markers_fit_any_text_field_and_never_repeat() -> None:
    markers = {new_marker() for _ in range(1000)}
    assert len(markers) == 1000
    assert all(len(marker) == 26 and marker.startswith("PTC-") and marker[4:].isalnum() for marker in markers)


@pytest.mark.parametrize(
    ("refusal", "code"), [(SystemRefused("whmcs", "duplicate", "No"), "duplicate"), (EmailTaken(), "email_taken")]
)
async def test_a_refusal_is_told_and_remembered(trial: Trial, refusal: PorticoError, code: str) -> None:
    trial.remote.trouble, trial.remote.does_it = [refusal], False
    with pytest.raises(type(refusal)):
        await trial.go_on()
    stands = await trial.go_on()
    assert (stands.state, stands.code) == ("refused", code)
    assert len(trial.remote.calls) == 1


async def test_a_call_that_never_left_is_made_again_at_once(trial: Trial) -> None:
    trial.remote.trouble, trial.remote.does_it = [SystemDown("whmcs", "refused", sent=False)], False
    with pytest.raises(SystemDown) as down:
        await trial.go_on()
    stands = await trial.stands()
    assert not down.value.sent
    assert (stands.state, stands.attempt, stands.code) == ("intended", 0, "not_sent")
    assert (await trial.go_on()).state == "done"
    assert trial.remote.look_ups == 0 and len(trial.remote.things) == 1


@pytest.mark.parametrize("trouble", [LOST, SystemSurprised("whmcs", "HTML")])
async def test_a_lost_answer_is_looked_up_after_the_quiet_period(trial: Trial, trouble: PorticoError) -> None:
    trial.remote.trouble = [trouble]
    unknown = await trial.go_on()
    assert (unknown.state, unknown.code) == ("unknown", trouble.code)
    trial.later(QUIET - 1)
    assert (await trial.go_on()).state == "unknown"
    assert trial.remote.look_ups == 0, "the system may still be executing"
    trial.later(1)
    assert (await trial.go_on()).remote_id == "id-1"
    assert len(trial.remote.calls) == 1


async def test_found_in_no_two_look_ups_the_same_marker_goes_out_again(trial: Trial) -> None:
    trial.remote.trouble, trial.remote.does_it = [LOST], False
    await trial.go_on()
    for look_ups in (1, 2):
        assert len(trial.remote.calls) == 1
        trial.later(QUIET)
        stands = await trial.go_on()
        assert trial.remote.look_ups == look_ups
        assert (await trial.go_on()) == stands, "the next look-up waits for its own quiet period"
    assert stands.state == "done"
    assert trial.remote.calls == [stands.marker] * 2 and trial.remote.things == [stands.marker]


async def test_a_late_execution_is_adopted_at_the_second_look_up(trial: Trial) -> None:
    """It ran 150 s after we gave up on it."""
    trial.remote.trouble, trial.remote.does_it = [LOST], False
    marker = (await trial.go_on()).marker
    trial.later(QUIET)
    assert (await trial.go_on()).misses == 1
    trial.remote.things.append(marker)
    trial.later(QUIET)
    assert (await trial.go_on()).remote_id == "id-1"
    assert len(trial.remote.calls) == 1


async def test_two_of_them_are_left_to_people(trial: Trial) -> None:
    trial.remote.trouble = [LOST]
    marker = (await trial.go_on()).marker
    trial.remote.things.append(marker)
    trial.later(QUIET)
    parked = await trial.go_on()
    assert (parked.state, parked.code) == ("parked", "marker_found_more_than_once")
    trial.later(QUIET)
    assert await trial.go_on() == parked
    assert len(trial.remote.calls) == 1


async def test_a_look_up_that_fails_forgets_nothing(trial: Trial) -> None:
    """Nor does it read as "nothing was sent", or a caller would begin anew."""
    trial.remote.trouble, trial.remote.does_it = [LOST], False
    await trial.go_on()
    trial.later(QUIET)
    assert (await trial.go_on()).misses == 1
    trial.later(QUIET)
    trial.remote.unreachable = SystemDown("whmcs", "refused", sent=False)
    with pytest.raises(SystemDown) as down:
        await trial.go_on()
    assert down.value.sent
    stands = await trial.stands()
    assert (stands.state, stands.misses) == ("unknown", 1)
    trial.remote.unreachable = None
    assert (await trial.go_on()).state == "done"
    assert len(trial.remote.calls) == 2


async def test_a_repeat_that_never_left_does_not_read_as_nothing_sent(trial: Trial) -> None:
    never_left = SystemDown("whmcs", "refused", sent=False)
    trial.remote.trouble, trial.remote.does_it = [LOST, never_left], False
    await trial.go_on()
    trial.later(QUIET)
    await trial.go_on()
    trial.later(QUIET)
    with pytest.raises(SystemDown) as down:
        await trial.go_on()
    assert down.value.sent and (await trial.stands()).attempt == 1
    async with trial.stores.db.begin() as tx:
        assert not await withdraw(tx, trial.id)


async def test_a_process_that_died_while_it_called(trial: Trial) -> None:
    trial.remote.held = asyncio.Event()
    victim = asyncio.create_task(trial.go_on())
    await trial.remote.under_way.wait()
    victim.cancel()
    await asyncio.gather(victim, return_exceptions=True)
    marker = (await trial.stands()).marker
    trial.remote.things.append(marker)  # it was executed all the same
    assert (await trial.go_on()).state == "attempted", "its lease runs"
    trial.later(LEASE)
    assert (await trial.go_on()).code == "process_died"
    assert trial.remote.look_ups == 0
    trial.later(QUIET)
    assert (await trial.go_on()).remote_id == "id-1"
    assert len(trial.remote.calls) == 1


async def test_an_error_that_nobody_foresaw_is_an_unknown_outcome(trial: Trial) -> None:
    trial.remote.trouble = [KeyError("a bug of ours")]
    with pytest.raises(KeyError):
        await trial.go_on()
    trial.later(LEASE)
    assert (await trial.go_on()).state == "unknown"
    trial.later(QUIET)
    assert (await trial.go_on()).state == "done"
    assert len(trial.remote.calls) == 1


async def test_only_one_calls_at_a_time(trial: Trial) -> None:
    trial.remote.held = asyncio.Event()
    first = asyncio.create_task(trial.go_on())
    await trial.remote.under_way.wait()
    others = await asyncio.gather(*(trial.go_on() for _ in range(5)))
    assert {other.state for other in others} == {"attempted"}
    trial.remote.held.set()
    assert (await first).state == "done"
    assert len(trial.remote.calls) == 1


async def test_sixteen_at_once_make_one(trial: Trial) -> None:
    await asyncio.gather(*(trial.go_on() for _ in range(16)))
    assert (await trial.stands()).state == "done"
    assert len(trial.remote.calls) == 1


@pytest.mark.parametrize("outcome", [None, SystemRefused("whmcs", "no"), LOST, SystemDown("whmcs", "", sent=False)])
async def test_who_was_overtaken_records_nothing(trial: Trial, outcome: PorticoError | None) -> None:
    """It froze for longer than its lease; another has looked, adopted what it made, and is done."""
    trial.remote.held, trial.remote.trouble = asyncio.Event(), [outcome]
    frozen = asyncio.create_task(trial.go_on())
    await trial.remote.under_way.wait()
    trial.remote.things.append((await trial.stands()).marker)
    trial.later(LEASE)
    await trial.go_on()
    trial.later(QUIET)
    adopted = await trial.go_on()
    assert adopted.state == "done"
    trial.remote.held.set()
    with pytest.raises(LostClaim):
        await frozen
    assert await trial.stands() == adopted


async def test_who_was_overtaken_before_it_called_does_not_call(trial: Trial) -> None:
    trial.remote.trouble, trial.remote.does_it = [LOST], False
    await trial.go_on()
    trial.later(QUIET)
    await trial.go_on()
    trial.later(QUIET)
    looking, go_on = asyncio.Event(), asyncio.Event()

    async def slow_look_up(_: str) -> list[str]:
        looking.set()
        await go_on.wait()
        return []

    slow = asyncio.create_task(carry_out(trial.stores, trial.id, Recipe(trial.remote.create, slow_look_up)))
    await looking.wait()
    trial.later(LEASE)
    assert (await trial.go_on()).state == "done"
    go_on.set()
    with pytest.raises(LostClaim):
        await slow
    assert len(trial.remote.things) == 1


async def test_a_reopened_one_is_looked_up_first(trial: Trial) -> None:
    trial.remote.trouble, trial.remote.does_it = [SystemRefused("whmcs", "no")], False
    with pytest.raises(SystemRefused):
        await trial.go_on()
    async with trial.stores.db.begin() as tx:
        reopened = await reopen(tx, await creation_of(tx, trial.id), {"what": "mended"})
    assert (reopened.state, reopened.request) == ("unknown", {"what": "mended"})
    assert (await trial.go_on()).state == "done"
    assert (trial.remote.look_ups, len(trial.remote.calls), len(trial.remote.things)) == (1, 2, 1)


async def test_a_parked_one_is_reopened_as_it_was_sent(trial: Trial) -> None:
    """Staff have removed one of the two: the other is adopted."""
    trial.remote.trouble = [LOST]
    marker = (await trial.go_on()).marker
    trial.remote.things.append(marker)
    trial.later(QUIET)
    parked = await trial.go_on()
    trial.remote.things.pop()
    async with trial.stores.db.begin() as tx:
        assert (await reopen(tx, parked, {"what": "mended"})).request == {"what": "it"}
    assert (await trial.go_on()).remote_id == "id-1"
    assert len(trial.remote.calls) == 1


@pytest.mark.parametrize("state", ["attempted", "unknown"])
async def test_what_is_under_way_is_not_reopened(trial: Trial, state: str) -> None:
    trial.remote.trouble = [KeyError("died") if state == "attempted" else LOST]
    await asyncio.gather(trial.go_on(), return_exceptions=True)
    before = await trial.stands()
    async with trial.stores.db.begin() as tx:
        await reopen(tx, before, {"what": "mended"})
    assert before.state == state and await trial.stands() == before


async def test_what_is_done_is_never_touched_again(trial: Trial) -> None:
    done = await trial.go_on()
    async with trial.stores.db.begin() as tx:
        await reopen(tx, done, {})
        await forget(tx, trial.id)
        assert not await withdraw(tx, trial.id)
        assert await creation_of(tx, trial.id) == done


async def test_what_was_never_sent_can_be_withdrawn(trial: Trial) -> None:
    for _ in range(2):
        trial.remote.trouble, trial.remote.does_it = [SystemDown("whmcs", "", sent=False)], False
        with pytest.raises(SystemDown):
            await trial.go_on()
    async with trial.stores.db.begin() as tx:
        assert await withdraw(tx, trial.id)
        assert not await withdraw(tx, trial.id)


async def test_what_is_being_sent_can_not_be_withdrawn(trial: Trial) -> None:
    trial.remote.held = asyncio.Event()
    sending = asyncio.create_task(trial.go_on())
    await trial.remote.under_way.wait()
    async with trial.stores.db.begin() as tx:
        assert not await withdraw(tx, trial.id)
    trial.remote.held.set()
    assert (await sending).state == "done"


async def test_where_a_repeat_is_refused_nobody_waits(trial: Trial) -> None:
    """Found: adopted. Not found at the first look-up: sent again; a second thing can't come of it."""
    trial.remote.trouble, trial.remote.does_it = [LOST], False
    assert (await trial.go_on(repeat_is_refused=True)).state == "unknown"
    trial.later(1)
    done = await trial.go_on(repeat_is_refused=True)
    assert (done.state, trial.remote.look_ups, len(trial.remote.calls)) == ("done", 1, 2)


async def test_where_a_repeat_is_refused_a_dead_process_is_looked_after_at_once(trial: Trial) -> None:
    trial.remote.trouble = [KeyError("died")]
    with pytest.raises(KeyError):
        await trial.go_on(repeat_is_refused=True)
    trial.later(LEASE)
    assert (await trial.go_on(repeat_is_refused=True)).remote_id == "id-1"
    assert len(trial.remote.calls) == 1


async def test_the_call_is_made_outside_of_any_transaction(trial: Trial) -> None:
    async def create(marker: str) -> str:
        async with trial.stores.db.begin():  # would raise inside another
            return "id-1"

    assert (await carry_out(trial.stores, trial.id, Recipe(create, trial.remote.look_up))).state == "done"

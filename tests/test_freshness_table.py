"""The table against the mission, and the words in it against the code that says them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from portico import freshness
from portico.events.drops import HOOKS
from portico.freshness import RULES, Rule, dropped_by
from portico.routes import ROUTES

HOUSE = Path(__file__).parents[1]
EVENT = None

MISSION: dict[str, tuple[str, int | None, set[str]]] = {
    "catalog": ("shared", EVENT, {"salesforce:Product2", "salesforce:PricebookEntry"}),
    "availability": ("shared", 60, {"salesforce:Product2", "salesforce:PricebookEntry"}),
    "eligibility": ("account", EVENT, {"salesforce:Account"}),
    "orders": ("account", EVENT, {"salesforce:Order", "salesforce:OrderItem", "own:order", "own:fulfillment"}),
    "invoices": ("user", 90, {"whmcs:invoice", "own:billing"}),
    "invoice": ("user", 300, {"whmcs:invoice", "own:billing"}),
    "subscriptions": ("user", 300, {"whmcs:service", "own:profile"}),
    "subscription": ("user", 600, {"whmcs:service", "own:profile"}),
    "payment_methods": ("user", 900, {"whmcs:card", "own:sso_return"}),
    "gateways": ("shared", 3600, set()),
    "profile": ("user", 1800, {"own:profile", "whmcs:client"}),
    "customer_number": ("number", 30, {"own:sign_up"}),
}
"""Scope, seconds, and the least that drops it: the table in the mission."""

NOTHING_COPIED = {"UserEdit"}
"""Hooks about what has no copy: logins at WHMCS."""

HAPPENINGS = {name for rule in RULES for name in rule.dropped_by}


def test_the_table_is_the_missions() -> None:
    rules = {rule.kind: rule for rule in RULES}
    for kind, (scope, seconds, drops) in MISSION.items():
        assert (rules[kind].scope, rules[kind].seconds) == (scope, seconds), kind
        assert drops <= set(rules[kind].dropped_by), kind


def test_what_the_mission_does_not_name_is_not_kept_for_long() -> None:
    assert [rule.kind for rule in RULES if rule.kind not in MISSION and not 0 < (rule.seconds or 0) <= 600] == []


def test_not_found_is_kept_for_the_sign_up_only() -> None:
    assert [rule.kind for rule in RULES if rule.keeps_not_found] == ["customer_number"]


def test_what_has_no_end_has_an_event() -> None:
    for rule in RULES:
        assert rule.seconds is not None or any(name.startswith("salesforce:") for name in rule.dropped_by), rule.kind


def test_code_and_table_speak_of_the_same_happenings() -> None:
    """A typo on either side would be a stale page."""
    said = set(re.findall(r'drop_for\([^)]*"(own:\w+)"', "\n".join(_sources())))
    assert said and said <= HAPPENINGS
    assert {group for groups in HOOKS.values() for group in groups} == {n for n in HAPPENINGS if n.startswith("whmcs:")}


def test_support_cases_are_never_copied() -> None:
    cases = (HOUSE / "src/portico/support").rglob("*.py")
    assert [str(file) for file in cases if "@cached" in file.read_text()] == []


@pytest.mark.parametrize("place", ["deploy/whmcs/portico_hooks.php", "src/portico_sandbox/whmcs"])
def test_every_hook_that_is_sent_to_us_drops_something(place: str) -> None:
    sent = set(_hook_points_in(HOUSE / place))
    assert len(sent) > 10
    assert sent - HOOKS.keys() - NOTHING_COPIED == set()


def test_every_copied_type_survives_the_copy() -> None:
    """Each cached function's answer can be written and read by msgspec, so that no read fails on its first fill."""
    assert ROUTES  # imports all domains
    kinds = set()
    for function, rule in _cached_functions():
        msgspec.msgpack.Decoder(get_type_hints(function)["return"])
        kinds.add(rule)
    assert kinds == {rule.kind for rule in RULES}, "a rule that nobody reads by, or a read without a rule"


def test_a_happening_names_its_rules() -> None:
    assert dropped_by("whmcs:card") == (freshness.PAYMENT_METHODS,)
    assert dropped_by("no:such") == ()


def _sources() -> Iterator[str]:
    return (file.read_text() for file in (HOUSE / "src/portico").rglob("*.py"))


def _hook_points_in(place: Path) -> Iterator[str]:
    """Words that look like hook points where hooks are listed or sent."""
    if place.suffix == ".php":
        listed = place.read_text().partition("function hookPoints()")[2].partition("public static")[0]
        yield from re.findall(r"^\s+'([A-Z]\w+)' =>", listed, re.MULTILINE)
        return
    for file in place.rglob("*.py"):
        yield from re.findall(r'\.(?:tell|hook|announce|fire)\(\s*"([A-Z]\w+)"', file.read_text())


def _cached_functions() -> Iterator[tuple[object, Rule | str]]:
    for name, module in list(sys.modules.items()):
        if name.startswith("portico."):
            source = Path(module.__file__ or "").read_text() if getattr(module, "__file__", None) else ""
            for rule, function in re.findall(r"^@cached\((\w+)\)\nasync def (\w+)", source, re.MULTILINE):
                yield getattr(module, function).__wrapped__, getattr(freshness, rule).kind

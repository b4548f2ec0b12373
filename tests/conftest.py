"""Fixtures live in tests/fixtures, by topic."""

from __future__ import annotations

pytest_plugins = [
    "tests.fixtures.servers",
    "tests.fixtures.sandbox",
    "tests.fixtures.people",
    "tests.fixtures.portal",
]

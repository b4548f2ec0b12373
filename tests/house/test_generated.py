"""What is generated is up to date, and what is pinned fits what is asked for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from portico.freshness import as_markdown
from portico.settings_text import page

HOUSE = Path(__file__).parents[2]
PIN = re.compile(r"^([a-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((HOUSE / lock).read_text()))


def wanted(*extras: str) -> list[Requirement]:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def unmet(lock: str, *extras: str) -> list[str]:
    pinned = pins(lock)
    return [
        str(requirement)
        for requirement in wanted(*extras)
        if not requirement.specifier.contains(Version(pinned.get(canonicalize_name(requirement.name), "0.dev0")))
    ]


def test_settings_page_is_up_to_date() -> None:
    assert (HOUSE / "docs/settings.md").read_text() == page(), "run: make fix"


def test_freshness_page_is_up_to_date() -> None:
    assert (HOUSE / "docs/freshness.md").read_text() == as_markdown(), "run: make fix"


def test_locks_fit_the_project() -> None:
    assert unmet("requirements.lock", "demo") == [], "run: make locks"
    assert unmet("requirements-dev.lock", "demo", "dev") == [], "run: make locks"


def test_both_locks_pin_the_same() -> None:
    dev = pins("requirements-dev.lock")
    assert {name: version for name, version in pins("requirements.lock").items() if dev.get(name) != version} == {}


def test_locks_have_hashes_and_no_host() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (HOUSE / lock).read_text()
        assert "://" not in text
        assert len(re.findall(PIN, text)) == len(re.findall(r"==[^\n]*\\\n    --hash=sha256:", text))


def test_the_example_names_real_settings_only() -> None:
    example = (HOUSE / ".env.example").read_text()
    named = re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", example, re.MULTILINE)
    documented = page()
    assert [name for name in named if f"`{name}`" not in documented] == []

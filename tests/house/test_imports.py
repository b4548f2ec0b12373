"""The import rule that layers can't say; the others are in pyproject.toml (`make check` runs import-linter)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
STORY_MAY = {"portico.fulfillment.steps", "portico.fulfillment.outcomes"}


def imported(file: Path) -> Iterator[str]:
    """Full names of modules and of what is taken out of them."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_the_story_knows_only_its_steps_and_outcomes() -> None:
    ours = {name for name in imported(SOURCE / "portico/fulfillment/story.py") if name.startswith("portico")}
    assert {name for name in ours if not name.startswith(tuple(STORY_MAY))} == set()

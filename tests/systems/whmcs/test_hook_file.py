"""The file that an operator installs in WHMCS: no PHP here to run it, so its promises are read from its text."""

from __future__ import annotations

import re
from pathlib import Path

from portico.events.drops import HOOKS

SOURCE = (Path(__file__).parents[3] / "deploy/whmcs/portico_hooks.php").read_text()
CODE = re.sub(r"/\*.*?\*/|//[^\n]*", "", SOURCE, flags=re.DOTALL)
BARE = re.sub(r"'[^']*'", "''", CODE)
"""Without comments and without texts."""


def test_it_tells_of_every_hook_that_drops_a_copy_and_of_no_other() -> None:
    listed = set(re.findall(r"^ +'([A-Z]\w+)' => ", CODE, flags=re.MULTILINE))
    added = set(re.findall(r"add_hook\('(\w+)'", CODE)) - {"AfterCronJob"}
    assert listed | added == set(HOOKS)


def test_it_prints_nothing() -> None:
    assert SOURCE.startswith("<?php\n")
    assert "?>" not in SOURCE  # what follows a closing tag, be it a line break, would be printed
    assert not re.search(r"\b(echo|print|printf|print_r|var_dump|die)\b", BARE)


def test_it_takes_nothing_but_ids_out_of_the_variables() -> None:
    assert not re.search(r"pass|auth|card|cvv|email|name'", CODE.lower().replace("ccupdate", ""))


def test_brackets_close_in_order() -> None:
    closing = {")": "(", "]": "[", "}": "{"}
    open_ones: list[str] = []
    for character in BARE:
        if character in "([{":
            open_ones.append(character)
        elif character in closing:
            assert open_ones.pop() == closing[character]
    assert open_ones == []

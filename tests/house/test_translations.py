"""Every sentence of code and pages has its Japanese."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

PORTICO = Path(__file__).parents[2] / "src/portico"
JINJA = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
METHODS = [("**.py", "python"), ("**.html", "jinja2"), ("**.txt", "jinja2")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "_m": None}


@pytest.fixture(scope="module")
def japanese() -> Catalog:
    with (PORTICO / "locales/ja/LC_MESSAGES/portico.po").open("rb") as file:
        return read_po(file, locale="ja")


@pytest.fixture(scope="module")
def sentences() -> dict[str, str]:
    """Each sentence with a place where it stands."""
    options = {"**.html": JINJA, "**.txt": JINJA}
    found = extract_from_dir(str(PORTICO), METHODS, options, keywords=KEYWORDS)
    texts = ((text if isinstance(text, str) else text[0], f"{file}:{line}") for file, line, text, *_ in found)
    return {text: place for text, place in texts if text}


def test_every_sentence_is_translated(japanese: Catalog, sentences: dict[str, str]) -> None:
    def is_open(text: str) -> bool:
        message = japanese.get(text)
        return message is None or message.fuzzy or not all(words(message))

    missing = [f"{place}: {text}" for text, place in sentences.items() if is_open(text)]
    first = "\n".join(missing[:10])
    assert not missing, f"{len(missing)} sentences; run `make messages`, then fill in portico.po. The first:\n{first}"


def test_translations_use_the_same_values(japanese: Catalog, sentences: dict[str, str]) -> None:
    wrong = []
    for text in sentences:
        message = japanese.get(text)
        if message is not None and any(values(word) - values(text) for word in words(message) if word):
            wrong.append(text)
    assert wrong == []


def words(message: Message) -> list[str]:
    return list(message.string) if isinstance(message.string, (list, tuple)) else [str(message.string)]


def values(text: str) -> set[str]:
    """The names in `%(name)s`."""
    return {part.split(")")[0] for part in text.split("%(")[1:] if set(part.split(")")[0]) <= set(string.printable)}

"""Languages: sentences are marked where they are written and translated where they are shown."""

from __future__ import annotations

import gettext as _gettext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

LOCALES = Path(__file__).parent / "locales"


@dataclass(frozen=True)
class Message:
    """A sentence (its English is the key) with values; `in_language` gives its words."""

    text: str
    values: dict[str, Any] = field(default_factory=dict)

    def in_language(self, language: str) -> str:
        translated = translations(language).gettext(self.text)
        return translated % self.values if self.values else translated

    def __call__(self, **values: Any) -> Message:
        return Message(self.text, values)

    def __str__(self) -> str:
        return self.in_language("en")


def _m(text: str) -> Message:
    """Marks a sentence for translation (gettext keyword `_m`). Values are `%(name)s`."""
    return Message(text)


@cache
def translations(language: str) -> _gettext.NullTranslations:
    """The catalog of a language; English is the source and needs none."""
    return _gettext.translation("portico", LOCALES, [language], fallback=True)

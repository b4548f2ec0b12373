"""Languages: sentences are marked where they are written and translated where they are shown."""

from __future__ import annotations

import gettext as _gettext
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALES = Path(__file__).parent / "locales"
LANGUAGES = {"en": "English", "ja": "日本語"}
"""Each language by its own name, as the footer shows it."""

_known: dict[str, str] = {}


@dataclass(frozen=True)
class Message:
    """A sentence (its English is the key) with values; `in_language` gives its words."""

    text: str
    values: dict[str, Any] = field(default_factory=dict)

    def in_language(self, language: str) -> str:
        translated = translations(language).gettext(self.text)
        if not self.values:
            return translated
        return translated % {name: _shown(value, language) for name, value in self.values.items()}

    def __call__(self, **values: Any) -> Message:
        return Message(self.text, values)

    def __str__(self) -> str:
        return self.in_language("en")

    @property
    def key(self) -> str:
        """Short and stable: names the sentence where its words may not be trusted (a cookie)."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


def _m(text: str) -> Message:
    """Marks a sentence for translation (gettext keyword `_m`). Values are `%(name)s`; Money, dates and Messages too."""
    message = Message(text)
    _known[message.key] = text
    return message


def known(key: str) -> Message | None:
    """The marked sentence of this `Message.key`: nothing but our own sentences ever comes out."""
    text = _known.get(key)
    return Message(text) if text is not None else None


@cache
def translations(language: str) -> _gettext.NullTranslations:
    """The catalog of a language, from every .po file of its folder; English is the source and needs none."""
    found: _gettext.NullTranslations = _gettext.NullTranslations()
    for path in sorted((LOCALES / language / "LC_MESSAGES").glob("*.po")):
        catalog = _catalog(path, language)
        catalog.add_fallback(found)
        found = catalog
    return found


def _catalog(path: Path, language: str) -> _gettext.GNUTranslations:
    compiled = BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return _gettext.GNUTranslations(compiled)


def _shown(value: Any, language: str) -> Any:
    if isinstance(value, Message):
        return value.in_language(language)
    if isinstance(value, date):  # an aware datetime keeps its own zone here: callers convert first
        return format_date(value, language)
    return value


# Babel's formatters cost as much as rendering the page; these are ours, tested against Babel.

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _date_en(day: date) -> str:
    return f"{_MONTHS[day.month - 1]} {day.day}, {day.year}"


def _date_ja(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _time_en(moment: datetime) -> str:
    return f"{moment.hour % 12 or 12}:{moment.minute:02}\u202f{'AM' if moment.hour < 12 else 'PM'}"


def _time_ja(moment: datetime) -> str:
    return f"{moment.hour}:{moment.minute:02}"


_DATES: dict[str, Callable[[date], str]] = {"en": _date_en, "ja": _date_ja}
_TIMES: dict[str, Callable[[datetime], str]] = {"en": _time_en, "ja": _time_ja}
_BETWEEN = {"en": ", ", "ja": " "}


def format_date(day: date, language: str) -> str:
    """`Nov 30, 2026` or `2026年11月30日`."""
    return _DATES.get(language, _date_en)(day)


def format_time(moment: datetime, language: str, zone: tzinfo) -> str:
    """`2:02 PM` or `14:02` in the zone. `moment` is aware."""
    return _TIMES.get(language, _time_en)(moment.astimezone(zone))


def format_datetime(moment: datetime, language: str, zone: tzinfo) -> str:
    """`Nov 30, 2026, 2:02 PM` or `2026年11月30日 14:02` in the zone. `moment` is aware."""
    local = moment.astimezone(zone)
    return f"{format_date(local, language)}{_BETWEEN.get(language, ' ')}{format_time(moment, language, zone)}"


def zone_name(moment: datetime, zone: tzinfo) -> str:
    """`JST`, or `UTC+03` for a zone without letters, as it is at this moment."""
    name = moment.astimezone(zone).tzname() or "UTC"
    return name if name.isalpha() else f"UTC{name}"

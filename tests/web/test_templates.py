"""Every template of the house compiles in every language, and sentences keep their values in their places."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from jinja2 import Environment, UndefinedError

import portico
from portico.i18n import Message
from portico.web.templates import environment

HOUSE = Path(portico.__file__).parent
TEMPLATES = sorted(str(path.relative_to(HOUSE)) for path in HOUSE.rglob("*.html"))


def made(language: str) -> Environment:
    return environment(language, ZoneInfo("Asia/Tokyo"), lambda name: f"/static/{name}")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_template_compiles(language: str) -> None:
    in_language = made(language)
    for name in TEMPLATES:
        in_language.get_template(name)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ _('Paid') }}", "支払い済み"),
        ("{{ _('Invoice %(number)s', number=evil) }}", "請求書 &lt;b&gt;"),
        ("<i title=\"{{ _('Invoice %(number)s', number=evil) }}\">", '<i title="請求書 &lt;b&gt;">'),
        ("{% set words = _('Invoice %(number)s', number=evil) %}{{ words }}", "請求書 &lt;b&gt;"),
        ("{{ _('Invoice %(number)s', number=paid) }}", "請求書 支払い済み"),
        ("{% trans number=evil %}Invoice {{ number }}{% endtrans %}", "請求書 &lt;b&gt;"),
        ("{{ _('100%% of <b>') }}", "100% of <b>"),
        ("{{ ngettext('item', 'items', 2) }}", "点"),
        ("{{ paid }} {{ paid|upper }}", "支払い済み PAID"),
        ("{{ moment|datetime }} {{ moment|date }} {{ time(moment) }}", "2026年12月1日 8:02 2026年12月1日 8:02"),
    ],
)
def test_sentences_in_templates(source: str, shown: str) -> None:
    moment = datetime(2026, 11, 30, 23, 2, tzinfo=UTC)
    values = {"evil": "<b>", "paid": Message("Paid"), "moment": moment}
    assert made("ja").from_string(source).render(values) == shown


def test_a_mistyped_name_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        made("en").from_string("{{ invioce }}").render()

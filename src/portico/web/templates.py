"""Jinja environments, one per language: sentences are translated when a template is compiled, not when it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from portico.clock import Clock
from portico.i18n import Message, format_date, format_datetime, format_time, translations, zone_name
from portico.money import Money

_MARKS = ("_", "gettext")
_VALUE = re.compile(r"(?<!%)%\((\w+)\)s")
_OTHER_VALUE = re.compile(r"(?<!%)%\(\w+\)[^s]")


def environment(language: str, zone: ZoneInfo, asset_url: Callable[[str], str], **more: Any) -> Environment:
    """Templates of the whole package in one language. `more` become globals.

    Globals: `money(m)`, `date(d)`, `datetime(d)`, `time(d)`, `zone()` (strings for people), `static(name)`, `_`,
    `ngettext`. The first four are filters too (`bill.total|money`): those are the faster ones in rows of long lists.
    A `Message` put out as it is appears in the language; an unknown name is an error.
    """
    made = _Translated(
        loader=PackageLoader("portico", "."),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=lambda value: value.in_language(language) if isinstance(value, Message) else value,
    )
    made.words = translations(language)
    made.install_gettext_callables(  # type: ignore[attr-defined]
        made.words.gettext, made.words.ngettext, newstyle=True
    )
    made.globals.update(formats(language, zone), static=asset_url, language=language, **more)
    made.filters.update(formats(language, zone))
    return made


def formats(language: str, zone: ZoneInfo) -> dict[str, Callable[..., str]]:
    @lru_cache(2048)
    def shown_date(day: date) -> str:
        return format_date(day.astimezone(zone) if isinstance(day, datetime) else day, language)

    return {
        "zone": lambda: zone_name(Clock().now(), zone),
        "money": _money,
        "date": shown_date,
        "datetime": lambda moment: format_datetime(moment, language, zone),
        "time": lambda moment: format_time(moment, language, zone),
    }


@lru_cache(4096)
def _money(money: Money) -> str:
    return str(money)


class _Translated(Environment):
    """Run-time gettext triples the cost of a page (stack-notes), so constant sentences become constants here."""

    words: Any

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        template = super()._parse(source, name, filename)
        _Translator(self.words.gettext).visit(template)
        return template


class _Translator(NodeTransformer):
    def __init__(self, gettext: Callable[[str], str]) -> None:
        self._gettext = gettext

    def visit_Output(self, node: nodes.Output, *args: Any, **kwargs: Any) -> nodes.Node:  # noqa: N802 -- Jinja's name
        """A sentence that is put out as it is becomes plain template text around its values."""
        shown: list[nodes.Expr] = []
        for child in node.nodes:
            shown += self._pieces(child) if _is_sentence(child) else [child]
        node.nodes = shown
        return self.generic_visit(node, *args, **kwargs)

    def _pieces(self, call: nodes.Expr) -> list[nodes.Expr]:
        sentence = self._gettext(call.args[0].value)  # type: ignore[attr-defined]
        values = {item.key: item.value for item in call.kwargs}  # type: ignore[attr-defined]
        texts = _VALUE.split(sentence)
        if set(texts[1::2]) - values.keys() or _OTHER_VALUE.search(sentence):
            return [call]
        return [
            values[text] if place % 2 else nodes.TemplateData(text.replace("%%", "%"))
            for place, text in enumerate(texts)
        ]

    def visit_Call(self, node: nodes.Call, *args: Any, **kwargs: Any) -> nodes.Node:  # noqa: N802 -- Jinja's name
        self.generic_visit(node, *args, **kwargs)
        if not _is_sentence(node):
            return node
        # Ours (the template's or the translator's), never a visitor's: safe, as in Jinja's own newstyle gettext.
        sentence = Markup(self._gettext(node.args[0].value))  # type: ignore[attr-defined] # noqa: S704
        if not node.kwargs:
            return nodes.Const(sentence % {}, lineno=node.lineno)
        pairs = [nodes.Pair(nodes.Const(item.key), item.value) for item in node.kwargs]
        return nodes.Mod(nodes.Const(sentence), nodes.Dict(pairs), lineno=node.lineno)


def _is_sentence(node: nodes.Expr) -> bool:
    return (
        isinstance(node, nodes.Call)
        and isinstance(node.node, nodes.Name)
        and node.node.name in _MARKS
        and len(node.args) == 1
        and isinstance(node.args[0], nodes.Const)
    )

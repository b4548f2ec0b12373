"""Tables of the Bulk API: rows to CSV and back, in the vendor's way of writing nulls, moments and parents."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from portico_sandbox.store import Row

DELIMITERS = {"COMMA": ",", "TAB": "\t", "SEMICOLON": ";", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
_NULL = "#N/A"
"""Sets a field to null; an empty cell leaves it as it is."""


def written(header: Sequence[str], lines: Iterable[Sequence[Any]], job: Mapping[str, Any]) -> bytes:
    """A CSV text as the job wants it."""
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=DELIMITERS[job["columnDelimiter"]],
        lineterminator=LINE_ENDINGS[job["lineEnding"]],
        quoting=csv.QUOTE_ALL,
    )
    writer.writerow(header)
    for line in lines:
        writer.writerow([cell(value) for value in line])
    return text.getvalue().encode()


def read(text: str, job: Mapping[str, Any]) -> list[dict[str, str]]:
    """Lines by column name; cells that are missing at the end of a line are empty."""
    delimiter = DELIMITERS[job["columnDelimiter"]]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    return [{name: value for name, value in line.items() if isinstance(name, str)} for line in reader]


def record_of(line: Mapping[str, str]) -> Row:
    """The body of a row: `Account.Customer_Number__c` names a parent by its external id."""
    record: Row = {}
    for name, value in line.items():
        if value == "":
            continue
        meant = None if value == _NULL else value
        parent, dot, field = name.partition(".")
        record[parent] = {field: meant} if dot else meant
    return record


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.endswith(".000+0000") and value[10:11] == "T":
        return value.replace("+0000", "Z")
    return str(value)


def value_at(record: Mapping[str, Any], path: Sequence[str]) -> Any:
    """The value that a path of relationships leads to; None where a parent is not there."""
    here: Any = record
    for step in path:
        here = here.get(step) if isinstance(here, Mapping) else None
    return here

"""Conditional requests: modification times on every row, strong validators on accounts alone."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from portico_sandbox.salesforce.errors import Fault, Refusal
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.rest import Call
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.store import Row

_VALIDATED = "Account"


def check_conditions(call: Call, entity: Entity, row: Row) -> bool:
    """True where the caller's copy is still good (304). Raises Refusal (412) where a precondition fails."""
    tag, changed = _tag(row), _moment_of(row["SystemModstamp"])
    has_tags = entity.name == _VALIDATED
    wanted = call.headers.get("if-match", "") if has_tags else ""
    unmodified_since = _moment(call.headers.get("if-unmodified-since"))
    if (wanted and not _names(wanted, tag)) or (unmodified_since and changed > unmodified_since):
        code = knob(call.sandbox, "precondition_failed")
        raise Refusal(Fault(code, "The precondition of the request does not hold"), status=412)
    if call.method not in ("GET", "HEAD"):
        return False
    known = call.headers.get("if-none-match", "") if has_tags else ""
    if known:
        return _names(known, tag)
    return is_known(call, row["SystemModstamp"])


def is_known(call: Call, stamp: str) -> bool:
    """Whether the caller asks only for what changed after this moment (as rows are stamped), or later ones."""
    since = _moment(call.headers.get("if-modified-since"))
    return since is not None and _moment_of(stamp) <= since


def last_modified(stamp: str) -> dict[str, str]:
    return {"Last-Modified": format_datetime(_moment_of(stamp), usegmt=True)}


def stamps_of(entity: Entity, row: Row) -> dict[str, str]:
    """What a caller needs for a conditional request later."""
    stamps = last_modified(row["SystemModstamp"])
    return {**stamps, "ETag": _tag(row)} if entity.name == _VALIDATED else stamps


def _moment_of(stamp: str) -> datetime:
    """To the second, which is all that HTTP can tell."""
    return datetime.fromisoformat(stamp[:19]).replace(tzinfo=UTC)


def _tag(row: Row) -> str:
    seen = repr(sorted(row.items())).encode()
    return f'"{base64.b64encode(hashlib.sha256(seen).digest()[:18]).decode()}"'


def _names(header: str, tag: str) -> bool:
    tags = [each.strip() for each in header.split(",")]
    return "*" in tags or any(_bare(each) == _bare(tag) for each in tags)


def _bare(tag: str) -> str:
    """Without the mark that compression leaves on a tag."""
    return tag.removeprefix("W/").strip('"').removesuffix("--gzip")


def _moment(header: str | None) -> datetime | None:
    """A date of HTTP; anything else is passed over, as servers do."""
    if not header:
        return None
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""What a customer types: tidied, measured as Salesforce measures it, refused with what to do."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import cast, get_args

from portico.errors import FieldFault, InputWrong
from portico.i18n import Message, _m
from portico.support.about import About
from portico.support.cases import LONGEST_COMMENT_BYTES, LONGEST_SUBJECT, Priority
from portico.support.sending import Question

MOST_WORDS = 30_000
"""Of a new case, in UTF-16 units; the rest of what Salesforce takes is for what we add."""

REQUIRED = _m("Please fill in this field.")
TOO_LONG = _m("This is too long: %(used)s of at most %(most)s characters. Please shorten it.")
TOO_MANY_BYTES = _m(
    "This is too long: %(used)s of at most %(most)s bytes (a Japanese character counts 3). Shorten it, or send it in"
    " two messages."
)
NO_SUCH_PRIORITY = _m("Choose one of high, medium and low.")


def checked_question(
    subject: str, description: str, priority: str, about: About | None, *, language: str, url: str
) -> Question:
    """Raises InputWrong. What the case is about is written below the customer's words, for staff to click on."""
    subject, description, chosen = " ".join(_tidy(subject).split()), _tidy(description), priority.strip().lower()
    faults = [
        *_faults("/subject", subject, LONGEST_SUBJECT),
        *_faults("/description", description, MOST_WORDS),
        *([] if chosen in get_args(Priority) else [FieldFault("/priority", NO_SUCH_PRIORITY)]),
    ]
    if faults:
        raise InputWrong(*faults)
    return Question(subject, description + _footer(about, language, url), cast(Priority, chosen))


def checked_message(words: str) -> str:
    """Raises InputWrong: empty, or more bytes than a comment can hold."""
    words = _tidy(words)
    used = bytes_of(words)
    if not words:
        raise InputWrong(FieldFault("/text", REQUIRED))
    if used > LONGEST_COMMENT_BYTES:
        raise InputWrong(FieldFault("/text", TOO_MANY_BYTES(used=f"{used:,}", most=f"{LONGEST_COMMENT_BYTES:,}")))
    return words


def bytes_of(words: str) -> int:
    return len(words.encode())


def form_key(token: str, *words: str) -> str:
    """One form sent twice is the same; sent again with other words (a step back in the browser) it is a new one."""
    return f"form:{token}:{hashlib.sha256(chr(0).join(words).encode()).hexdigest()}"


def _tidy(words: str) -> str:
    """Line ends as \\n, no control characters, nothing around it."""
    lines = words.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(letter for letter in lines if letter in "\n\t" or unicodedata.category(letter) != "Cc").strip()


def _faults(pointer: str, words: str, most: int) -> list[FieldFault]:
    used = len(words.encode("utf-16-le")) // 2
    if not words:
        return [FieldFault(pointer, REQUIRED)]
    return [FieldFault(pointer, _too_long(used, most))] if used > most else []


def _too_long(used: int, most: int) -> Message:
    return TOO_LONG(used=f"{used:,}", most=f"{most:,}")


def _footer(about: About | None, language: str, url: str) -> str:
    if about is None:
        return ""
    lines = ["", "", "--", about.words.in_language(language), *([url + about.address] if about.address else [])]
    return "\n".join(lines)

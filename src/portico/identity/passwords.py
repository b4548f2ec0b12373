"""Portal passwords: what makes a fit one, and Argon2id in a bounded pool that sheds load."""

from __future__ import annotations

import asyncio
import functools
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from portico.errors import Busy
from portico.i18n import Message, _m

T = TypeVar("T")

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
THREADS = 2
MOST_WAITING = 40
"""At some 20 ms each: whoever gets in is answered within half a second."""
LONGEST = 256

_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$sSDgG3TUNhx4FiE81Q4o3A$va26HPk+XaN7vRZ3mTUb0NjHuuzlhr3K4jqZGPUXeHo"
"""Compared with where there is no account, so that the answer takes as long."""

TOO_SHORT = _m("Please use at least %(least)d characters.")
TOO_LONG = _m("Please use at most %(most)d characters.")
YOUR_OWN_NAME = _m("Please do not use your name or e-mail address as the password.")
TOO_COMMON = _m("This password is one of the most used ones. Please choose another.")

COMMON = frozenset(
    [
        "1234567890",
        "12345678901",
        "123456789012",
        "0123456789",
        "0987654321",
        "9876543210",
        "1234512345",
        "1111111111",
        "password12",
        "password123",
        "password1234",
        "password12345",
        "passwordpassword",
        "password01",
        "password1!",
        "passw0rd123",
        "p@ssw0rd123",
        "mypassword",
        "qwertyuiop",
        "qwertyuiop123",
        "qwerty1234",
        "qwerty12345",
        "qwerty123456",
        "qwertyqwerty",
        "1qaz2wsx3edc",
        "1q2w3e4r5t",
        "1q2w3e4r5t6y",
        "q1w2e3r4t5",
        "q1w2e3r4t5y6",
        "asdfghjkl1",
        "asdfghjkl123",
        "asdfasdfasdf",
        "zxcvbnm123",
        "abcdefghij",
        "abcdefghijk",
        "abcdef123456",
        "abcd123456",
        "abc1234567",
        "abc123456789",
        "abc123abc123",
        "iloveyou12",
        "iloveyou123",
        "iloveyou1234",
        "letmein123",
        "letmein1234",
        "welcome123",
        "welcome1234",
        "welcome12345",
        "admin12345",
        "admin123456",
        "administrator",
        "adminadmin",
        "changeme123",
        "changemenow",
        "sunshine123",
        "football123",
        "baseball123",
        "superman123",
        "princess123",
        "dragon12345",
        "monkey12345",
        "charlie123",
        "michael123",
        "liverpool123",
        "manchester",
        "computer123",
        "internet123",
        "samsung123",
        "pokemon123",
        "trustno1trustno1",
        "sakura1234",
        "sakurasakura",
        "arigatou123",
        "konnichiwa",
        "nihongo123",
        "aiueo12345",
        "kakikukeko",
        "password2024",
        "password2025",
        "password2026",
        "1qazxsw23edc",
        "qazwsxedcrfv",
        "qazwsx123456",
        "zaq12wsxcde3",
        "1qaz@wsx3edc",
        "portico123",
        "porticoportico",
    ]
)


def password_fault(password: str, least: int, own_words: Iterable[str]) -> Message | None:
    """What is wrong with a new password; None for a fit one. `own_words`: the e-mail address and names."""
    folded = unicodedata.normalize("NFKC", password).casefold().strip()
    if len(unicodedata.normalize("NFKC", password)) < least:
        return TOO_SHORT(least=least)
    if len(password) > LONGEST:
        return TOO_LONG(most=LONGEST)
    if _letters(folded) in {_letters(word.casefold()) for word in own_words if word}:
        return YOUR_OWN_NAME
    if folded in COMMON or len(set(folded)) < 3:
        return TOO_COMMON
    return None


async def hashed(password: str) -> str:
    """The Argon2id hash. Raises Busy when too many wait."""
    return await _in_pool(lambda: HASHER.hash(_normal(password)))


async def is_right(password: str, password_hash: str | None) -> bool:
    """Whether the password is the hash's; the same work where there is no hash. Raises Busy when too many wait."""
    return await _in_pool(lambda: _verify(password, password_hash or _NOBODYS)) and password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with other costs than ours are now."""
    return HASHER.check_needs_rehash(password_hash)


async def _in_pool(work: Callable[[], T]) -> T:
    return await _pool().run(work)


class _Pool:
    """One of a process: hashing must not take the processor from everybody else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._under_way = 0

    async def run(self, work: Callable[[], T]) -> T:
        if self._under_way >= THREADS + MOST_WAITING:
            raise Busy("passwords")
        self._under_way += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._done)  # not when the waiter gives up: the thread goes on working
        return await asyncio.shield(future)

    def _done(self, _: asyncio.Future[T]) -> None:
        self._under_way -= 1


@functools.cache
def _pool() -> _Pool:
    return _Pool()


def _verify(password: str, password_hash: str) -> bool:
    try:
        return HASHER.verify(password_hash, _normal(password))
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> str:
    """Full-width letters of a Japanese keyboard are the same password. Cut: no more is worth hashing."""
    return unicodedata.normalize("NFKC", password)[: 2 * LONGEST]


def _letters(word: str) -> str:
    """Without what people add to their name to make it longer."""
    return word.strip("0123456789!?.-_ ")

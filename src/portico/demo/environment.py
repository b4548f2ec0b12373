"""The settings of a demo: what its processes are told, and `var/demo/env`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from portico.demo.ports import Ports

OF_REAL_SYSTEMS = ("DATABASE_", "REDIS_", "MAIL_", "WHMCS_", "SALESFORCE_", "FREEBIT_", "SANDBOX_", "PG")

STAFF = [{"email": "staff@portico.example", "password": "portico-staff-1", "role": "staff"}]


def portal_url(ports: Ports) -> str:
    return f"http://localhost:{ports['portal']}"


def of_sandbox(ports: Ports, folder: Path, database_url: str) -> dict[str, str]:
    """What the sandbox is told; `folder` keeps its state and keys."""
    return {
        "SANDBOX_PORT_BASE": str(ports.base),
        "SANDBOX_FOLDER": str(folder),
        "SANDBOX_PORTAL_URL": portal_url(ports),
        "SANDBOX_PORTAL_DATABASE_URL": database_url,
    }


def of_portal(ports: Ports, database_url: str, redis_url: str) -> dict[str, str]:
    """What the portal is told, beside what the sandbox prints about itself."""
    return {
        "PORTAL_URL": portal_url(ports),
        "PORTAL_PORT": str(ports["portal"]),
        "PORTAL_METRICS_PORT": str(ports["metrics of web"]),
        "PORTAL_DEMO": "true",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "CREATION_QUIET_SECONDS": "5",  # the sandbox has no slow executor: a person waits for this
    }


def inherited() -> dict[str, str]:
    """Our caller's variables, less those that would lead a demo to somebody's real systems."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OF_REAL_SYSTEMS)}


def parse(text: str) -> dict[str, str]:
    """KEY=VALUE lines; values are taken as they stand, without quotes."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def lines(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in sorted(values.items()))


def fingerprint(world: Path) -> str:
    """Changes when a database that was seeded from this world must be looked at again."""
    portico = Path(__file__).parents[1]
    sources = [world, portico / "identity/seed.py", *sorted((portico / "migrations/versions").glob("*.py"))]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in sources)).hexdigest()


def noted(note: Path) -> str:
    return note.read_text() if note.exists() else ""


def make_note(note: Path, fingerprint_: str) -> None:
    note.write_text(fingerprint_)

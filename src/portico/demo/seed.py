"""Brings a demo's database up to date: schema, the portal users of the world, staff. Twice does no harm."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from portico.app import build_portal, running
from portico.db import migrate
from portico.identity.seed import seed_people
from portico.settings import Settings, read_settings


def main(world: Path) -> None:
    """Run as a process of its own by the supervisor, with the portal's settings; `world` is world.json."""
    settings = read_settings()
    migrate(settings.database.direct)
    asyncio.run(_seed(settings, json.loads(world.read_text())))


async def _seed(settings: Settings, world: dict[str, Any]) -> None:
    async with running(build_portal(settings)) as portal:
        await seed_people(portal, world)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""`python -m portico_sandbox`: serve. `… world`: print world.json's part. `… env`: print the portal's settings."""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop

from portico_sandbox.ports import PortTaken
from portico_sandbox.settings import Settings
from portico_sandbox.world_document import portal_environment, world_document

USAGE = "usage: python -m portico_sandbox [serve | world | env]"
EXIT_USAGE, EXIT_PORT_TAKEN = 2, 3


def main(arguments: list[str]) -> int:
    settings = Settings()
    match arguments or ["serve"]:
        case ["serve"]:
            return _serve(settings)
        case ["world"]:
            print(json.dumps(world_document(settings), ensure_ascii=False, indent=2))
        case ["env"]:
            print("\n".join(f"{name}={value}" for name, value in portal_environment(settings).items()))
        case _:
            print(USAGE, file=sys.stderr)
            return EXIT_USAGE
    return 0


def _serve(settings: Settings) -> int:
    from portico_sandbox.start import run  # the other commands need none of the servers

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(run(settings))
        except PortTaken as taken:
            print(f"{taken} Stop what listens there, or move all ports with SANDBOX_PORT_BASE.", file=sys.stderr)
            return EXIT_PORT_TAKEN
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

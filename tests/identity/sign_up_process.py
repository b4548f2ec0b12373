"""A web process of its own that signs one person up, to be killed in the middle. Body of the sign-up on stdin."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from portico.identity.fields import Application
from portico.identity.sign_up import sign_up
from portico.identity.visitors import Visitor
from portico.settings import read_settings
from tests.identity.conftest import built


async def main(application: Application) -> None:
    portal, notices = built(read_settings())
    await notices.start()
    visitor = Visitor("127.0.0.1", "test", "en")
    await sign_up(portal, application, visitor, personal_required=True, replaces=None)


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.stdin.buffer.read(), type=Application)))

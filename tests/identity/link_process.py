"""A process of its own that links one person, or tells Salesforce of a link, to be killed in the middle."""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

from pydantic import SecretStr

from portico.identity.linking import finish, link
from portico.identity.visitors import Visitor
from portico.settings import read_settings
from tests.identity.conftest import built
from tests.identity.linkable import MISAKI


async def main(link_id: str) -> None:
    portal, notices = built(read_settings())
    await notices.start()
    if link_id:
        await finish(portal, UUID(link_id))
    else:
        await link(portal, MISAKI.email, SecretStr(MISAKI.password), Visitor("127.0.0.1", "test", "en"))


if __name__ == "__main__":
    asyncio.run(main("".join(sys.argv[1:])))

"""Mail: once per occasion, with the transaction that caused it, and it goes out in the end."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from typing import Any, cast

import pytest
import pytest_asyncio
from aiosmtpd.controller import Controller
from sqlalchemy import text

from portico.app import build_portal
from portico.errors import SystemDown
from portico.portal import Portal
from portico.post import OFTEN, SELDOM, _send, post, resend
from portico.settings import read_settings
from tests.fixtures.servers import Servers
from tests.own_servers import own_database
from tests.systems.free_port import free_port

KEY = "order-placed:801"


class Server:
    """A mail server that can refuse."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=default))
        return self.answer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(servers: Servers) -> AsyncIterator[tuple[Portal, Server]]:
    server, port = Server(), free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", await own_database(servers, "letters"))
        patch.setenv("REDIS_URL", "")
        patch.setenv("MAIL_PORT", str(port))
        portal = build_portal(read_settings()).portal
    controller = Controller(server, hostname="127.0.0.1", port=port)
    controller.start()
    yield portal, server
    controller.stop()
    await portal.db.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def office(running: tuple[Portal, Server]) -> tuple[Portal, Server]:
    portal, server = running
    async with portal.db.begin() as tx:
        await tx.execute(text("TRUNCATE mails, procrastinate_jobs CASCADE"))
    portal.clock.move_to(0)
    server.mails.clear()
    server.answer = "250 OK"
    return running


async def write(portal: Portal, key: str = KEY, **values: str) -> None:
    async with portal.db.begin() as tx:
        await post(
            portal,
            tx,
            key=key,
            to="hina@mail.example",
            template="orders/cancelled_by_staff.txt",
            language=values.pop("language", "en"),
            **{"name": "Hina", "order_url": "http://localhost:8000/orders/801", **values},
        )


async def rows(portal: Portal, query: str) -> list[dict[str, Any]]:
    async with portal.db.begin() as tx:
        return [dict(row) for row in (await tx.execute(text(query))).mappings()]


async def test_a_mail_and_its_job_are_one_with_their_cause(office: tuple[Portal, Server]) -> None:
    portal, _ = office
    with pytest.raises(ZeroDivisionError):
        async with portal.db.begin() as tx:
            await portal.mail.write(
                tx,
                portal.clock.now(),
                key="never",
                to="a@mail.example",
                template="orders/cancelled_by_staff.txt",
                language="en",
                name="A",
                order_url="u",
            )
            raise ZeroDivisionError
    await write(portal)
    assert [row["key"] for row in await rows(portal, "SELECT key FROM mails")] == [KEY]
    [job] = await rows(portal, "SELECT task_name, queue_name, lock FROM procrastinate_jobs")
    assert job == {"task_name": "send_mail", "queue_name": "mail", "lock": f"mail:{KEY}"}


async def test_an_occasion_is_written_and_sent_once(office: tuple[Portal, Server]) -> None:
    portal, server = office
    await write(portal)
    await write(portal, name="Somebody else")
    for _ in range(3):
        await _send(portal, KEY)
    [mail] = server.mails
    plain = cast(EmailMessage, mail).get_body(("plain",))
    assert plain is not None and "Somebody else" not in plain.get_content()


async def test_what_a_person_receives(office: tuple[Portal, Server]) -> None:
    portal, server = office
    await write(portal, name="Hina <b>")
    await _send(portal, KEY)
    mail = cast(EmailMessage, server.mails[0])
    assert mail["To"] == "hina@mail.example" and mail["Subject"] and "\n" not in mail["Subject"]
    assert portal.settings.mail.sender in mail["From"] and mail["Auto-Submitted"] == "auto-generated"
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None and html is not None
    assert "Hina <b>" in plain.get_content() and "Hina &lt;b&gt;" in html.get_content()
    assert 'href="http://localhost:8000/orders/801"' in html.get_content()


async def test_a_mail_speaks_its_persons_language(office: tuple[Portal, Server]) -> None:
    portal, server = office
    await write(portal, language="ja")
    await _send(portal, KEY)
    mail = cast(EmailMessage, server.mails[0])
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert html is not None and '<html lang="ja">' in html.get_content()
    assert plain is not None and any("\u3040" <= letter <= "\u30ff" for letter in plain.get_content())


@pytest.mark.parametrize("answer", ["451 later", "550 nobody here"])
async def test_what_could_not_be_sent_stays_and_goes_out_later(office: tuple[Portal, Server], answer: str) -> None:
    portal, server = office
    await write(portal)
    server.answer = answer
    with pytest.raises(SystemDown):
        await _send(portal, KEY)
    assert await rows(portal, "SELECT sent_at FROM mails") == [{"sent_at": None}]
    server.answer = "250 OK"
    await _send(portal, KEY)
    assert len(server.mails) == 1
    [row] = await rows(portal, "SELECT sent_at FROM mails")
    assert row["sent_at"] is not None


async def test_a_mail_server_that_is_away_is_trouble_of_ours(office: tuple[Portal, Server]) -> None:
    portal, _ = office
    nowhere = portal.settings.mail.model_copy(update={"port": free_port()})
    away = dataclasses.replace(portal, mail=dataclasses.replace(portal.mail, settings=nowhere))
    await write(away)
    with pytest.raises(SystemDown) as down:
        await _send(away, KEY)
    assert down.value.system == "mail"


async def test_unsent_mails_get_a_job_soon_then_seldom_then_none(office: tuple[Portal, Server]) -> None:
    portal, _ = office
    await write(portal)
    await rows(portal, "DELETE FROM procrastinate_jobs RETURNING id")
    for moved, often, seldom in ((10, 0, 0), (60, 1, 1), (1200, 0, 1), (4 * 86400, 0, 0)):
        portal.clock.move_to(moved)
        for not_older, expected in ((OFTEN, often), (SELDOM, seldom)):
            await resend(portal, not_older)
            found = await rows(portal, "DELETE FROM procrastinate_jobs RETURNING id")
            assert len(found) == expected, (moved, not_older)


async def test_mails_that_nobody_takes_stand_before_no_other(office: tuple[Portal, Server]) -> None:
    portal, _ = office
    for number in range(120):
        await write(portal, key=f"refused-{number}")
    portal.clock.move_to(40)
    await write(portal, key="good")
    await rows(portal, "DELETE FROM procrastinate_jobs RETURNING id")
    portal.clock.move_to(100)
    await resend(portal, OFTEN)
    jobs = await rows(portal, "SELECT args FROM procrastinate_jobs")
    assert {"args": {"key": "good"}} in jobs and len(jobs) == 100

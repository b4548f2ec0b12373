"""Rendering, forms, flash messages, language and theme."""

from __future__ import annotations

import base64
import gzip

import httpx2
import msgspec
import pytest

from portico.settings import Settings
from portico.web import own_path
from portico.web.cookies import flash_of
from tests.web.trial import SAME_ORIGIN, SAVED


async def test_a_refused_form_keeps_what_was_typed_but_no_password(client: httpx2.AsyncClient) -> None:
    typed = {"email": '"><script>alert(1)</script>', "password": "correct horse"}
    answer = await client.post("/form", data=typed, headers=SAME_ORIGIN)
    assert answer.status_code == 422
    assert "&lt;script&gt;" in answer.text
    assert "<script>alert" not in answer.text
    assert "correct horse" not in answer.text
    assert 'href="#f-email"' in answer.text
    assert 'aria-describedby="f-email-fault" aria-invalid="true"' in answer.text


async def test_a_multipart_form_is_read_alike(client: httpx2.AsyncClient) -> None:
    parts = {"email": (None, "a@b.example"), "password": (None, "x")}
    answer = await client.post("/form", files=parts, headers=SAME_ORIGIN)
    assert answer.status_code == 303


async def test_bytes_that_are_no_form_are_refused(client: httpx2.AsyncClient) -> None:
    for media_type, content in (("application/x-www-form-urlencoded", b"email=%ff"), ("application/json", b"{}")):
        answer = await client.post("/form", content=content, headers=SAME_ORIGIN | {"content-type": media_type})
        assert answer.status_code == 400


async def test_a_message_is_shown_once_and_escaped(client: httpx2.AsyncClient) -> None:
    saved = await client.post("/form", data={"email": "<b>1</b>", "password": "x"}, headers=SAME_ORIGIN)
    assert (saved.status_code, saved.headers["location"]) == (303, "/open")
    shown = await client.get("/open", headers={"accept-language": "ja"})
    assert "請求書 &lt;b&gt;1&lt;/b&gt;" in shown.text
    assert "請求書" not in (await client.get("/open", headers={"accept-language": "ja"})).text


@pytest.mark.parametrize(
    "content",
    [
        ("success", "0123456789ab", {}),
        ("success", SAVED.key, {}),
        ("danger", SAVED.key, {"number": "1"}),
        ("success", SAVED.key, {"number": 1}),
        "text",
    ],
)
def test_a_forged_message_shows_nothing(settings: Settings, content: object) -> None:
    packed = base64.urlsafe_b64encode(msgspec.json.encode(content)).decode()
    assert flash_of(settings, {"portico-flash": packed}) is None


@pytest.mark.parametrize("packed", ["", "=", "é", "A" * 5000, "bm90IGpzb24="])
def test_a_broken_message_shows_nothing(settings: Settings, packed: str) -> None:
    assert flash_of(settings, {"portico-flash": packed}) is None


async def test_a_message_value_is_cut(settings: Settings) -> None:
    packed = base64.urlsafe_b64encode(msgspec.json.encode(("info", SAVED.key, {"number": "9" * 500}))).decode()
    flash = flash_of(settings, {"portico-flash": packed})
    assert flash is not None
    assert len(str(flash.message)) < 100


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("ja", "ja"),
        ("ja-JP,en;q=0.8", "ja"),
        ("en-US,ja;q=0.9", "en"),
        ("fr, ja;q=0.5, en;q=0.4", "ja"),
        ("fr", "en"),
        ("", "en"),
        ("ja;q=0", "en"),
        ("ja;q=oops", "en"),
    ],
)
async def test_the_language_is_the_browser_s(client: httpx2.AsyncClient, accept: str, language: str) -> None:
    answer = await client.get("/open", headers={"accept-language": accept})
    assert f'<html lang="{language}"' in answer.text
    assert answer.headers["content-language"] == language


async def test_a_chosen_language_and_theme_stay(client: httpx2.AsyncClient) -> None:
    for name, value in (("language", "ja"), ("theme", "dark")):
        back = await client.post(f"/preferences/{name}", data={name: value, "next": "/open?a=1"}, headers=SAME_ORIGIN)
        assert (back.status_code, back.headers["location"]) == (303, "/open?a=1")
    page = await client.get("/open", headers={"accept-language": "en"})
    assert '<html lang="ja" data-theme="dark">' in page.text


async def test_a_choice_that_is_none_changes_nothing(client: httpx2.AsyncClient) -> None:
    data = {"language": '"><x', "next": "//evil.example/"}
    answer = await client.post("/preferences/language", data=data, headers=SAME_ORIGIN)
    assert answer.headers["location"] == "/"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        ("/", True),
        ("/orders/1?x=%2F%2F", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("/\t/evil.example", False),
        ("https://evil.example", False),
        ("javascript:alert(1)", False),
        ("", False),
        ("/注文", False),
        ("/x\r\nset-cookie: a=b", False),
        ("/" + "x" * 3000, False),
    ],
)
def test_paths_of_ours(path: str, is_ours: bool) -> None:
    assert (own_path(path) == path) is is_ours


async def test_long_pages_are_squeezed(client: httpx2.AsyncClient) -> None:
    async with client.stream("GET", "/open", headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert b"<!doctype html>" in gzip.decompress(raw)


async def test_a_hand_off_keeps_our_address_to_itself(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/pay", headers=SAME_ORIGIN)
    assert answer.status_code == 303
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "form-action 'self' http://localhost:8103;" in answer.headers["content-security-policy"]


async def test_head_answers_as_get_without_a_body(client: httpx2.AsyncClient) -> None:
    head, got = await client.head("/open"), await client.get("/open")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert (await client.head("/form")).status_code == 405


async def test_a_request_has_a_deadline(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/deadline")).json() is True


async def test_static_files_are_kept_by_content(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/open")).text
    address = next(part for part in page.split('"') if part.startswith("/static/portico.css"))
    first = await client.get(address)
    assert "immutable" in first.headers["cache-control"]
    again = await client.get(address, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "immutable" not in (await client.get("/static/portico.css")).headers["cache-control"]
    for name in ("nowhere.css", "..%2fweb%2fcsrf.py", "styles"):
        assert (await client.get(f"/static/{name}")).status_code == 404

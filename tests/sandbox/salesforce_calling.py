"""A caller of the Salesforce stand-in: signs in as the portal would, speaks REST and Pub/Sub."""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import grpc
import httpx2
import jwt

from portico_sandbox.salesforce import pubsub, wire
from portico_sandbox.salesforce.app import build_app
from portico_sandbox.salesforce.avro_schemas import schema_by_id
from portico_sandbox.salesforce.keys import Keys
from portico_sandbox.salesforce.seed import seed
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.world import PORTAL_PRICEBOOK_ID
from tests.sandbox.serving_apps import client_of, fresh_sandbox

ROOT = "/services/data/v68.0"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def assertion(sandbox: Sandbox, **claims: Any) -> str:
    settings = sandbox.settings
    usual = {
        "iss": settings.salesforce_client_id,
        "sub": settings.salesforce_username,
        "aud": "https://login.salesforce.com",
        "exp": int(time.time()) + 180,
    }
    key = Keys(settings.folder).salesforce_key.read_bytes()
    return jwt.PyJWS().encode(json.dumps({**usual, **claims}).encode(), key, algorithm="RS256")


@dataclass
class Salesforce:
    sandbox: Sandbox
    http: httpx2.AsyncClient
    token: str = ""
    pubsub_channel: Any = None

    async def mint(self, **claims: Any) -> httpx2.Response:
        form = {"grant_type": GRANT, "assertion": assertion(self.sandbox, **claims)}
        return await self.http.post("/services/oauth2/token", data=form)

    async def sign_in(self) -> Salesforce:
        self.token = (await self.mint()).json()["access_token"]
        return self

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        wanted = {"Authorization": f"Bearer {self.token}", "Sforce-Call-Options": "client=portico", **named}
        address = path if path.startswith("/services") else ROOT + path
        return await self.http.request(method, address, json=body, headers=wanted)

    async def query(self, soql: str, **headers: str) -> httpx2.Response:
        address = str(httpx2.URL(f"{ROOT}/query", params={"q": soql}))
        return await self.call("GET", address, **headers)

    async def records(self, soql: str) -> list[dict[str, Any]]:
        answer = await self.query(soql)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["records"]
        return found

    async def create(self, entity: str, **fields: Any) -> str:
        answer = await self.call("POST", f"/sobjects/{entity}", fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def update(self, entity: str, record_id: str, **fields: Any) -> None:
        answer = await self.call("PATCH", f"/sobjects/{entity}/{record_id}", fields)
        assert answer.status_code == 204, answer.text

    def account_id(self, place: int = 0) -> str:
        return [person.sf_account_id for person in self.sandbox.world.people if person.role == "free"][place]

    def entry_id(self, sku: str = "MOB-ESIM-3GB") -> str:
        return self.sandbox.world.product_by_sku[sku].sf_entry_id

    async def draft_order(self, *skus: str, **more: Any) -> str:
        """A draft with a line for each SKU."""
        fields = {
            "AccountId": self.account_id(),
            "EffectiveDate": "2026-11-23",
            "Status": "Pending Review",
            "Pricebook2Id": PORTAL_PRICEBOOK_ID,
        }
        order = await self.create("Order", **fields, **more)
        for sku in skus:
            line = {"PricebookEntryId": self.entry_id(sku), "Quantity": 1, "UnitPrice": 980}
            await self.create("OrderItem", OrderId=order, **line)
        return order


@asynccontextmanager
async def salesforce_at(folder: Path) -> AsyncIterator[Salesforce]:
    """The stand-in on a free port, its world seeded, a caller signed in."""
    sandbox = fresh_sandbox(folder)
    seed(sandbox)
    async with client_of(build_app(sandbox)) as client:
        yield await Salesforce(sandbox, client).sign_in()


@asynccontextmanager
async def salesforce_with_streams(folder: Path) -> AsyncIterator[Salesforce]:
    """The same with Pub/Sub beside it."""
    sandbox = fresh_sandbox(folder, port_base=_free_base())
    seed(sandbox)
    server = await pubsub.start(sandbox)
    try:
        async with (
            client_of(build_app(sandbox)) as client,
            grpc.aio.insecure_channel(f"127.0.0.1:{sandbox.settings.pubsub_port}") as channel,
        ):
            yield await Salesforce(sandbox, client, pubsub_channel=channel).sign_in()
    finally:
        await server.stop(None)


def metadata(caller: Salesforce, **changes: str) -> tuple[tuple[str, str], ...]:
    usual = {
        "accesstoken": caller.token,
        "instanceurl": str(caller.http.base_url),
        "tenantid": next(iter(caller.sandbox.store.table("sf:Organization"))),
    }
    return tuple({**usual, **changes}.items())


class Subscription:
    """An open Subscribe call."""

    def __init__(self, caller: Salesforce, channel: Any, **changes: str) -> None:
        path = f"/{wire.SERVICE}/Subscribe"
        method = channel.stream_stream(path, wire.FetchRequest.SerializeToString, wire.FetchResponse.FromString)
        self.caller = caller
        self.call = method(metadata=metadata(caller, **changes))

    async def ask(self, topic: str = "", preset: int = wire.LATEST, replay: bytes = b"", credit: int = 50) -> Any:
        """Sends a FetchRequest; answers the first response of all, which tells that the stream stands."""
        request = wire.FetchRequest(topic_name=topic, replay_preset=preset, replay_id=replay, num_requested=credit)
        with suppress(grpc.aio.AioRpcError):  # a call that was refused already: reading tells why
            await self.call.write(request)
        return self

    async def next(self) -> Any:
        response = await self.call.read()
        assert response is not grpc.aio.EOF, (await self.call.code(), await self.call.details())
        return response

    async def events(self, count: int) -> list[Change]:
        """The next so many events; responses without any are passed over."""
        found: list[Change] = []
        while len(found) < count:
            found += [Change.read(each) for each in (await self.next()).events]
        return found

    async def error_code(self) -> tuple[str, str]:
        """(status, error-code) of a stream that ends with an error."""
        try:
            while await self.call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError:
            pass
        trailers = dict(await self.call.trailing_metadata())
        return (await self.call.code()).name, str(trailers.get("error-code", ""))


@dataclass(frozen=True)
class Change:
    """A decoded event."""

    event_id: str
    replay: bytes
    header: dict[str, Any]
    body: dict[str, Any]
    schema: dict[str, Any]

    @classmethod
    def read(cls, consumed: Any) -> Change:
        # The schema as GetSchema gives it; asked directly to keep this reader small.
        known = schema_by_id(consumed.event.schema_id)
        assert known
        schema = json.loads(known.json)
        parsed = fastavro.parse_schema(json.loads(known.json))
        record: Any = fastavro.schemaless_reader(io.BytesIO(consumed.event.payload), parsed, None)
        return cls(consumed.event.id, consumed.replay_id, record.pop("ChangeEventHeader"), record, schema)

    @property
    def changed(self) -> set[str]:
        return fields_of(self.schema, self.header["changedFields"])

    @property
    def nulled(self) -> set[str]:
        return fields_of(self.schema, self.header["nulledFields"])


def fields_of(schema: dict[str, Any], bitmaps: list[str]) -> set[str]:
    """A reader of bitmaps of our own, after the vendor's description."""
    named: dict[str, Any] = {}
    _collect(schema, named)
    found = set()
    for each in bitmaps:
        if each.startswith("0x"):
            bits = int(each, 16)
            found |= {field["name"] for n, field in enumerate(schema["fields"]) if bits >> n & 1}
        else:
            index, _, digits = each.partition("-")
            parent = schema["fields"][int(index)]
            [kind] = [option for option in parent["type"] if option not in ("null", "string")]
            record = named[kind] if isinstance(kind, str) else kind
            bits = int(digits, 16)
            found |= {f"{parent['name']}.{part['name']}" for n, part in enumerate(record["fields"]) if bits >> n & 1}
    return found


def _collect(node: Any, named: dict[str, Any]) -> None:
    if isinstance(node, dict):
        if node.get("type") == "record":
            named[node["name"]] = node
        for value in node.values():
            _collect(value, named)
    elif isinstance(node, list):
        for value in node:
            _collect(value, named)


def _free_base() -> int:
    """A port base whose two Pub/Sub ports are free."""
    while True:
        with socket.socket() as plain, socket.socket() as tls:
            plain.bind(("127.0.0.1", 0))
            base: int = plain.getsockname()[1] - 102
            try:
                tls.bind(("127.0.0.1", base + 112))
            except OSError:
                continue
            return base

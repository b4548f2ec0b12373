"""Schemas of change events by their id: fetched once, kept for ever (an id never changes its meaning)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import grpc.aio
import structlog

from portico.systems.salesforce.change_events import Schema, schema_of
from portico.systems.salesforce.pubsub_errors import error_of
from portico.systems.salesforce.pubsub_wire import GET_SCHEMA

_NOT_THERE = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)
_UNKNOWN_SECONDS = 60.0
"""A schema that could not be had is asked for again after this: a burst of its events must not become one of calls."""
_CALL_SECONDS = 15.0

_log = structlog.get_logger()


class Schemas:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._ask = channel.unary_unary(
            GET_SCHEMA.path,
            request_serializer=GET_SCHEMA.request.SerializeToString,
            response_deserializer=GET_SCHEMA.answer.FromString,
        )
        self._known: dict[str, Schema] = {}
        self._unknown: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, schema_id: str, metadata: Any) -> Schema | None:
        """None where the service knows no such schema, or one that is none. Raises what `error_of` answers where it
        could not be asked: the event must not be given up for that.
        """
        if schema_id in self._known:
            return self._known[schema_id]
        async with self._locks.setdefault(schema_id, asyncio.Lock()):
            if schema_id not in self._known and time.monotonic() >= self._unknown.get(schema_id, 0):
                await self._fetch(schema_id, metadata)
        self._locks.pop(schema_id, None)
        return self._known.get(schema_id)

    async def _fetch(self, schema_id: str, metadata: Any) -> None:
        try:
            request = GET_SCHEMA.request(schema_id=schema_id)
            info = await self._ask(request, metadata=metadata, timeout=_CALL_SECONDS)
            self._known[schema_id] = schema_of(info.schema_json)
        except grpc.aio.AioRpcError as error:
            if error.code() not in _NOT_THERE:
                raise error_of(error) from error
            self._give_up(schema_id, error.code().name)
        except Exception as error:  # noqa: BLE001  a schema from outside can be wrong in any way; its events are parked
            self._give_up(schema_id, type(error).__name__)

    def _give_up(self, schema_id: str, reason: str) -> None:
        self._unknown[schema_id] = time.monotonic() + _UNKNOWN_SECONDS
        _log.error("salesforce.schema.unknown", schema_id=schema_id, reason=reason)

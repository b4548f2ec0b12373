"""The messages of the Pub/Sub API, built at import from the field table: no generated code."""

from __future__ import annotations

from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "eventbus.v1"
LATEST, EARLIEST, CUSTOM = 0, 1, 2
"""ReplayPreset."""


class Method(NamedTuple):
    path: str
    request: Any
    answer: Any


_TEXT, _BYTES, _BOOL, _INT32 = (
    descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
)

# Message → its fields in the order of their numbers, from 1. A name in place of a type is a message or enum;
# a list means "repeated".
_MESSAGES: dict[str, list[tuple[str, Any]]] = {
    "TopicRequest": [("topic_name", _TEXT)],
    "TopicInfo": [
        ("topic_name", _TEXT),
        ("tenant_guid", _TEXT),
        ("can_publish", _BOOL),
        ("can_subscribe", _BOOL),
        ("schema_id", _TEXT),
        ("rpc_id", _TEXT),
    ],
    "SchemaRequest": [("schema_id", _TEXT)],
    "SchemaInfo": [("schema_json", _TEXT), ("schema_id", _TEXT), ("rpc_id", _TEXT)],
    "EventHeader": [("key", _TEXT), ("value", _BYTES)],
    "ProducerEvent": [("id", _TEXT), ("schema_id", _TEXT), ("payload", _BYTES), ("headers", ["EventHeader"])],
    "ConsumerEvent": [("event", "ProducerEvent"), ("replay_id", _BYTES)],
    "FetchRequest": [
        ("topic_name", _TEXT),
        ("replay_preset", "ReplayPreset"),
        ("replay_id", _BYTES),
        ("num_requested", _INT32),
        ("auth_refresh", _TEXT),  # the vendor's own: never set
    ],
    "FetchResponse": [
        ("events", ["ConsumerEvent"]),
        ("latest_replay_id", _BYTES),
        ("rpc_id", _TEXT),
        ("pending_num_requested", _INT32),
    ],
}
_PRESETS = {"LATEST": LATEST, "EARLIEST": EARLIEST, "CUSTOM": CUSTOM}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="portico/pubsub_api.proto", package=PACKAGE, syntax="proto3")
    preset = file.enum_type.add(name="ReplayPreset")
    for name, number in _PRESETS.items():
        preset.value.add(name=name, number=number)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields, start=1):
            _add_field(message, field, number, kind)
    return file


def _add_field(message: Any, name: str, number: int, kind: Any) -> None:
    kinds = descriptor_pb2.FieldDescriptorProto
    repeated = isinstance(kind, list)
    kind = kind[0] if repeated else kind
    field = message.field.add(name=name, number=number)
    field.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
    if isinstance(kind, str):
        field.type = kinds.TYPE_ENUM if kind == "ReplayPreset" else kinds.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{kind}"
    else:
        field.type = kind


# A pool of our own: the sandbox declares the same messages, and tests run both in one process.
_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


TopicRequest, TopicInfo = _message("TopicRequest"), _message("TopicInfo")
SchemaRequest, SchemaInfo = _message("SchemaRequest"), _message("SchemaInfo")
FetchRequest, FetchResponse = _message("FetchRequest"), _message("FetchResponse")
ConsumerEvent, ProducerEvent = _message("ConsumerEvent"), _message("ProducerEvent")

GET_TOPIC = Method(f"/{PACKAGE}.PubSub/GetTopic", TopicRequest, TopicInfo)
GET_SCHEMA = Method(f"/{PACKAGE}.PubSub/GetSchema", SchemaRequest, SchemaInfo)
SUBSCRIBE = Method(f"/{PACKAGE}.PubSub/Subscribe", FetchRequest, FetchResponse)

"""The messages of the Pub/Sub API, built at import from the vendor's field table: no generated code.

In a descriptor pool of its own, since portal and sandbox share test processes and each has its own reading.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "eventbus.v1"
SERVICE = f"{PACKAGE}.PubSub"

# Number, type, name. `*` marks a repeated field; a capital letter means a message or an enum of this file.
_MESSAGES: dict[str, list[tuple[int, str, str]]] = {
    "TopicRequest": [(1, "string", "topic_name")],
    "TopicInfo": [
        (1, "string", "topic_name"), (2, "string", "tenant_guid"), (3, "bool", "can_publish"),
        (4, "bool", "can_subscribe"), (5, "string", "schema_id"), (6, "string", "rpc_id"),
    ],
    "SchemaRequest": [(1, "string", "schema_id")],
    "SchemaInfo": [(1, "string", "schema_json"), (2, "string", "schema_id"), (3, "string", "rpc_id")],
    "EventHeader": [(1, "string", "key"), (2, "bytes", "value")],
    "ProducerEvent": [
        (1, "string", "id"), (2, "string", "schema_id"), (3, "bytes", "payload"), (4, "*EventHeader", "headers"),
    ],
    "ConsumerEvent": [(1, "ProducerEvent", "event"), (2, "bytes", "replay_id")],
    "FetchRequest": [
        (1, "string", "topic_name"), (2, "ReplayPreset", "replay_preset"), (3, "bytes", "replay_id"),
        (4, "int32", "num_requested"), (5, "string", "auth_refresh"),
    ],
    "FetchResponse": [
        (1, "*ConsumerEvent", "events"), (2, "bytes", "latest_replay_id"), (3, "string", "rpc_id"),
        (4, "int32", "pending_num_requested"),
    ],
    "PublishRequest": [(1, "string", "topic_name"), (2, "*ProducerEvent", "events"), (3, "string", "auth_refresh")],
    "PublishResponse": [(1, "*PublishResult", "results"), (2, "string", "schema_id"), (3, "string", "rpc_id")],
    "PublishResult": [(1, "bytes", "replay_id"), (2, "Error", "error"), (3, "string", "correlation_key")],
    "Error": [(1, "ErrorCode", "code"), (2, "string", "msg")],
    "ManagedFetchRequest": [
        (1, "string", "subscription_id"), (2, "string", "developer_name"), (3, "int32", "num_requested"),
        (4, "string", "auth_refresh"), (5, "CommitReplayRequest", "commit_replay_id_request"),
    ],
    "ManagedFetchResponse": [
        (1, "*ConsumerEvent", "events"), (2, "bytes", "latest_replay_id"), (3, "string", "rpc_id"),
        (4, "int32", "pending_num_requested"), (5, "CommitReplayResponse", "commit_response"),
    ],
    "CommitReplayRequest": [(1, "string", "commit_request_id"), (2, "bytes", "replay_id")],
    "CommitReplayResponse": [
        (1, "string", "commit_request_id"), (2, "bytes", "replay_id"), (3, "Error", "error"),
        (4, "int64", "process_time"),
    ],
}  # fmt: skip
_ENUMS = {"ReplayPreset": ("LATEST", "EARLIEST", "CUSTOM"), "ErrorCode": ("UNKNOWN", "PUBLISH", "COMMIT")}
LATEST, EARLIEST, CUSTOM = range(3)
UNKNOWN_ERROR, PUBLISH_ERROR, COMMIT_ERROR = range(3)

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="pubsub_api.proto", package=PACKAGE, syntax="proto3")
    for name, values in _ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, kind, field_name in fields:
            _add_field(message, number, kind, field_name)
    return file


def _add_field(message: descriptor_pb2.DescriptorProto, number: int, kind: str, name: str) -> None:
    plain = kind.lstrip("*")
    label = _Field.LABEL_REPEATED if kind.startswith("*") else _Field.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    if plain in _TYPES:
        field.type = _TYPES[plain]
    else:
        field.type = _Field.TYPE_ENUM if plain in _ENUMS else _Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{plain}"


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


TopicRequest = _message("TopicRequest")
TopicInfo = _message("TopicInfo")
SchemaRequest = _message("SchemaRequest")
SchemaInfo = _message("SchemaInfo")
FetchRequest = _message("FetchRequest")
FetchResponse = _message("FetchResponse")
ConsumerEvent = _message("ConsumerEvent")
ProducerEvent = _message("ProducerEvent")
PublishRequest = _message("PublishRequest")
PublishResponse = _message("PublishResponse")
PublishResult = _message("PublishResult")
Error = _message("Error")
ManagedFetchRequest = _message("ManagedFetchRequest")
ManagedFetchResponse = _message("ManagedFetchResponse")
CommitReplayRequest = _message("CommitReplayRequest")
CommitReplayResponse = _message("CommitReplayResponse")

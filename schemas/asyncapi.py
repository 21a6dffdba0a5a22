"""The AsyncAPI 3 document of all topics, from the catalogue and the schema files."""

from __future__ import annotations

from typing import Any

from schemas.catalogue import Topic, schema_files, topics

AVRO = "application/vnd.apache.avro;version=1.9.0"


def document(version: str) -> dict[str, Any]:
    """Return the document as JSON data; ``version`` is that of the project."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "SmartBlood Stream",
            "version": version,
            "description": "Blood requests in, ranked and lawful donor matches out, exactly once.",
        },
        "defaultContentType": "application/vnd.apache.avro",
        "channels": {topic.name: _channel(topic) for topic in topics().values()},
        "operations": _operations(),
        "components": {"messages": _messages()},
    }


def _channel(topic: Topic) -> dict[str, Any]:
    kept = {"kept_days": topic.kept_days} if topic.kept_days is not None else {}
    return {
        "address": topic.name,
        "description": f"Keyed by {topic.key}; written by {', '.join(topic.written_by)}; "
        f"read by {', '.join(topic.read_by)}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _message_names(topic.name)},
        "bindings": {"kafka": {"topic": topic.name, "topicConfiguration": {"cleanup.policy": list(topic.cleanup)}}},
        "x-partitions": topic.partitions,
        "x-retention": kept,
    }


def _message_names(topic: str) -> list[str]:
    names = [f"{file.topic}.v{file.version}" for file in schema_files() if file.topic == topic]
    return names or [topic]


def _messages() -> dict[str, Any]:
    messages: dict[str, Any] = {}
    for file in schema_files():
        schema = file.load()
        messages[f"{file.topic}.v{file.version}"] = {
            "name": schema["name"],
            "summary": schema["doc"],
            "contentType": "application/vnd.apache.avro",
            "bindings": {
                "kafka": {
                    "key": {"type": "string"},
                    "schemaIdLocation": "payload",
                    "schemaIdPayloadEncoding": "confluent",
                }
            },
            "x-schema-id": file.schema_id,
            "payload": {"schemaFormat": AVRO, "schema": schema},
        }
    messages["dead-letters"] = {
        "name": "DeadLetter",
        "summary": "The original key and value, untouched; where they came from and the error, in headers.",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": {name: {"type": "string"} for name in DEAD_LETTER_HEADERS}},
        "payload": {},
    }
    return messages


DEAD_LETTER_HEADERS = (
    "source-topic",
    "source-partition",
    "source-offset",
    "source-timestamp",
    "processor",
    "error",
)


def _operations() -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for topic in topics().values():
        for action, parties in (("send", topic.written_by), ("receive", topic.read_by)):
            for party in parties:
                operations[f"{party} {action}s {topic.name}".replace(" ", "-")] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{topic.name}"},
                    "title": f"{party} {'writes' if action == 'send' else 'reads'} {topic.name}",
                }
    return operations

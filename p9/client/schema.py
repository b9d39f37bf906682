"""The contract for machines: a JSON Schema of every event, and an AsyncAPI document of every channel, both out of the typed events.

    python -m p9.client.schema events > docs/schemas/events.schema.json
    python -m p9.client.schema asyncapi > docs/schemas/asyncapi.json
"""

import json
import sys
from typing import Any

import msgspec

from p9.client.event import TYPES, Event

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DECIMAL = r"^-?\d+(\.\d+)?$"  # never an exponent, never a binary float
WITH_TIMEFRAME = ("candles", "candles_open", "cvd")


def _ours(name: str) -> bool:
    """Fields that the consumer library adds have names that no event can have."""
    return name.startswith(" ")


def _cleaned(part: Any) -> Any:
    """Decimals with their pattern; without the library's own fields and msgspec's titles."""
    if isinstance(part, list):
        return [_cleaned(each) for each in part]
    if not isinstance(part, dict):
        return part
    part = {key: _cleaned(value) for key, value in part.items() if key != "title"}
    if part.get("format") == "decimal":
        part = {**part, "pattern": DECIMAL}
    if isinstance(part.get("properties"), dict):
        part["properties"] = {name: value for name, value in part["properties"].items() if not _ours(name)}
    return part


def definitions(template: str) -> dict[str, Any]:
    """{type of channel: its schema} and what they refer to; `template` is where that stands, with {name}."""
    kinds = list(TYPES.values())
    refs, components = msgspec.json.schema_components(kinds, ref_template=template)
    found = {name: _cleaned(value) for name, value in components.items()}
    for (kind, cls), ref in zip(TYPES.items(), refs, strict=True):
        name = ref["$ref"].rpartition("/")[2]
        found[name]["properties"]["type"] = {"const": kind}
        found[name].setdefault("description", (cls.__doc__ or Event.__doc__ or "").strip().splitlines()[0])
    return found


def _name_of(kind: str) -> str:
    return TYPES[kind].__name__


def events() -> dict[str, Any]:
    """One schema for any event: by its `type`."""
    return {
        "$schema": DIALECT, "$id": "events.schema.json", "title": "Events of P9-MicroStream, version 1",
        "oneOf": [{"$ref": f"#/$defs/{_name_of(kind)}"} for kind in TYPES], "$defs": definitions("#/$defs/{name}"),
    }  # fmt: skip


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3: a channel a type, received by subscribing to its Redis channel."""
    channels, operations = {}, {}
    for kind, cls in TYPES.items():
        address = f"{kind}:{{exchange}}:{{symbol}}" + (":{timeframe}" if kind in WITH_TIMEFRAME else "")
        words = ["exchange", "symbol", *(["timeframe"] if kind in WITH_TIMEFRAME else [])]
        beside = "A Redis stream stands beside it: stream:{<channel>}, each entry with one field `e`, the event." if cls.streamed else ""
        channels[kind] = {
            "address": address, "description": " ".join(filter(None, ["Redis pub/sub.", beside])), "parameters": {word: {"description": word} for word in words},
            "messages": {"event": {"$ref": f"#/components/messages/{kind}"}},
        }  # fmt: skip
        operations[f"receive_{kind}"] = {
            "action": "receive", "channel": {"$ref": f"#/channels/{kind}"}, "messages": [{"$ref": f"#/channels/{kind}/messages/event"}],
        }  # fmt: skip
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "P9-MicroStream", "version": "1", "description": "What the appliance publishes into Redis; docs/events.md is the text for people."},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {kind: {"name": kind, "contentType": "application/json", "payload": {"$ref": f"#/components/schemas/{_name_of(kind)}"}} for kind in TYPES},
            "schemas": definitions("#/components/schemas/{name}"),
        },
    }  # fmt: skip


DOCUMENTS = {"events": events, "asyncapi": asyncapi}


if __name__ == "__main__":
    print(json.dumps(DOCUMENTS[sys.argv[1]](), indent=1, ensure_ascii=False))

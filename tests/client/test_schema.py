"""The schemas against what they are made from, against a running appliance, and against events that are wrong."""

import asyncio
import copy
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from redis.asyncio import Redis

from p9.app import Appliance
from p9.client.event import TYPES
from p9.client.schema import DOCUMENTS, asyncapi, events
from p9.config import parse
from p9.simulate.server import Simulator

SHIPPED = Path(__file__).parents[2] / "docs" / "schemas"
AT_ONCE = {  # what a healthy run says within seconds
    "book_ticker", "depth", "snapshots", "trades", "candles", "candles_open", "integrity", "mark_price", "funding", "open_interest", "cvd", "flow", "momentum",
    "liquidity",
}  # fmt: skip
OF_EACH = 30


def strict() -> dict:
    """The schema, and no field beyond it: a live event must not have one that the contract does not name."""
    schema = copy.deepcopy(events())
    for definition in schema["$defs"].values():
        if "properties" in definition:
            definition["additionalProperties"] = False
    return schema


def validator(kind: str) -> Draft202012Validator:
    schema = strict()
    return Draft202012Validator({"$ref": f"#/$defs/{TYPES[kind].__name__}", "$defs": schema["$defs"]})


@pytest.mark.parametrize("name, file", [("events", "events.schema.json"), ("asyncapi", "asyncapi.json")])
def test_what_is_shipped_is_what_the_typed_events_say(name, file):
    shipped = json.loads((SHIPPED / file).read_text())
    assert shipped == json.loads(json.dumps(DOCUMENTS[name]())), f"run: python -m p9.client.schema {name} > docs/schemas/{file}"


def test_the_schema_is_one_and_the_document_refers_to_nothing_that_is_not_there():
    Draft202012Validator.check_schema(events())
    document = asyncapi()
    assert document["channels"].keys() == TYPES.keys()

    def refs(part):
        if isinstance(part, dict):
            yield from ([part["$ref"]] if "$ref" in part else [])
            part = list(part.values())
        for each in part if isinstance(part, list) else ():
            yield from refs(each)

    for ref in refs(document):
        found = document
        for word in ref.removeprefix("#/").split("/"):
            found = found[word]
        assert found


@pytest.mark.timeout(240)
async def test_every_event_of_a_running_appliance_is_as_the_schema_has_it(tmp_path):
    simulator = Simulator(rate=0.2)
    await simulator.start()
    never = {"late_shed_low": "10m", "late_shed_medium": "10m"}  # venues and appliance share one loop: on a busy machine MEDIUM would be shed, and rightly
    appliance = Appliance(parse(json.dumps({"data_dir": str(tmp_path), "http": {"enabled": False}, "monitors": never})), endpoints=simulator.endpoints)
    await appliance.start()
    samples: dict[str, list[bytes]] = {}  # held against the schema when all is over: Python's validator is slower than the appliance
    try:
        client = Redis.from_url(appliance.redis.status()["url"])
        heard = client.pubsub()
        await heard.psubscribe("*")
        async with asyncio.timeout(150):
            while not all(len(samples.get(kind, ())) >= 2 for kind in AT_ONCE):
                message = await heard.get_message(ignore_subscribe_messages=True, timeout=1.0)
                if message is not None:
                    kept = samples.setdefault(message["channel"].decode().partition(":")[0], [])
                    if len(kept) < OF_EACH:
                        kept.append(message["data"])
        await heard.aclose()
        await client.aclose()
    finally:
        await appliance.stop()
        await simulator.stop()
    assert samples.keys() <= TYPES.keys(), "a type that the contract does not have"
    for kind, payloads in samples.items():
        check = validator(kind)
        for event in map(json.loads, payloads):
            errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in check.iter_errors(event)]
            assert not errors, (kind, event["exchange"], event["symbol"], errors[:3])
        for spoil in (lambda e: e.pop("seq"), lambda e: e.update(stranger=1), lambda e: e.update(ts_pub="now"), lambda e: e.update(type="other")):
            wrong = json.loads(payloads[0])
            spoil(wrong)
            assert not check.is_valid(wrong), kind
    trade = json.loads(samples["trades"][0]) | {"price": "1e5"}
    assert not validator("trades").is_valid(trade), "a number with an exponent is none of ours"

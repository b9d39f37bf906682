"""What tests of decoders share: frames read the slow, obvious way, frames in other spellings, fixtures, recordings."""

import json
import os
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import strategies as st

NO_ID = NO_TIME = -1
RECORDINGS = Path(os.environ.get("P9_RECORDINGS") or Path(__file__).parents[4] / "shared" / "recordings")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


class Refused(Exception):
    """A frame, or a row of it, that gives no event; the argument is the outcome."""


class Number(str):
    """A bare number, still in the venue's own digits."""


def object_once(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("malformed")  # a key twice: which of the two would be true?
    return found


def parse(frame):
    """JSON with every number as its text; Refused("malformed") for what is not JSON or says a thing twice."""
    try:
        return json.loads(frame, parse_int=Number, parse_float=Number, object_pairs_hook=object_once)
    except (ValueError, RecursionError):
        raise Refused("malformed") from None


def is_json(frame):
    """Whether other spellings of it can be made."""
    try:
        return isinstance(parse(frame), dict)
    except Refused:
        return False


def scaled(text, scale):
    if not isinstance(text, str) or not re.fullmatch(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text, re.ASCII):
        raise Refused("malformed")
    value = Decimal(text).scaleb(scale)
    if value != value.to_integral_value():
        raise Refused("finer")
    if abs(value) >= 2**63:
        raise Refused("overflow")
    if value < 0:
        raise Refused("malformed")
    return int(value)


def whole(text, otherwise=None):
    """A whole number, quoted or bare; `otherwise` where there is none."""
    if otherwise is not None and (text is None or text in ("", "null")):
        return otherwise
    if not isinstance(text, str) or not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
        raise Refused("malformed")
    return int(text)


def an_id(text):
    n = whole(text, NO_ID)
    if n < NO_ID:
        raise Refused("malformed")
    return n


def since_1970(n):
    """Nanoseconds, by the size of the number; Refused for what is no time."""
    for least, beyond, factor in ((0, 10**9, 10**6), (10**9, 10**11, 10**9), (10**11, 10**15, 10**6), (10**15, 10**18, 10**3)):
        if least <= n < beyond and n * factor < 2**63:
            return n * factor
    raise Refused("malformed")


def ms(text):
    n = whole(text, NO_TIME)
    if n != NO_TIME:
        return since_1970(n)
    if text not in (None, "", "null"):
        raise Refused("malformed")
    return NO_TIME


def levels(rows, px_scale, qty_scale):
    if not isinstance(rows, list):
        raise Refused("malformed")
    out = []
    for row in rows:
        if not isinstance(row, list) or len(row) < 2:
            raise Refused("malformed")
        out.append((scaled(row[0], px_scale), scaled(row[1], qty_scale)))
    return out


def trade_id(text):
    if not isinstance(text, str) or not re.fullmatch(r"[!#-\[\]-~]{1,40}", text):
        raise Refused("malformed")
    return text


def text_of(row, key):
    """A string that must be there."""
    text = row.get(key)
    if not isinstance(text, str) or isinstance(text, Number):
        raise Refused("malformed")
    return text


def event(kind, instrument, **said):
    """An event as `explain` tells it; what is not said is blank."""
    blank = {
        "kind": kind,
        "instrument": instrument,
        "flags": 0,
        "ts_event": NO_TIME,
        "first_id": NO_ID,
        "last_id": NO_ID,
        "prev_id": NO_ID,
        "cross_id": NO_ID,
    }
    return blank | {"trade": {"agg_id": NO_ID}, "liquidation": {}}.get(kind, {"checksum": 0}) | said


def fixtures(folder):
    return sorted(path for path in folder.glob("*.jsonl") if ".golden." not in path.name)


def against_golden(path, explain):
    """One line a frame, one line of its meaning. P9_UPDATE_GOLDEN=1 rewrites; the diff is the review."""
    lines = []
    for frame in path.read_bytes().splitlines():
        outcome, topic, instrument, events = explain(frame)
        lines.append(json.dumps({"outcome": outcome, "topic": topic, "instrument": instrument, "events": events}))
    golden = path.with_suffix(".golden.jsonl")
    if os.environ.get("P9_UPDATE_GOLDEN") == "1":
        golden.write_text("".join(line + "\n" for line in lines))
    assert lines == golden.read_text().splitlines()


def recorded(venue, pattern):
    """(line number, frame as received) of the recordings whose names fit; the test says so when there are none."""
    paths = sorted((RECORDINGS / venue).glob(pattern))
    if not paths:
        pytest.skip(f"no recordings {venue}/{pattern} in {RECORDINGS}: set P9_RECORDINGS to their folder")
    for path in paths:
        for number, line in enumerate(path.read_bytes().splitlines()):
            for mark in (b'"msg":', b'"rep":'):  # {"recv_ts":…,"msg":<the frame, bytes unchanged>}
                at = line.find(mark, 0, 200)
                if at >= 0 and not line.startswith(b'{"arg"'):
                    wrapped = line[at + len(mark) :].lstrip()
                    line = json.dumps(json.loads(line)[mark.decode().strip('":')]).encode() if mark == b'"rep":' else wrapped[:-1]
                    break
            yield f"{path.name}:{number + 1}", line


def shuffle(value, random):
    """The same JSON with the keys of every object in another order."""
    if isinstance(value, list):
        return [shuffle(item, random) for item in value]
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffle(value[key], random) for key in keys}
    return value


def spaced(value, random):
    """The same JSON with white space wherever it may stand."""

    def gap():
        return "".join(random.choices(" \t\r\n", k=random.choice((0, 0, 0, 1, 3))))

    if isinstance(value, dict):
        return "{" + gap() + ",".join(f"{gap()}{json.dumps(key)}{gap()}:{gap()}{spaced(item, random)}{gap()}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + gap() + ",".join(f"{gap()}{spaced(item, random)}{gap()}" for item in value) + "]"
    return value if isinstance(value, Number) else json.dumps(value)


def with_field(value, name, what, random):
    """The same JSON with one more field in every object, anywhere."""
    if isinstance(value, list):
        return [with_field(item, name, what, random) for item in value]
    if isinstance(value, dict):
        items = [(key, with_field(item, name, what, random)) for key, item in value.items()]
        items.insert(random.randint(0, len(items)), (name, what))
        return dict(items)
    return value

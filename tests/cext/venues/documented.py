"""Frames and what the venue's documentation says they mean, in texts that a person can hold against it (*/documented.txt)."""

from decimal import Decimal

import pytest

SCALE = 8
FROM_REST, HAS_CHECKSUM, OFF_BOOK, BLOCK = 1, 2, 16, 32
SAMPLED, BANKRUPTCY = 64, 128


def cases(path):
    """A parameter a frame: (the index that a REST body was asked for or None, frame, lines of its meaning), named by its heading."""
    heading, frame, meaning, found = "", None, [], []
    for line in [*path.read_text(encoding="utf-8").splitlines(), "##"]:
        if not line or line.startswith("# "):
            continue
        if line.startswith(("##", "{", "rest ", "pong")):
            if frame is not None:
                rest = frame.startswith("rest ")
                name = f"{heading[:40]} {len(found)}"
                found.append(pytest.param(0 if rest else None, frame.removeprefix("rest ").encode(), meaning, id=name))
            heading, frame, meaning = (line.strip("# "), None, []) if line.startswith("##") else (heading, line, [])
        else:
            meaning.append(line)
    assert all(case.values[2] for case in found)
    return found


def plain(scaled, scale=SCALE):
    return f"{Decimal(scaled).scaleb(-scale).normalize():f}"


def told(event, names, ids):
    """An event of `explain` in the words of documented.txt. `ids(event)`: the venue's own names for its numbers."""
    flags = event["flags"]
    at = event["ts_event"] // 10**6 if event["ts_event"] >= 0 else "-"
    if event["kind"] == "trade":
        side = {1: "buy", -1: "sell"}[event["side"]]
        marks = (" off-book" if flags & OFF_BOOK else "") + (" block" if flags & BLOCK else "")
        return f"trade {names[event['instrument']]} {side} {plain(event['px'])} x {plain(event['qty'])} at={at} id={event['trade_id']} {ids(event)}{marks}"
    if event["kind"] == "liquidation":
        side = {1: "buy", -1: "sell"}[event["side"]]
        px, qty = plain(event["px"], event["px_scale"]), plain(event["qty"], event["qty_scale"])
        marks = (" bankruptcy" if flags & BANKRUPTCY else "") + (" sampled" if flags & SAMPLED else "")
        return f"liquidation {names[event['instrument']]} {side} {px} x {qty} at={at} said={event['own_side']}{marks}"
    sides = (" ".join(f"{plain(px)}:{plain(qty)}" for px, qty in event[side]) for side in ("bids", "asks"))
    marks = (f" crc={event['checksum']}" if flags & HAS_CHECKSUM else "") + (" rest" if flags & FROM_REST else "")
    return " ".join(f"{event['kind']} {names[event['instrument']]} at={at} {ids(event)}{marks} | {' | '.join(sides)}".split())

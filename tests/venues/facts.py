"""Reading one answer or frame of a venue as a poll or a live topic would."""

import json

from p9.fact import Reading, Roster
from p9.instrument import Instrument
from p9.number import decoded
from p9.venue import market


def instrument(market_name, venue_symbol, *, kind="perpetual", symbol=None, **more):
    """An instrument with the least that a reader asks of it."""
    exchange = market_name.partition("_")[0]
    given = {"base": "BTC", "quote": "USDT", "settle": "USDT", "tick": "0.1", "step": "0.001"} | more
    return Instrument(
        exchange=exchange, market=market_name, venue_symbol=venue_symbol, symbol=symbol or f"X-{venue_symbol}", kind=kind, **given
    )


def polled(market_name, path, answer, *instruments, kind=""):
    """What the poll (of a kind) whose question goes to `path` reads from an answer (bytes, text or plain data)."""
    row, roster = market(market_name), Roster(instruments)
    poll = next(poll for poll in row.polls if kind in ("", poll.kind) and any(request.path.endswith(path) for request in poll.requests(row, roster)))
    return read(poll, row, roster, answer)


def streamed(market_name, frame, *instruments):
    """What the live topic that a frame belongs to reads from it; the frame's topic must be one that we would subscribe."""
    row, roster = market(market_name), Roster(instruments)
    payload = _payload(frame)
    name = row.venue.topic_of(payload)
    form = next(form for form in row.live if name in form.topics(row, roster))
    return read(form, row, roster, payload)


def read(form, row, roster, answer):
    reading = Reading(roster)
    form.read(row, reading, decoded(_payload(answer)))
    return reading


def _payload(answer):
    return answer if isinstance(answer, bytes) else (answer if isinstance(answer, str) else json.dumps(answer)).encode()

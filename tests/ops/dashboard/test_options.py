"""One underlying's smile and term structure, cut out of the event that has all of it."""

import msgspec

from p9.ops.dashboard.views.options import Options
from tests.ops.dashboard.parts import MEDIUM, channel, outbox, sources

COLUMNS = ["strike", "type", "use", "own_iv", "own_delta", "mark_iv", "bid_iv", "ask_iv"]
ROW = ["90000", "C", "smile", 0.6, 0.5, "0.61", None, "0.62"]


def expiry(at, in_smile, rows):
    return {"expiry": at, "days": 1.5, "atm_iv": 0.5, "in_smile": in_smile, "strikes": 1, "rows": rows}


def shown_of(expiry_word, *, published=True):
    box = outbox()
    surface = channel(box, "options_iv", MEDIUM, "BTC-USD")
    parts = sources(box)
    options = Options(parts, "venue", "BTC-USD", expiry_word)
    options.look(0.0)
    if published:
        event = {"columns": COLUMNS, "maturities": [{"days": 7, "atm_iv": 0.5}], "expiries": [expiry(100, 0, []), expiry(200, 1, [ROW]), expiry(300, 1, [])]}
        box.emit(surface, msgspec.json.encode(event))
        box.take(1)
        parts.watch.drain()
    state = options.look(1.0)
    options.close()
    assert surface.tap is None
    return state


def test_the_nearest_expiry_that_has_a_smile_is_shown_until_another_is_chosen():
    state = shown_of("")
    assert state["underlyings"] == ["venue BTC-USD"] and state["known"] and state["chosen"] == "200"
    assert state["smile"] == [["90000", "C", "smile", "0.61", None, "0.62", 0.6, None]]  # open interest is no column of this venue
    assert list(state["expiries"]) == ["100", "200", "300"] and state["maturities"]["7"]["atm_iv"] == 0.5
    assert shown_of("300")["chosen"] == "300" and shown_of("300")["smile"] == []
    assert shown_of("999")["chosen"] == "200"


def test_what_is_not_published_yet_is_awaited():
    assert shown_of("", published=False) == {"underlyings": ["venue BTC-USD"], "known": False}

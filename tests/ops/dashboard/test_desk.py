"""What the desk shows of one instrument."""

import msgspec

from p9.ops.dashboard.views.desk import TAPE_ROWS, Desk, candle_row, trade_row
from tests.ops.dashboard.parts import HIGH, LOW, MEDIUM, ROW, START_NS, Kept, Market, channel, outbox, sources, trade


def desk_of(parts, timeframe="1m"):
    return Desk(parts, parts.captures()["venue_spot"], 0, ROW, timeframe)


def event_of(type, seq, **fields):
    return {"type": type, "exchange": "venue", "symbol": "BTC-USDT", "epoch": 1_700_000_000_000, "seq": seq, "ts_event": START_NS, **fields}


async def test_what_was_before_comes_first_and_nothing_comes_twice():
    box = outbox()
    trades = channel(box, "trades", HIGH)
    parts = sources(box)

    class Slow(Kept):
        async def recent(self, of, n):
            if of is trades:  # two more go by while Redis is asked; it has the first of them
                for price in ("3", "4"):
                    box.emit(trades, trade(price))
                parts.watch.drain()
            return await super().recent(of, n)

    for price in ("1", "2"):
        box.emit(trades, trade(price))
    before = [event_of("trades", n, price=str(n), quantity="1", side="buy") for n in (1, 2, 3)]
    parts = sources(box, history=Slow({"trades": before}))
    desk = desk_of(parts)
    await desk.open()
    desk.look(1.0)
    box.emit(trades, trade("5"))
    parts.watch.drain()
    desk.look(1.1)
    assert [row[1] for row in desk.added["tape"]] == ["1", "2", "3", "4", "5"]
    desk.close()
    assert trades.tap is None


async def test_a_burst_shows_its_newest_its_largest_and_what_is_marked():
    box = outbox()
    trades, blocks = channel(box, "trades", HIGH), channel(box, "block_trades", HIGH)
    parts = sources(box)
    desk = desk_of(parts)
    await desk.open()
    for n in range(200):
        box.emit(trades, trade("10", "1000" if n == 50 else "1"), ts_event=START_NS + n * 1_000_000)
    box.emit(blocks, trade("10", "5"))
    parts.watch.drain()
    state = desk.look(1.0)
    shown = desk.added["tape"]
    assert len(shown) + state["unshown"] == 201 and len(shown) <= 2 * TAPE_ROWS
    assert any(row[4] == 10_000 for row in shown) and any(row[5] == "block_trades" for row in shown)
    newest = [row[0] for row in shown if not row[5]][-TAPE_ROWS // 2 + 1 :]
    assert newest == [START_NS // 1_000_000 + n for n in range(200 - len(newest), 200)]


async def test_values_are_the_newest_and_channels_may_come_later():
    box = outbox()
    parts = sources(box, history=Kept({"funding": [event_of("funding", 1, rate="0.0001")]}))
    channel(box, "funding", MEDIUM)
    desk = desk_of(parts)
    await desk.open()
    assert desk.look(1.0)["newest"] == {"funding": {"rate": "0.0001", "at": START_NS // 1_000_000}}
    forming = channel(box, "candles_open", LOW, timeframe="1m", keeps_last=True)
    other = channel(box, "candles_open", LOW, timeframe="5m", keeps_last=True)
    desk.look(4.0)
    candle = {"open_time": 60_000_000_000, "open": "1", "high": "3", "low": "0.5", "close": "2", "volume": "10", "buy_volume": None, "trades": 4, "complete": False}
    box.emit(forming, msgspec.json.encode(candle))
    assert other.tap is None and forming.tap is not None
    while box.take(1) is not None:  # MEDIUM and LOW are written when they are taken to be sent
        break
    parts.watch.drain()
    assert desk.look(4.1)["forming"] == [60, 1.0, 3.0, 0.5, 2.0, 10.0, None, 4, True]


def test_the_book_is_as_deep_as_the_ladder_and_an_invalid_one_draws_no_heat():
    market = Market()
    market.levels = {"bids": [(str(100 - n), "1") for n in range(80)], "asks": [(str(101 + n), "1") for n in range(80)]}
    desk = desk_of(sources(outbox(), market))
    state = desk.look(1.0)
    assert next(iter(state["book"]["bids"])) == "100" and len(state["book"]["bids"]) == len(state["book"]["asks"]) == 22 and len(desk.added["heat"]) == 1
    market.state = "invalid"
    assert desk.look(2.0)["book"]["state"] == "invalid" and len(desk.added["heat"]) == 1


def test_rows_say_what_the_event_said():
    row = trade_row(event_of("trades", 1, price="0.1", quantity="3", side=None, quote_quantity="0.31", flags=["backfill"]))
    assert row == [START_NS // 1_000_000, "0.1", "3", None, 0.31, "backfill"]
    assert trade_row(event_of("trades", 1, price="0.1", quantity="3", side="sell"))[4] == 0.3
    assert candle_row({"open_time": 5_000_000_000, "open": None}) == [5, None, None, None, None, None, None, None, False]

"""Who looks hears what goes by; nobody looks, nothing is copied."""

from p9.ops.dashboard.chronicle import Chronicle
from p9.ops.dashboard.watch import Watch
from tests.ops.dashboard.parts import HIGH, LOW, NoHistory, channel, outbox, trade


def test_a_channel_is_tapped_while_somebody_hears_it():
    box = outbox()
    trades, watch, first, second = channel(box, "trades", HIGH), Watch(box), [], []
    box.emit(trades, trade("1"))
    assert trades.tap is None
    watch.hold(trades, first.append)
    watch.hold(trades, second.append)
    box.emit(trades, trade("2"))
    box.emit(trades, trade("3"))
    watch.drain()
    assert [event["price"] for event in first] == [event["price"] for event in second] == ["2", "3"]
    watch.release(trades, first.append)
    box.emit(trades, trade("4"))
    watch.drain()
    assert [event["price"] for event in second] == ["2", "3", "4"] and len(first) == 2
    watch.release(trades, second.append)
    assert trades.tap is None and len(watch) == 0
    watch.release(trades, second.append)  # once more does no harm


def test_channels_are_found_by_what_they_are_not_by_what_they_are_called():
    box = outbox()
    watch = Watch(box)
    assert watch.channels("trades") == []
    renamed = channel(box, "trades", HIGH, word="prints")
    other = channel(box, "trades", HIGH, "ETH-USDT")
    minute = channel(box, "candles_open", LOW, timeframe="1m", keeps_last=True)
    assert watch.channels("trades", "venue", "BTC-USDT") == [renamed] and watch.channels("trades") == [renamed, other]
    assert watch.channels("candles_open", timeframe="1m") == [minute] and watch.channels("candles_open", timeframe="5m") == []
    assert watch.types() == ["candles_open", "trades"] and watch.n_channels == 3


async def test_the_chronicle_remembers_what_happened_before_anybody_looked():
    box = outbox()
    watch = Watch(box)
    chronicle = Chronicle(watch)
    gaps = channel(box, "gaps", HIGH)
    chronicle.look()
    for state in ("open", "filled"):
        box.emit(gaps, b'{"kind":"trades","state":"%b"}' % state.encode(), ts_event=7_000_000)
    chronicle.look()
    assert [(event["n"], event["type"], event["state"], event["at"]) for event in chronicle.events] == [(1, "gaps", "open", 7), (2, "gaps", "filled", 7)]

    class Before(NoHistory):
        async def before(self, channels, n):
            assert channels == [gaps]
            known = {"type": "gaps", "exchange": "venue", "symbol": "BTC-USDT", "epoch": box.epoch, "ts_event": 7_000_000}
            return [{**known, "epoch": 5, "seq": 9, "state": "lost", "ts_event": 3_000_000}, {**known, "seq": 1, "state": "open"}]

    await chronicle.recall(Before())
    assert [event["state"] for event in chronicle.events] == ["lost", "open", "filled"]
    assert [event["n"] for event in chronicle.events] == sorted({event["n"] for event in chronicle.events})


async def test_the_chronicle_lets_go_of_channels_that_are_gone_and_takes_nothing_twice():
    """Instruments come and go for months: each left its channel in the chronicle's hands."""
    box = outbox()
    watch = Watch(box)
    chronicle = Chronicle(watch)
    first, second = channel(box, "gaps", HIGH), channel(box, "audits", HIGH, "ETH-USDT")
    chronicle.look()
    box.emit(second, b'{"kind":"book"}', ts_event=2_000_000)
    box.leave(first)
    chronicle.look()
    assert len(watch) == 1 and len(chronicle.events) == 1

    class Before(NoHistory):
        async def before(self, channels, n):
            box.emit(second, b'{"kind":"candle"}', ts_event=3_000_000)
            row = {"type": "audits", "exchange": "venue", "symbol": "ETH-USDT", "epoch": box.epoch}
            return [{**row, "seq": seq, "kind": kind, "ts_event": seq * 1_000_000} for seq, kind in ((1, "book"), (2, "candle"), (3, "late"))]

    await chronicle.recall(Before())
    chronicle.look()
    assert [event["kind"] for event in chronicle.events] == ["book", "candle", "late"], "what was recalled is not heard again"

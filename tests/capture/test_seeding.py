"""A capture that begins in the midst of every candle: each is whole from the first minute, and is what the venue itself says."""

import asyncio
from decimal import Decimal

import pytest
from cext.streams.candles import SECONDS, Candles

from cext import seeding as hot
from p9.capture.pieces import piece_of, scaled
from p9.capture.seeding import Seeding, SeedingSettings
from p9.errors import RestError
from p9.history import CandleRow, TradeRow
from p9.instrument import Instrument
from p9.simulate.bar import Period
from p9.simulate.server import Simulator
from tests.capture.captured import Captured
from tests.patience import until

QUICK = SeedingSettings(settle_s=1.2, again_s=0.5)
ALL = tuple(SECONDS)


def candles_of(now: Captured, ix: int) -> Candles:
    return next(stream for stream in now.pipeline.streams(ix) if isinstance(stream, Candles))


def truth(now: Captured, ix: int, name: str, open_ns: int) -> dict:
    """The venue's own candle of an interval."""
    one = now.simulator.instruments[now.name, now.capture.instruments[ix].venue_symbol]
    (bar,) = one.candles.between(Period(SECONDS[name] * 1000), open_ns // 10**6, open_ns // 10**6)
    return {
        "open": one.px.value(bar.open), "high": one.px.value(bar.high), "low": one.px.value(bar.low), "close": one.px.value(bar.close),
        "native": one.qty.value(bar.lots), "bought": one.qty.value(bar.buy_lots), "trades": bar.count, "value": bar.value,
    }  # fmt: skip


async def test_pain_18_every_first_candle_is_the_venues_own(run):
    simulator = Simulator(seed=7, instruments=2, rate=2.0)
    await simulator.start()
    captured = [await run(name, timeframes=ALL, seeding=QUICK, simulator=simulator) for name in ("binance_spot", "binance_coinm", "okx_swap", "bybit_linear")]
    await until(lambda: all(now.capture.seeding.status()["stages"] == {"whole": 2} for now in captured))
    simulator.freeze()
    await asyncio.sleep(1.5)
    for now in captured:
        check_first_candles(now)


def check_first_candles(now: Captured) -> None:
    name, seeding = now.name, now.capture.seeding
    assert seeding.counts["conflicts"] == 0 and seeding.counts["agreed"] >= 4, seeding.counts
    now.hear()
    tells_all = name.startswith("binance")
    n_folded = 0
    for ix, row in now.capture.instruments.items():
        for timeframe in ALL:
            told = candles_of(now, ix).formed(timeframe)
            real = truth(now, ix, timeframe, told["open_time"])
            if told["open_time"] // 10**9 < hot.known(candles_of(now, ix))[timeframe]:
                assert SECONDS[timeframe] < 60 and not told["complete"], "it began in the minute before"
                continue
            assert told["complete"] is True, (timeframe, told)
            native = told["volume"] if row.contract == "base" else told["contracts"]
            if name == "binance_coinm" and Decimal(native) != real["native"]:
                n_folded += 1  # a row folded over 100 ms straddles the edge: nobody can tell its halves
                continue
            assert all(Decimal(told[key]) == real[key] for key in ("open", "high", "low", "close")), (timeframe, told, real)
            assert Decimal(native) == real["native"], (timeframe, told, real)
            if row.contract != "inverse":
                assert Decimal(told["quote_volume"]) == real["value"]
            bought = told["buy_volume"] if row.contract == "base" else told["buy_contracts"]
            if tells_all or SECONDS[timeframe] < 60:
                assert Decimal(bought) == real["bought"] and told["trades"] == real["trades"], (timeframe, told, real)
            elif bought is None:
                assert told["trades"] is None, "the venue's candles do not tell"
    assert n_folded <= 4
    kinds = [event["kind"] for event in now.events["audits"]]
    assert kinds.count("watermark") == 2 and "fusion_conflict" not in kinds
    told = next(event for event in now.events["audits"] if event["kind"] == "watermark")
    assert told["source"] == "trades" and set(told["whole_since"]) == set(ALL) and told["whole_since"]["1d"] % (86_400 * 10**9) == 0
    ones = [event for event in now.events["candles"] if event["channel"].endswith(":1s")]
    amended = [event for event in ones if "backfill" in event.get("flags", ())]
    assert amended and all(event["revision"] >= 1 and event["complete"] and event["amends"] for event in amended)


async def test_the_venues_closed_minutes_take_the_place_of_trades_it_has_forgotten(run):
    """As it would be after the first minute is over: the same step, asked by hand for a minute that is."""
    now = await run("bybit_spot", timeframes=ALL, seeding=SeedingSettings(enabled=False))
    seeding = Seeding(
        now.row, now.pipeline, now.client, instruments=now.capture.instruments, tell=now.capture.audits.say, settings=SeedingSettings(settle_s=0.0, tries=1)
    )
    stream = candles_of(now, 0)
    await until(lambda: stream.closed_to > stream.first + 1)
    seed = seeding._begin(stream)
    with pytest.raises(RestError, match="left out"):  # the newest 60 trades do not reach back
        now.simulator.instruments["bybit_spot", "BTCUSDT"].tape.extend([now.simulator.instruments["bybit_spot", "BTCUSDT"].tape[-1]] * 70)
        await seeding._seconds(0, seed)


async def test_a_difference_that_stays_is_told_and_the_trades_are_not_used(run, monkeypatch):
    read = TradeRow.__struct_fields__
    assert read[2] == "price"
    now = await run("okx_spot", timeframes=("1s", "1m"), seeding=SeedingSettings(settle_s=0.8, overlap_s=1, again_s=0.2, tries=2))
    real = now.capture.seeding._rows

    async def wrong(ix, series, since_s, until_s, timeframe=""):
        rows = await real(ix, series, since_s, until_s, timeframe)
        if series.kind == "trades":
            rows[-1] = type(rows[-1])(**{name: getattr(rows[-1], name) for name in read} | {"quantity": "77"})
        return rows

    monkeypatch.setattr(now.capture.seeding, "_rows", wrong)
    await until(lambda: now.capture.seeding.counts["conflicts"] > 0)
    now.hear()
    told = next(event for event in now.events["audits"] if event["kind"] == "fusion_conflict")
    assert told["timeframe"] == "1s" and "live" in told["detail"] and "in the venue's history" in told["detail"]
    await until(lambda: "minutes" in now.capture.seeding.status()["stages"])


INVERSE = Instrument(
    exchange="venue", market="venue_line", symbol="A-B", venue_symbol="AB", base="A", quote="B", settle="A", kind="perpetual", tick="0.1", step="1",
    contract="inverse", contract_value="100",
)  # fmt: skip


def test_pieces_by_hand():
    linear = Instrument(
        exchange="venue", market="venue_line", symbol="A-B", venue_symbol="AB", base="A", quote="B", settle="B", kind="perpetual", tick="0.1", step="0.01",
        contract="linear", contract_value="0.01",
    )  # fmt: skip
    minute = 60 * 10**9
    rows = [
        CandleRow(0, "100", "101", "99", "100.5", "0.05", "5", "5"),
        CandleRow(minute, "100.5", "100.5", "100.5", "100.5", "0", "0", "0"),
        CandleRow(2 * minute, "102", "103", "101", "101.5", "0.01", "1.015", "1", 3, "0.01", "1.015", "1"),
    ]
    piece = piece_of(rows, linear, (2, 2, 4), 60)
    assert (piece.open, piece.high, piece.low, piece.close) == (10_000, 10_300, 9_900, 10_150)
    assert (piece.open_at, piece.close_at) == (0, 3 * minute - 1)
    assert (piece.bought, piece.rest) == ((0, 0), (600, 6_015_000)), "6 contracts; 6.015 / 0.01 of price times contracts"
    assert (piece.split, piece.counted, piece.trades, piece.rounded) == (False, False, 1, False)
    whole = piece_of(rows[2:], linear, (2, 2, 4), 60)
    assert (whole.bought, whole.rest, whole.trades, whole.split, whole.counted) == ((100, 1_015_000), (0, 0), 3, True, True)
    quiet = piece_of(rows[1:2], linear, (2, 2, 4), 60)
    assert (quiet.open, quiet.trades, quiet.rest) == (10_050, 0, (0, 0))
    coins = piece_of([CandleRow(0, "9640.7", "9642.4", "9640.6", "9642", "2.13660389", "20600", "206", 48, "1.23424865", "11900", "119")], INVERSE, (3, 2, 26), 60)
    assert coins.bought == (11_900, 123_424_865 * 10**18) and coins.rest == (8_700, (213_660_389 - 123_424_865) * 10**18)
    odd = piece_of([CandleRow(0, "1", "1", "1", "1", "0.03", "0.0333333", "3")], linear, (2, 2, 4), 60)
    assert odd.rounded, "the venue's own figure is no sum of prices times contracts"
    with pytest.raises(ValueError, match="decimals"):
        piece_of([CandleRow(0, "100.001", "101", "99", "100", "1", "1", "1")], linear, (2, 2, 4), 60)
    with pytest.raises(ValueError, match="not told"):
        piece_of([CandleRow(0, "1", "1", "1", "1", "1", None, None)], linear, (2, 2, 4), 60)
    assert scaled(Decimal("0.05"), 2) == 5

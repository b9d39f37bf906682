"""Which streams an instrument has: the configuration decides, one row at a time."""

import msgspec
import pytest

from p9.config import parse
from p9.instrument import Instrument
from p9.publication import Publication, streams_of

INSTRUMENT = Instrument(
    exchange="bybit", market="bybit_linear", symbol="BTC-USDT-PERP", venue_symbol="BTCUSDT", base="BTC", quote="USDT", settle="USDT",
    kind="perpetual", tick="0.1", step="0.001",
)  # fmt: skip
SECTIONS = {
    "gaps": "Gaps", "integrity": "Integrity", "depth": "Depth", "book_ticker_aggregator": "BookTicker", "trades": "Trades", "candles": "Candles",
    "cvd": "Cvd", "block_trades": "BlockTrades", "liquidations": "Liquidations", "stop_triggers": "StopTriggers", "flow": "Flow", "liquidity": "Liquidity",
    "spoofing": "Spoofing", "momentum": "Momentum", "signals": "Signals",
    "periodic_snapshots": "Snapshots",
}


def kinds(text: str) -> list[str]:
    return [type(stream).__name__ for stream in streams_of(parse(text))(INSTRUMENT)]


def test_by_default_every_stream_is_there_and_what_became_of_the_book_is_said_before_it_is_shown():
    assert sorted(kinds("")) == sorted(SECTIONS.values())
    assert kinds("").index("Integrity") < min(kinds("").index(name) for name in ("Depth", "BookTicker", "Snapshots"))


@pytest.mark.parametrize("section, kind", SECTIONS.items())
def test_each_can_be_left_out_and_costs_no_other(section, kind):
    assert sorted([*kinds(f"analytics: {{{section}: {{enabled: false}}}}"), kind]) == sorted(SECTIONS.values())


def test_nothing_at_all_can_be_had():
    assert kinds("analytics: {" + ", ".join(f"{section}: {{enabled: false}}" for section in SECTIONS) + "}") == []


def test_every_instrument_has_streams_of_its_own():
    make = streams_of(parse(""))
    first, second = make(INSTRUMENT), make(INSTRUMENT)
    assert not {id(stream) for stream in first} & {id(stream) for stream in second}


def test_a_changed_section_costs_its_own_stream_and_those_that_hold_on_to_it():
    was, now = Publication(parse("")), Publication(parse("analytics: {depth: {publish_channel: levels}, candles: {close_delay: 1s}}"))
    before = was.streams(INSTRUMENT)
    after = now.streams(INSTRUMENT, before, was)
    kept = {type(stream).__name__ for stream in after if any(stream is other for other in before)}
    assert kept == set(SECTIONS.values()) - {"Depth", "Snapshots", "Candles"} and len(after) == len(before)


def test_a_symbol_of_several_venues_is_one_group_also_under_the_next_configuration():
    first = Publication(parse(""))
    second = Publication(parse("analytics: {book_ticker_aggregator: {publish_channel: tops}}"), first.groups)
    other = msgspec.structs.replace(INSTRUMENT, exchange="okx", market="okx_swap", venue_symbol="BTC-USDT-SWAP")
    groups = {ticker(publication.streams(row)).group for publication in (first, second) for row in (INSTRUMENT, other)}
    assert len(groups) == 1
    spot = msgspec.structs.replace(INSTRUMENT, symbol="BTC-USDT", kind="spot")
    assert ticker(first.streams(spot)).group not in groups
    unknown = msgspec.structs.replace(INSTRUMENT, symbol="BTCUSDT", base="", quote="")  # a replay that was told nothing
    assert ticker(first.streams(unknown)).group is None


def test_new_thresholds_keep_what_a_ticker_has_learnt():
    was = Publication(parse(""))
    before = was.streams(INSTRUMENT)
    text = "analytics: {book_ticker_aggregator: {imbalance_levels: [3], imbalance_decay: 0.1, stale_after: 2s, micro_price: {max_move_ticks: 7}}}"
    now = Publication(parse(text), was.groups)
    kept = ticker(now.streams(INSTRUMENT, before, was))
    assert kept is ticker(before) and kept.stale_ns == 2_000_000_000 and kept.imbalances.n_depths == 1 and kept.micro_price.max_move == 7
    off = Publication(parse("analytics: {book_ticker_aggregator: {micro_price: {enabled: false}}}"), was.groups)
    assert ticker(off.streams(INSTRUMENT, [*now.streams(INSTRUMENT)], now)).micro_price is None


def ticker(streams):
    return next(stream for stream in streams if type(stream).__name__ == "BookTicker")


def test_a_section_that_is_switched_off_and_on_again_has_a_new_stream():
    was, off = Publication(parse("")), Publication(parse("analytics: {trades: {enabled: false}}"))
    before = was.streams(INSTRUMENT)
    less = off.streams(INSTRUMENT, before, was)
    assert {type(stream).__name__ for stream in before} - {type(stream).__name__ for stream in less} == {"Trades"}
    assert len(was.streams(INSTRUMENT, less, off)) == len(before)


def thresholds(base: str, quote: str, text: str = "") -> tuple[float, ...]:
    (stream,) = [stream for stream in streams_of(parse(text))(msgspec.structs.replace(INSTRUMENT, base=base, quote=quote)) if type(stream).__name__ == "Flow"]
    return stream.floors()


def test_analytics_4_7_floors_of_majors_and_of_others_and_none_where_they_would_mean_another_coin():
    assert thresholds("BTC", "USDT") == thresholds("ETH", "USD") == (50_000, 250_000, 1_000_000)
    assert thresholds("DOGE", "USDT") == (10_000, 50_000, 250_000)
    assert thresholds("ETH", "BTC") == (0, 0, 0)
    assert thresholds("DOGE", "USDT", "analytics: {flow: {majors: [DOGE], major_floors: [1, 2, 3]}}") == (1, 2, 3)


def test_new_thresholds_of_a_derived_stream_cost_nothing_that_it_remembers():
    was, now = Publication(parse("")), Publication(parse("analytics: {flow: {other_floors: [1, 2, 3], majors: []}, cvd: {interval: 1s}}"))
    before = was.streams(INSTRUMENT)
    after = now.streams(INSTRUMENT, before, was)
    assert all(any(stream is other for other in before) for stream in after)
    assert next(stream for stream in after if type(stream).__name__ == "Flow").floors() == (1, 2, 3)

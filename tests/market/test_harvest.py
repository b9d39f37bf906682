"""History from the simulated venues into files: whole, the same from archive and REST, whatever interrupts it."""

import asyncio
import json
import os
import random
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from p9.errors import ConfigError
from p9.history import CandleRow, TradeRow, history_of
from p9.market.archive import Archives
from p9.market.fold import fold
from p9.market.harvest import Harvest, Order, checked
from p9.market.history_file import finished, read
from p9.market.instruments import Instruments, load
from p9.market.rest import RestClient
from p9.market.walk import Hole
from p9.simulate.server import Simulator
from p9.venue import market

DAY = 86_400 * 10**9
HOUR = 3_600 * 10**9
KILLS = int(os.environ.get("P9_KILLS", "2"))  # a hundred in the long form: make history


@pytest.fixture
async def venues():
    simulator = Simulator(seed=5)
    await simulator.start()
    yield simulator
    await simulator.stop()


def midnight() -> int:
    return time.time_ns() // DAY * DAY


class Desk:
    """One instrument of one simulated market, and a client."""

    def __init__(self, simulator: Simulator, name: str, symbol: str, folder: Path):
        self.simulator, self.folder = simulator, folder
        self.market = market(name).at(simulator.endpoints[name]["rest"])
        self.archive_url = simulator.endpoints[name].get("archive", "")
        self.symbol, self.client = symbol, RestClient(self.market.exchange)

    async def __aenter__(self) -> "Desk":
        await self.client.start()
        known = Instruments(self.market.exchange)
        await load(self.client, self.market, known)
        self.instrument = known.find(self.market.name, self.symbol)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.stop()

    async def harvest(self, name: str, **order):
        order = Order(**order)

        def harvest(archives: Archives | None) -> Harvest:
            history = history_of(self.market)
            return Harvest(order, self.market, self.instrument, history, self.client, self.folder / name, now_ns=time.time_ns, archives=archives)

        if order.source == "rest" or not self.archive_url:
            made = harvest(None)
            return made, await made.run()
        async with Archives(self.archive_url) as archives:
            made = harvest(archives)
            return made, await made.run()


async def test_a_day_of_trades_is_the_same_from_the_archive_and_by_rest(venues, tmp_path):
    span = {"since_ns": midnight() - 3 * DAY - 2 * HOUR, "until_ns": midnight() - DAY, "kind": "trades"}
    async with Desk(venues, "binance_spot", "BTC-USDT", tmp_path) as desk:
        both, manifest = await desk.harvest("both.csv.gz", **span)
        rest, _ = await desk.harvest("rest.csv.gz", **span, source="rest")
        assert both.counts["archive_files"] == 1 and len(manifest.archives) == 1, "yesterday's is not out yet, and two hours are no day"
        assert (tmp_path / "both.csv.gz").read_bytes() == (tmp_path / "rest.csv.gz").read_bytes()
        assert manifest.rows == 50 * 240 and not manifest.holes and rest.counts["rows"] == manifest.rows
        rows = list(read(tmp_path / "both.csv.gz", TradeRow))
        ids = [int(row.id) for row in rows]
        assert ids == list(range(ids[0], ids[0] + len(ids))) and rows == sorted(rows, key=lambda row: row.time)
        again, same = await desk.harvest("both.csv.gz", **span)
        assert same == manifest and again.counts.total() == 0, "it is complete: nothing is asked"


@pytest.mark.parametrize("market_name, symbol", [("binance_usdm", "BTC-USDT-PERP"), ("binance_coinm", "ETH-USD-PERP"), ("okx_swap", "BTC-USDT-PERP")])
async def test_trades_folded_are_the_venues_candles_to_the_last_digit(venues, tmp_path, market_name, symbol):
    span = {"since_ns": midnight() - 2 * DAY, "until_ns": midnight() - 2 * DAY + HOUR, "source": "rest"}
    async with Desk(venues, market_name, symbol, tmp_path) as desk:
        await desk.harvest("trades.jsonl.gz", kind="trades", form="jsonl", **span)
        trades = list(read(tmp_path / "trades.jsonl.gz", TradeRow))
        for timeframe in ("1m", "1h"):
            await desk.harvest(f"{timeframe}.csv.gz", kind="candles", timeframe=timeframe, **span)
            candles = list(read(tmp_path / f"{timeframe}.csv.gz", CandleRow))
            ours = list(fold(trades, timeframe, desk.instrument))
            assert len(candles) == (60 if timeframe == "1m" else 1) == len(ours)
            for mine, theirs in zip(ours, candles, strict=True):
                for name in CandleRow.__struct_fields__:
                    told = getattr(theirs, name)
                    if told is None:
                        assert name in ("contracts", "trades", "buy_volume", "buy_quote_volume", "buy_contracts")
                    elif desk.instrument.contract == "inverse" and name in ("volume", "buy_volume"):
                        assert abs(Decimal(getattr(mine, name)) - Decimal(told)) <= Decimal("1e-8") * 400, "the venue rounds each trade to 8 decimals"
                    else:
                        assert getattr(mine, name) == told, (name, mine, theirs)


@pytest.mark.parametrize("market_name, symbol", [("binance_usdm", "BTC-USDT-PERP"), ("bybit_linear", "ETH-USDT-PERP"), ("okx_swap", "BTC-USDT-PERP")])
async def test_settlements_of_a_day_are_24_hours_over_the_interval(venues, tmp_path, market_name, symbol):
    span = {"since_ns": midnight() - 5 * DAY, "until_ns": midnight()}
    async with Desk(venues, market_name, symbol, tmp_path) as desk:
        one = venues.instruments[market_name, desk.instrument.venue_symbol]
        for interval_h in (8, 4, 1):
            one.funding_interval_ms = interval_h * 3_600_000
            _, manifest = await desk.harvest(f"{interval_h}.csv.gz", kind="funding", **span)
            assert manifest.rows == 5 * 24 // interval_h


async def test_what_the_archive_gets_wrong_is_taken_by_rest_and_told(venues, tmp_path):
    span = {"since_ns": midnight() - 6 * DAY, "until_ns": midnight() - 2 * DAY, "kind": "candles", "timeframe": "1h"}
    days = [time.strftime("%Y-%m-%d", time.gmtime((midnight() - back * DAY) // 10**9)) for back in (6, 5, 4, 3)]
    async with Desk(venues, "binance_usdm", "BTC-USDT-PERP", tmp_path) as desk:
        await desk.harvest("rest.csv.gz", **span, source="rest")
        venues.shelf.wrong.add(f"{days[0]}.zip")
        venues.shelf.lost.add(f"{days[1]}.zip")
        harvest, manifest = await desk.harvest("both.csv.gz", **span)
        assert harvest.counts["archive_refused"] == 1 and harvest.counts["archive_files"] == 2 and len(manifest.archives) == 2
        assert (tmp_path / "both.csv.gz").read_bytes() == (tmp_path / "rest.csv.gz").read_bytes() and manifest.rows == 96


async def test_a_file_that_is_published_anew_is_noticed(venues, tmp_path, monkeypatch):
    monkeypatch.setattr("p9.market.history_file.CHUNK_ROWS", 10)
    span = {"since_ns": midnight() - 4 * DAY, "until_ns": midnight() - 2 * DAY, "kind": "candles", "timeframe": "1h"}
    async with Desk(venues, "binance_usdm", "BTC-USDT-PERP", tmp_path) as desk:
        async with Archives(desk.archive_url) as archives:
            said = []
            order = Order(**span)
            first = Harvest(
                order, desk.market, desk.instrument, history_of(desk.market), desk.client, tmp_path / "a.csv.gz", now_ns=time.time_ns, archives=archives
            )
            first.file.open()
            first.position = first.file.checkpoint.position or first.position
            await first._from_archive(first.archive)
            first.file.close()
            venues.shelf.revised.add(".zip")
            second = Harvest(
                order, desk.market, desk.instrument, history_of(desk.market), desk.client, tmp_path / "a.csv.gz", now_ns=time.time_ns, archives=archives,
                log=lambda event, **more: said.append(event),
            )  # fmt: skip
            manifest = await second.run()
        assert second.counts["archive_republished"] == 1 and said == ["archive republished"] and manifest.rows == 48


async def test_the_newest_trades_say_what_lies_before_them(venues, tmp_path):
    span = {"since_ns": midnight() - DAY, "until_ns": time.time_ns(), "kind": "trades"}
    async with Desk(venues, "bybit_spot", "BTC-USDT", tmp_path) as desk:
        _, manifest = await desk.harvest("a.csv.gz", **span)
        assert manifest.rows <= 60 and manifest.holes[0].first == span["since_ns"] and manifest.holes[0].last == manifest.first_ns - 1
        assert "newest 60" in manifest.limits


async def test_parquet_is_what_json_lines_are(venues, tmp_path):
    arrow = pytest.importorskip("pyarrow.parquet")
    span = {"since_ns": midnight() - 2 * DAY, "until_ns": midnight() - DAY, "kind": "candles", "timeframe": "5m"}
    async with Desk(venues, "okx_spot", "BTC-USDT", tmp_path) as desk:
        await desk.harvest("a.jsonl.gz", **span, form="jsonl")
        _, manifest = await desk.harvest("a.parquet", **span, form="parquet")
        rows = list(read(tmp_path / "a.jsonl.gz", CandleRow))
        table = arrow.read_table(tmp_path / "a.parquet")
        assert table.num_rows == len(rows) == 288 == manifest.rows
        assert [str(value.normalize()) for value in table.column("close").to_pylist()] == [str(Decimal(row.close).normalize()) for row in rows]
        assert finished(tmp_path / "a.parquet") == manifest and sorted(path.name for path in tmp_path.iterdir() if "parquet" in path.name) == [
            "a.parquet", "a.parquet.manifest.json"]  # fmt: skip


def test_what_cannot_be_had_is_said_before_anything_is_asked():
    for kind, name, words in (
        ("funding", "binance_spot", "spot has none"), ("top_accounts_ratio", "bybit_linear", "all accounts only"), ("premium", "bybit_inverse", "linear contracts"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=words):
            checked(Order(kind, 1, 2), history_of(market(name)), name)
    with pytest.raises(ConfigError, match="no candles of 7m"):
        checked(Order("candles", 1, 2, "7m"), history_of(market("okx_spot")), "okx_spot")
    with pytest.raises(ConfigError, match="nothing lies between"):
        checked(Order("candles", 2, 2, "1m"), history_of(market("okx_spot")), "okx_spot")
    with pytest.raises(ConfigError, match="no archive"):
        checked(Order("candles", 1, 2, "1m", source="archive"), history_of(market("okx_spot")), "okx_spot")


async def test_kills_of_the_real_command_leave_no_trace(venues, tmp_path):
    """SIGKILL at random moments, until it is through: the file is that of an uninterrupted run, byte for byte."""
    span = {"since_ns": midnight() - 2 * DAY, "until_ns": midnight() - DAY, "kind": "trades"}
    config = tmp_path / "config.yaml"
    rest = venues.endpoints["binance_usdm"]["rest"]
    config.write_text(f"venues: {{binance: {{usdm: {{rest_url: '{rest}'}}}}}}\ncapture: {{rest_share: 0.95}}\n")
    command = [
        sys.executable, "-c", "import p9.market.history_file as f; f.CHUNK_ROWS = 300; import sys, p9.__main__ as m; sys.exit(m.main())", "--config", str(config),
        "backfill", "trades", "binance", "BTC-USDT-PERP", "--market", "binance_usdm", "--from", str(span["since_ns"]), "--to", str(span["until_ns"]), "--out",
    ]  # fmt: skip
    draw = random.Random(3)
    whole = tmp_path / "whole.csv.gz"
    process = await asyncio.create_subprocess_exec(*command, str(whole), stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0 and finished(whole).rows == 24 * 240
    n_kills = n = 0
    while n_kills < KILLS:
        n += 1
        n_kills += await harvested_under_kills(tmp_path / f"cut{n}.csv.gz", command, draw, KILLS - n_kills)
        assert (tmp_path / f"cut{n}.csv.gz").read_bytes() == whole.read_bytes()


async def harvested_under_kills(cut: Path, command: list[str], draw: random.Random, most: int) -> int:
    """Fetch all of it, killed up to `most` times; how often it was."""
    n_kills, deadline_s, note = 0, time.monotonic() + 60 + 10 * most, cut.with_name(cut.name + ".checkpoint")
    while finished(cut) is None:
        assert time.monotonic() < deadline_s
        process = await asyncio.create_subprocess_exec(*command, str(cut), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
        if n_kills < most:
            before, end_s = _rows(note), time.monotonic() + draw.uniform(0.0, draw.choice([0.5, 2.0, 30.0]))  # some die before they have begun
            while process.returncode is None and _rows(note) == before and finished(cut) is None and time.monotonic() < end_s:
                await asyncio.sleep(draw.uniform(0.0, 0.02))
            await asyncio.sleep(draw.uniform(0.0, 0.05))
            if process.returncode is None:
                process.kill()
                n_kills += 1
        _, told = await process.communicate()
        assert process.returncode in (0, 1 if sys.platform == "win32" else -9), told
    return n_kills


def _rows(note: Path) -> int:
    try:
        return json.loads(note.read_bytes())["rows"]
    except (OSError, ValueError):
        return 0


def test_a_hole_is_told_in_its_own_words():
    assert str(Hole(5, 7, True)) == "ids 5 to 7" and str(Hole(midnight(), midnight())).endswith("T00:00:00Z")

"""What is held against a book, a tape and news, on figures worked out by hand; and each lie is seen."""

from types import SimpleNamespace

import pytest

from p9.config import Config
from p9.instrument import Instrument
from p9.quicktest import losses, news, pools, tape, views
from p9.quicktest.check import Check
from p9.quicktest.trial import Trial

ROW = Instrument(exchange="okx", market="okx_swap", symbol="BTC-USDT-PERP", venue_symbol="BTC-USDT-SWAP", base="BTC", quote="USDT", settle="USDT", kind="perpetual",
                 tick="0.1", step="0.01", contract="linear", contract_value="0.01")  # fmt: skip
OTHER = Instrument(exchange="bybit", market="bybit_linear", symbol="BTC-USDT-PERP", venue_symbol="BTCUSDT", base="BTC", quote="USDT", settle="USDT", kind="perpetual",
                   tick="0.1", step="0.001")  # fmt: skip
# 1 % apart; of the contract 0.01 coins each
BOOKS = {
    "/oracle/okx_swap/BTC-USDT-SWAP": {"bids": [["100", "300"], ["99", "500"], ["98", "100"]], "asks": [["102", "100"], ["103", "700"]]},
    "/oracle/bybit_linear/BTCUSDT": {"bids": [["101", "2"], ["99", "5"]], "asks": [["102", "4"], ["104", "1"]]},
}
VENUES = [
    {"exchange": "bybit", "state": "live", "bid_price": "101", "ask_price": "102"}, {"exchange": "okx", "state": "live", "bid_price": "100", "ask_price": "102"},
]  # fmt: skip
TRUE = {
    "book_ticker:okx:BTC-USDT-PERP": {"bid_price": "100", "bid_quantity": "3", "ask_price": "102", "ask_quantity": "1", "spread": "2", "mid": "101", "bid_contracts": "300", "ask_contracts": "100", "imbalance": 0.5},
    "book_ticker:bybit:BTC-USDT-PERP": {"bid_price": "101", "bid_quantity": "2", "ask_price": "102", "ask_quantity": "4", "spread": "1", "mid": "101.5", "imbalance": -0.333333},
    "book_ticker:all:BTC-USDT-PERP": {"bid_price": "101", "bid_quantity": "2", "bid_exchange": "bybit", "ask_price": "102", "ask_quantity": "4", "ask_exchange": "bybit", "venues": VENUES},
    # 100 bps about 101 reach from 99.99 to 102.01, 400 bps from 96.96 to 105.04: 300 + 495 + 98; 102 + 721
    "liquidity:okx:BTC-USDT-PERP": {"mid": "101", "bands_bps": [100, 400], "bid_depth": [300.0, 893.0], "ask_depth": [102.0, None]},
    "liquidity:bybit:BTC-USDT-PERP": {"mid": "101.5", "bands_bps": [100, 400], "bid_depth": [202.0, 697.0], "ask_depth": [408.0, 512.0]},
}  # fmt: skip
DEPTHS = {
    "depth:okx:BTC-USDT-PERP": {"bids": [["99", "500"], ["97", "0"]], "asks": [["101.5", "0"]]}, "depth:bybit:BTC-USDT-PERP": {"bids": [], "asks": [["104", "1"]]},
}  # fmt: skip


class Desk(Trial):
    """What Redis holds, and what the simulator says."""

    def __init__(self, held: dict, truth: dict, rows=(ROW, OTHER)):
        captures = {row.market: SimpleNamespace(instruments={0: row}, depth=1000, folds_ms=0, market=SimpleNamespace(trades_numbered=True)) for row in rows}
        super().__init__(SimpleNamespace(captures=captures, config=Config()), None, 120.0)
        self.held, self.truth, self.simulator, self.full = held, truth, self, True
        self.watcher = SimpleNamespace(depths={key: value for key, value in held.items() if key.startswith("depth:")})

    async def last(self, channel):
        return self.held.get(channel)

    async def stream(self, channel, since_ns=0):
        return self.held.get(channel, [])

    async def get(self, path):
        return self.truth[path.partition("?")[0]]


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    for module in (views, tape, losses):
        monkeypatch.setattr(module, "SETTLED_S", 0.0)


async def verdicts(check, held: dict, truth: dict, **more) -> dict[str, Check]:
    desk = Desk(held, truth, **more)
    await check(desk)
    return {one.name: one for one in desk.checks}


def levels(book: dict, side: str, n: int = 300) -> list[list[str]]:
    """So many that a snapshot counts."""
    sign, start = (-1, 98) if side == "bids" else (1, 104)
    return book[side] + [[str(start + sign * i / 1000), "1"] for i in range(1, n + 1)]


def deep() -> tuple[dict, dict]:
    """(what Redis holds, the true books), each of three hundred levels more."""
    truth = {path: {side: levels(book, side) for side in ("bids", "asks")} for path, book in BOOKS.items()}
    held = {f"snapshots:{row.exchange}:{row.symbol}": truth[f"/oracle/{row.market}/{row.venue_symbol}"] | {"valid_bid": None, "valid_ask": None} for row in (ROW, OTHER)}
    return held, truth


async def test_what_is_made_of_a_book_is_held_against_it():
    found = await verdicts(views.check, TRUE | DEPTHS, BOOKS)
    assert [name for name, check in found.items() if not check.passed] == ["snapshots is the true book's"]
    held, truth = deep()
    assert (await verdicts(views.check, held, truth))["snapshots is the true book's"].passed


@pytest.mark.parametrize(
    "channel, lie",
    [
        ("book_ticker:okx:BTC-USDT-PERP", {"bid_price": "100.1"}), ("book_ticker:okx:BTC-USDT-PERP", {"ask_quantity": "100"}),
        ("book_ticker:okx:BTC-USDT-PERP", {"ask_contracts": "1"}), ("book_ticker:okx:BTC-USDT-PERP", {"imbalance": 0.51}), ("book_ticker:bybit:BTC-USDT-PERP", {"mid": None}),
        ("book_ticker:all:BTC-USDT-PERP", {"bid_price": "100"}), ("book_ticker:all:BTC-USDT-PERP", {"ask_quantity": "1"}),
        ("book_ticker:all:BTC-USDT-PERP", {"bid_exchange": "binance"}), ("book_ticker:all:BTC-USDT-PERP", {"venues": []}),
        ("book_ticker:all:BTC-USDT-PERP", {"venues": [VENUES[0], VENUES[1] | {"bid_price": "99"}]}),
        ("liquidity:okx:BTC-USDT-PERP", {"mid": "101.1"}), ("liquidity:okx:BTC-USDT-PERP", {"bid_depth": [300.1, 893.0]}), ("liquidity:okx:BTC-USDT-PERP", {"ask_depth": [102.0, 102.0]}),
        ("depth:okx:BTC-USDT-PERP", {"bids": [["99", "501"]]}), ("depth:okx:BTC-USDT-PERP", {"asks": [["103", "0"]]}), ("depth:bybit:BTC-USDT-PERP", {"asks": [["105", "1"]]}),
    ],
)  # fmt: skip
async def test_a_lie_about_a_book_is_seen(channel, lie):
    held = TRUE | DEPTHS
    found = await verdicts(views.check, held | {channel: held[channel] | lie}, BOOKS)
    assert not found[f"{channel.partition(':')[0]} is the true book's"].passed
    del held[channel]
    assert not (await verdicts(views.check, held, BOOKS))[f"{channel.partition(':')[0]} is the true book's"].passed


@pytest.mark.parametrize("side, level", [("bids", ["99", "501"]), ("asks", ["103.5", "700"])])
async def test_a_snapshot_that_differs_in_one_level_or_is_short_is_seen(side, level):
    held, truth = deep()
    channel = "snapshots:okx:BTC-USDT-PERP"
    for lie in ([held[channel][side][0], level, *held[channel][side][2:]], held[channel][side][:200]):
        found = await verdicts(views.check, held | {channel: held[channel] | {side: lie}}, truth)
        assert not found["snapshots is the true book's"].passed


# ---- trades: two fills of one order, and one of another, in contracts
FILLS = [["7", "100", "2", "buy", 61_001_000_000], ["8", "100", "3", "buy", 61_001_000_000], ["9", "99", "4", "sell", 62_000_000_000]]
BAR = {"open_ms": 60_000, "open": "100", "high": "100", "low": "99", "close": "99", "volume": "9", "value": "8.96", "trades": 3, "buy_volume": "5", "buy_value": "5"}
QUIET = BAR | {"open_ms": 30_000, "trades": 0, "volume": "0", "value": "0", "buy_volume": "0", "buy_value": "0"}
TRADES = [
    {"trade_id": "8", "first_trade_id": 7, "last_trade_id": 8, "price": "100", "quantity": "0.05", "contracts": "5", "side": "buy", "ts_event": 61_001_000_000},
    {"trade_id": "9", "price": "99", "quantity": "0.04", "contracts": "4", "side": "sell", "ts_event": 62_000_000_000},
]  # fmt: skip
DELTA = {"open_time": 60_000_000_000, "contracts_delta": "1", "complete": True, "contracts_previous": "0", "previous_complete": True}
PATH = "/oracle/okx_swap/BTC-USDT-SWAP"


def of_the_tape() -> tuple[dict, dict]:
    name = "okx:BTC-USDT-PERP"
    candle = {"open_time": 60_000_000_000, "open": "100", "high": "100", "low": "99", "close": "99", "complete": True}
    held = {f"trades:{name}": TRADES, f"candles_open:{name}:1m": candle} | {f"cvd:{name}:{frame}": DELTA for frame in ("1m", *(frame for frame in tape.SECONDS if frame != "1m"))}
    return held, {f"{PATH}/trades": FILLS, f"{PATH}/klines": [QUIET, BAR]}


async def test_what_is_made_of_trades_is_held_against_the_tape():
    held, truth = of_the_tape()
    assert all(check.passed for check in (await verdicts(tape.check, held, truth, rows=(ROW,))).values())


@pytest.mark.parametrize(
    "name, channel, lie",
    [
        ("every trade is the tape's", "trades:okx:BTC-USDT-PERP", [TRADES[0] | change, TRADES[1]])
        for change in ({"price": "99"}, {"contracts": "4"}, {"side": "sell"}, {"ts_event": 61_002_000_000}, {"first_trade_id": 8}, {"trade_id": "10", "first_trade_id": None, "last_trade_id": None})
    ]
    + [("every trade is the tape's", "trades:okx:BTC-USDT-PERP", some) for some in ([*TRADES, TRADES[0]], TRADES[:1], [])]
    + [("every forming candle is the venue's kline", "candles_open:okx:BTC-USDT-PERP:1m", of_the_tape()[0]["candles_open:okx:BTC-USDT-PERP:1m"] | change) for change in ({"high": "101"}, {"close": "100"}, {"open_time": 0})]
    + [("cumulative volume delta is the tape's", "cvd:okx:BTC-USDT-PERP:15s", DELTA | change) for change in ({"contracts_delta": "-1"}, {"contracts_previous": "1"})],
)  # fmt: skip
async def test_a_lie_about_the_tape_is_seen(name, channel, lie):
    held, truth = of_the_tape()
    assert not (await verdicts(tape.check, held | {channel: lie}, truth, rows=(ROW,)))[name].passed


async def test_a_trade_that_waits_to_be_fetched_is_not_missed_but_one_told_twice_is():
    held, truth = of_the_tape()
    held["gaps:okx:BTC-USDT-PERP"] = [{"kind": "trades", "gap": 1, "state": "open"}]
    held["trades:okx:BTC-USDT-PERP"] = TRADES[:1]
    assert (await verdicts(tape.check, held, truth, rows=(ROW,)))["every trade is the tape's"].passed
    held["trades:okx:BTC-USDT-PERP"] = [TRADES[0], TRADES[0]]
    assert not (await verdicts(tape.check, held, truth, rows=(ROW,)))["every trade is the tape's"].passed


async def test_an_interval_that_began_before_the_simulator_is_held_against_no_seconds():
    """It has none of before its start: half a minute's first trade was another one there, on a machine that was slow to start."""
    held, truth = of_the_tape()
    held["cvd:okx:BTC-USDT-PERP:15s"] = DELTA | {"contracts_delta": "-1", "contracts_previous": "1"}
    truth[f"{PATH}/klines"] = [BAR]
    assert (await verdicts(tape.check, held, truth, rows=(ROW,)))["cumulative volume delta is the tape's"].passed


async def told(signal: dict, total: list[dict], height: float = 39.0) -> Check:
    bars = [{"low": "100", "high": "100.4"}]  # 40 bps
    held = {f"signals:{row.exchange}:{row.symbol}": [signal] for row in (ROW, OTHER)} | {"signals:all:BTC-USDT-PERP": total}
    desk = Desk(held, {f"/oracle/{row.market}/{row.venue_symbol}/klines": bars for row in (ROW, OTHER)})
    desk.news = [{"at_ns": 1, "side": "buy", "bps": 40, "returns": {(row.exchange, row.symbol): height for row in (ROW, OTHER)}}]
    await news.check(desk)
    return desk.checks[-1]


async def test_news_and_what_became_of_it():
    signal, all_venues = {"signal": "momentum", "direction": "up", "ts_pub": 2}, [{"state": "begins"}]
    assert (await told(signal, all_venues)).passed
    assert not (await told(signal, [])).passed, "all venues together say nothing"
    assert not (await told(signal | {"direction": "down"}, all_venues)).passed
    assert not (await told(signal | {"ts_pub": 0}, all_venues)).passed, "before the news"
    assert not (await told(signal, all_venues, height=5.0)).passed, "it hardly moved"
    assert not (await told(signal, all_venues, height=60.0)).passed, "more than was traded"


GAP = {"kind": "trades", "gap": 1, "state": "filled", "first_id": 7, "last_id": 8, "missing": 2, "fetched": 2, "left": []}
MARK = {"kind": "watermark", "whole_since": {"1m": 60_000_000_000}}


@pytest.mark.parametrize(
    "channel, told, passed",
    [
        ("gaps", [GAP | {"state": "open", "fetched": 0}, GAP], True), ("gaps", [GAP | {"state": "lost"}], False), ("gaps", [GAP | {"missing": 3}], False),
        ("gaps", [GAP | {"fetched": 1}], False), ("gaps", [GAP | {"last_id": 10, "missing": 4, "fetched": 4}], False), ("gaps", [GAP | {"left": [[8, 8]]}], False), ("gaps", [], False),
        ("audits", [MARK], True), ("audits", [], False), ("audits", [MARK | {"whole_since": {"15s": 0}}], False),
    ],
)  # fmt: skip
async def test_what_was_lost_is_held_against_the_tape(channel, told, passed):
    name = "okx:BTC-USDT-PERP"
    candles = {f"candles_open:{name}:{frame}": {"open_time": 60_000_000_000, "complete": frame == "1m"} for frame in ("1m", "15s")}
    held = {f"gaps:{name}": [GAP], f"audits:{name}": [MARK]} | candles | {f"{channel}:{name}": told}
    found = await verdicts(losses.check, held, {f"{PATH}/trades": FILLS, f"{PATH}/folded": []}, rows=(ROW,))
    assert {"gaps": "what was lost is told, and found again", "audits": "since when candles are whole is told"}[channel] in {name for name, check in found.items() if check.passed == passed}


ALERT = {"kind": "fast_decline", "pool": "BTC", "balance": "60", "decline_1h_percent": "-40.0003", "as_of": 5_000_000, "ts_pub": 6_000_000}


@pytest.mark.parametrize(
    "told, passed", [([ALERT], True), ([ALERT | {"balance": "61"}], False), ([ALERT | {"pool": "ETH"}], False), ([ALERT | {"decline_1h_percent": "-4"}], False), ([], False)]
)  # fmt: skip
async def test_a_decline_is_held_against_what_was_planted(told, passed):
    desk = Desk({"insurance_alerts:okx:USDT": told}, {"/oracle/insurance": [{"venue": "okx", "asset": "USDT", "pool": "BTC", "balance": "60"}]})
    desk.caused = {("insurance_alerts", "okx", "USDT")}
    await pools.check_alerts(desk)
    assert desk.checks[-1].passed == passed

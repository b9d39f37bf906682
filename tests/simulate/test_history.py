"""What the venues remember, asked as their pages say: pages that fit together, and sums that agree with the trades they are made of."""

import time
from decimal import Decimal
from itertools import pairwise

import pytest

HOUR_MS, MINUTE_MS = 3_600_000, 60_000


@pytest.fixture
def hour_ms() -> int:
    """A whole hour of yesterday."""
    return int(time.time() * 1000) // HOUR_MS * HOUR_MS - 20 * HOUR_MS


async def aggregates(probe, market: str, path: str, symbol: str, start_ms: int, end_ms: int) -> list[dict]:
    """By time to the first, then by id."""
    found = (await probe.get(market, path, symbol=symbol, startTime=start_ms, endTime=end_ms - 1, limit=1))[:1]
    while found[-1]["T"] < end_ms:
        found += await probe.get(market, path, symbol=symbol, fromId=found[-1]["a"] + 1, limit=100)
    return [row for row in found if row["T"] < end_ms]


def folded(rows: list[tuple[int, str, str]], step_ms: int) -> dict[int, tuple]:
    """{open ms: (open, high, low, close, volume)} of (ms, price, quantity)."""
    found: dict[int, list] = {}
    for at_ms, price, quantity in rows:
        found.setdefault(at_ms // step_ms * step_ms, []).append((Decimal(price), Decimal(quantity)))
    return {
        at: (trades[0][0], max(px for px, _ in trades), min(px for px, _ in trades), trades[-1][0], sum(qty for _, qty in trades))
        for at, trades in found.items()
    }


@pytest.mark.parametrize("market, prefix, symbol", [("binance_spot", "/api/v3", "BTCUSDT"), ("binance_coinm", "/dapi/v1", "BTCUSD_PERP")])
async def test_aggregates_of_an_hour_are_its_klines(probe, hour_ms, market, prefix, symbol):
    trades = await aggregates(probe, market, f"{prefix}/aggTrades", symbol, hour_ms, hour_ms + HOUR_MS)
    assert [row["a"] for row in trades] == list(range(trades[0]["a"], trades[0]["a"] + len(trades))) and len(trades) == 240
    assert all(before["l"] + 1 == after["f"] for before, after in pairwise(trades))
    for interval, step_ms in (("1m", MINUTE_MS), ("1h", HOUR_MS)):
        klines = await probe.get(market, f"{prefix}/klines", symbol=symbol, interval=interval, startTime=hour_ms, endTime=hour_ms + HOUR_MS - 1)
        sums = folded([(row["T"], row["p"], row["q"]) for row in trades], step_ms)
        assert {row[0]: tuple(Decimal(text) for text in row[1:6]) for row in klines} == sums
        assert sum(row[8] for row in klines) == trades[-1]["l"] - trades[0]["f"] + 1
        bought = sum(Decimal(row["q"]) for row in trades if not row["m"])
        assert sum(Decimal(row[9]) for row in klines) == bought


async def test_the_third_venues_trades_page_backwards_into_its_candles(probe, hour_ms):
    name = "BTC-USDT-SWAP"
    page = await probe.get("okx_swap", "/api/v5/market/history-trades", instId=name, type=2, after=hour_ms + HOUR_MS, limit=100)
    rows = page["data"]
    while int(rows[-1]["ts"]) >= hour_ms:
        rows += (await probe.get("okx_swap", "/api/v5/market/history-trades", instId=name, type=1, after=rows[-1]["tradeId"], limit=100))["data"]
    ids = [int(row["tradeId"]) for row in rows]
    assert ids == list(range(ids[0], ids[0] - len(ids), -1))
    sums = folded([(int(row["ts"]), row["px"], row["sz"]) for row in reversed(rows) if int(row["ts"]) >= hour_ms], MINUTE_MS)
    candles = await probe.get(
        "okx_swap", "/api/v5/market/history-candles", instId=name, bar="1m", before=hour_ms - 1, after=hour_ms + HOUR_MS, limit=100
    )
    assert {int(row[0]): tuple(Decimal(text) for text in row[1:6]) for row in candles["data"]} == sums and len(sums) == 60
    assert [row[8] for row in candles["data"]] == ["1"] * 60
    recent = await probe.get("okx_swap", "/api/v5/market/candles", instId=name, bar="1m", after=int(time.time() * 1000) - 1_442 * MINUTE_MS)
    assert recent["data"] == [], "only the newest 1,440"


async def test_the_second_venues_candles_and_its_newest_trades(probe, hour_ms):
    asked = {"category": "linear", "symbol": "BTCUSDT"}
    minutes = await probe.get("bybit_linear", "/v5/market/kline", **asked, interval=1, start=hour_ms, end=hour_ms + HOUR_MS - 1, limit=1000)
    (hour,) = (await probe.get("bybit_linear", "/v5/market/kline", **asked, interval=60, start=hour_ms, end=hour_ms + HOUR_MS - 1))["result"]["list"]
    rows = minutes["result"]["list"][::-1]
    assert [int(row[0]) for row in rows] == list(range(hour_ms, hour_ms + HOUR_MS, MINUTE_MS))
    assert (Decimal(hour[1]), Decimal(hour[4])) == (Decimal(rows[0][1]), Decimal(rows[-1][4]))
    assert Decimal(hour[5]) == sum(Decimal(row[5]) for row in rows) and Decimal(hour[6]) == sum(Decimal(row[6]) for row in rows)
    trades = (await probe.get("bybit_linear", "/v5/market/recent-trade", **asked, limit=1000))["result"]["list"]
    assert len(trades) == 1000 and int(trades[0]["time"]) >= int(trades[-1]["time"]), "the past and the present together"
    assert len({row["execId"] for row in trades}) == 1000 and all(int(row["seq"]) > 0 for row in trades)


async def test_settled_funding_on_all_three(probe):
    now_ms = int(time.time() * 1000)
    since_ms = now_ms // (24 * HOUR_MS) * 24 * HOUR_MS - 5 * 24 * HOUR_MS
    binance = await probe.get("binance_usdm", "/fapi/v1/fundingRate", symbol="BTCUSDT", startTime=since_ms, endTime=since_ms + 24 * HOUR_MS - 1)
    moments = [since_ms + i * 8 * HOUR_MS for i in range(3)]
    assert [row["fundingTime"] // 1000 * 1000 for row in binance] == moments
    bybit = await probe.get(
        "bybit_linear", "/v5/market/funding/history", category="linear", symbol="BTCUSDT", startTime=since_ms, endTime=since_ms + 24 * HOUR_MS - 1
    )
    assert [int(row["fundingRateTimestamp"]) for row in bybit["result"]["list"]] == moments[::-1]
    refused = await probe.get("bybit_linear", "/v5/market/funding/history", category="linear", symbol="BTCUSDT", startTime=since_ms)
    assert refused["retCode"] == 10001
    okx = await probe.get(
        "okx_swap", "/api/v5/public/funding-rate-history", instId="BTC-USDT-SWAP", before=since_ms - 1, after=since_ms + 24 * HOUR_MS
    )
    assert [int(row["fundingTime"]) for row in okx["data"]] == moments[::-1]


async def test_open_interest_and_positions_reach_back_thirty_days_and_no_further(probe, hour_ms):
    rows = await probe.get("binance_usdm", "/futures/data/openInterestHist", symbol="BTCUSDT", period="5m", startTime=hour_ms, endTime=hour_ms + HOUR_MS)
    assert [row["timestamp"] for row in rows] == list(range(hour_ms, hour_ms + HOUR_MS + 1, 300_000))
    assert len({row["sumOpenInterest"] for row in rows}) > 6
    far = await probe.get("binance_usdm", "/futures/data/openInterestHist", symbol="BTCUSDT", period="5m", startTime=hour_ms - 40 * 24 * HOUR_MS)
    assert far["code"] == -1130
    asked = {"category": "linear", "symbol": "BTCUSDT", "intervalTime": "5min", "startTime": hour_ms, "endTime": hour_ms + HOUR_MS, "limit": 5}
    page = (await probe.get("bybit_linear", "/v5/market/open-interest", **asked))["result"]
    found = page["list"]
    while page["nextPageCursor"]:
        page = (await probe.get("bybit_linear", "/v5/market/open-interest", **asked, cursor=page["nextPageCursor"]))["result"]
        found += page["list"]
    assert [int(row["timestamp"]) for row in found] == list(range(hour_ms + HOUR_MS, hour_ms - 1, -300_000))
    name = "rubik/stat/contracts/open-interest-history"
    okx = await probe.get("okx_swap", f"/api/v5/{name}", instId="BTC-USDT-SWAP", period="5m", begin=hour_ms, end=hour_ms + HOUR_MS, limit=100)
    assert [int(row[0]) for row in okx["data"]] == [int(row["timestamp"]) for row in found]
    contracts, coins = Decimal(okx["data"][0][1]), Decimal(okx["data"][0][2])
    assert coins == contracts / 100, "a contract is 0.01 bitcoin"
    for path in ("/futures/data/globalLongShortAccountRatio", "/futures/data/topLongShortPositionRatio", "/futures/data/takerlongshortRatio"):
        assert len(await probe.get("binance_usdm", path, symbol="BTCUSDT", period="5m", startTime=hour_ms, endTime=hour_ms + HOUR_MS)) == 13


async def test_prices_that_nobody_trades(probe, hour_ms):
    span = {"interval": "1m", "startTime": hour_ms, "endTime": hour_ms + HOUR_MS - 1}
    mark = await probe.get("binance_usdm", "/fapi/v1/markPriceKlines", symbol="BTCUSDT", **span)
    index = await probe.get("binance_usdm", "/fapi/v1/indexPriceKlines", pair="BTCUSDT", **span)
    premium = await probe.get("binance_usdm", "/fapi/v1/premiumIndexKlines", symbol="BTCUSDT", **span)
    assert [row[0] for row in mark] == [row[0] for row in index] == [row[0] for row in premium] == list(range(hour_ms, hour_ms + HOUR_MS, MINUTE_MS))
    assert all(abs(Decimal(m[4]) / Decimal(i[4]) - 1) < Decimal("0.001") and m[4] != i[4] for m, i in zip(mark, index, strict=True))
    assert all(abs(Decimal(row[4])) < Decimal("0.01") for row in premium)
    bybit = await probe.get(
        "bybit_linear", "/v5/market/index-price-kline", category="linear", symbol="BTCUSDT", interval=1, start=hour_ms, end=hour_ms + HOUR_MS - 1
    )
    ours = {row[0]: Decimal(row[1]) for row in index}
    assert {int(row[0]): Decimal(row[1]) for row in bybit["result"]["list"]} == {at: price.quantize(Decimal("0.01")) for at, price in ours.items()}
    span = {"bar": "1m", "before": hour_ms - 1, "after": hour_ms + HOUR_MS, "limit": 100}
    okx = await probe.get("okx_swap", "/api/v5/market/history-index-candles", instId="BTC-USDT", **span)
    assert {int(row[0]): Decimal(row[1]) for row in okx["data"]} == {at: price.quantize(Decimal("0.1")) for at, price in ours.items()}
    marks = await probe.get("okx_swap", "/api/v5/market/history-mark-price-candles", instId="BTC-USDT-SWAP", **span)
    samples = await probe.get(
        "okx_swap", "/api/v5/public/premium-history", instId="BTC-USDT-SWAP", before=hour_ms - 1, after=hour_ms + HOUR_MS, limit=100
    )
    assert [row[5] for row in marks["data"]] == ["1"] * 60 and len(samples["data"]) == 60

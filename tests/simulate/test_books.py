"""On each of the nine markets a client that keeps the venue's own rules ends with the simulator's own book."""

import asyncio
import json

import pytest

BINANCE = {
    "binance_spot": ("BTCUSDT", "", "/api/v3/depth", "5000"),
    "binance_usdm": ("ETHUSDT", "/public", "/fapi/v1/depth", "1000"),
    "binance_coinm": ("BTCUSD_PERP", "", "/dapi/v1/depth", "1000"),
}
BYBIT = {"bybit_spot": "BTCUSDT", "bybit_linear": "BTCUSDT", "bybit_inverse": "BTCUSD"}
OKX = {"okx_spot": "BTC-USDT", "okx_swap": "ETH-USDT-SWAP"}


def merge(side: dict[str, str], rows: list[list[str]]) -> None:
    for price, size, *_ in rows:
        if float(size):
            side[price] = size
        else:
            side.pop(price, None)


async def play(probe, seconds: float = 1.5) -> None:
    await asyncio.sleep(seconds)
    await probe.post("/oracle/freeze")


@pytest.mark.parametrize("market", BINANCE)
async def test_diff_depth_and_a_rest_book_meet(start, market):
    symbol, route, path, limit = BINANCE[market]
    probe = await start()
    socket = await probe.connect(market, f"{route}/stream?streams={symbol.lower()}@depth@100ms")
    first = await probe.next_json(socket)
    book = await probe.get(market, path, symbol=symbol, limit=limit)
    last = book["lastUpdateId"]
    bids, asks = dict(book["bids"]), dict(book["asks"])
    await play(probe)
    synced, applied = False, 0
    for frame in [first, *map(json.loads, await probe.rest_of(socket))]:
        event = frame["data"]
        if market == "binance_spot":
            if event["u"] <= last:
                continue
            assert event["U"] <= last + 1
        elif not synced:
            if event["u"] < last:
                continue
            assert event["U"] <= last <= event["u"] or event["pu"] <= last
        else:
            assert event["pu"] == last
        synced, last, applied = True, event["u"], applied + 1
        merge(bids, event["b"])
        merge(asks, event["a"])
    truth = await probe.oracle(market, symbol)
    assert applied >= 8 and last == truth["u"]
    for mine, true in ((bids, truth["bids"]), (asks, truth["asks"])):
        # Beyond what the REST book reached nothing is known but what changed since.
        reach = float(list(mine)[900]) if limit == "1000" else None
        inside = (
            dict(true)
            if reach is None
            else {
                price: size
                for price, size in true
                if abs(float(price) - float(true[0][0])) <= abs(reach - float(true[0][0]))
            }
        )
        assert {price: mine.get(price) for price in inside} == inside


@pytest.mark.parametrize("depth", [50, 200, 1000])
@pytest.mark.parametrize("market", BYBIT)
async def test_a_window_of_n_levels_holds_exactly_n(probe, market, depth):
    symbol = BYBIT[market]
    socket = await probe.connect(market, f"/v5/public/{market.removeprefix('bybit_')}")
    topic = f"orderbook.{depth}.{symbol}"
    await socket.send_json({"op": "subscribe", "args": [topic]})
    await play(probe)
    sides, last, deltas = [{}, {}], None, 0
    for frame in map(json.loads, await probe.rest_of(socket)):
        if "topic" not in frame:
            continue
        data = frame["data"]
        if frame["type"] == "snapshot":
            sides = [dict(data["b"]), dict(data["a"])]
        else:
            assert data["u"] == last["u"] + 1 and data["seq"] > last["seq"]
            for side, rows in zip(sides, (data["b"], data["a"]), strict=True):
                for price, size in rows:
                    assert size != "0" or price in side, "a level that was never sent is deleted"
                merge(side, rows)
            deltas += 1
        last = data
        assert len(sides[0]) == len(sides[1]) == depth
    truth = await probe.oracle(market, symbol)
    assert deltas >= 5 and truth["u"][str(depth)] == last["u"] and truth["seq"] >= last["seq"]
    assert sides == [dict(truth["bids"][:depth]), dict(truth["asks"][:depth])]


async def test_the_rest_book_is_the_thousand_level_stream_at_its_u(probe):
    socket = await probe.connect("bybit_linear", "/v5/public/linear")
    await socket.send_json({"op": "subscribe", "args": ["orderbook.1000.BTCUSDT"]})
    snapshot = await probe.next_json(socket, lambda frame: "topic" in frame)
    rest = await probe.get("bybit_linear", "/v5/market/orderbook", category="linear", symbol="BTCUSDT", limit="1000")
    sides = [dict(snapshot["data"]["b"]), dict(snapshot["data"]["a"])]
    u, seq = snapshot["data"]["u"], snapshot["data"]["seq"]
    while u < rest["result"]["u"]:
        frame = (await probe.next_json(socket, lambda frame: "topic" in frame))["data"]
        u, seq = frame["u"], frame["seq"]
        merge(sides[0], frame["b"])
        merge(sides[1], frame["a"])
    assert (u, seq) == (rest["result"]["u"], rest["result"]["seq"])
    as_numbers = [{float(price): float(size) for price, size in side.items()} for side in sides]
    assert as_numbers == [{float(p): float(q) for p, q in rest["result"][side]} for side in ("b", "a")]


@pytest.mark.parametrize("market", [*OKX, "okx_futures"])
async def test_books_chain_by_prev_seq_id_and_hold_400_levels(probe, market):
    symbol = OKX.get(market) or next(name for at, name in probe.simulator.instruments if at == market)
    socket = await probe.connect(market, "/ws/v5/public")
    await socket.send_json({"op": "subscribe", "args": [{"channel": "books", "instId": symbol}]})
    await play(probe)
    sides, last, updates = [{}, {}], None, 0
    for frame in map(json.loads, await probe.rest_of(socket)):
        if "action" not in frame:
            continue
        data = frame["data"][0]
        if frame["action"] == "snapshot":
            assert data["prevSeqId"] == -1
            sides = [{row[0]: row[1] for row in data[side]} for side in ("bids", "asks")]
        else:
            assert data["prevSeqId"] == last
            merge(sides[0], data["bids"])
            merge(sides[1], data["asks"])
            updates += 1
        last = data["seqId"]
        assert len(sides[0]) == len(sides[1]) == 400
    truth = await probe.oracle(market, symbol)
    assert updates >= 8 and last <= truth["seqId"]
    assert sides == [dict(truth["bids"][:400]), dict(truth["asks"][:400])]


async def test_a_touch_with_the_id_of_a_book_is_the_top_of_that_book(probe):
    socket = await probe.connect("binance_usdm", "/public/stream?streams=btcusdt@depth@0ms/btcusdt@bookTicker")
    book = await probe.get("binance_usdm", "/fapi/v1/depth", symbol="BTCUSDT", limit="1000")
    last, sides, touches, compared = book["lastUpdateId"], [dict(book["bids"]), dict(book["asks"])], {}, 0
    await play(probe)
    tops = {}
    for frame in map(json.loads, await probe.rest_of(socket)):
        event = frame["data"]
        if event["e"] == "bookTicker":
            touches[event["u"]] = event
        elif event["u"] > last:
            merge(sides[0], event["b"])
            merge(sides[1], event["a"])
            tops[event["u"]] = (max(sides[0], key=float), min(sides[1], key=float))
    for u, (bid, ask) in tops.items():
        if u in touches:
            compared += 1
            assert (touches[u]["b"], touches[u]["a"]) == (bid, ask)
    assert compared > 5


async def test_trade_streams_tell_every_fill_once(probe):
    spot = await probe.connect("binance_spot", "/stream?streams=btcusdt@trade/btcusdt@aggTrade")
    okx = await probe.connect("okx_swap", "/ws/v5/public")
    await okx.send_json({"op": "subscribe", "args": [{"channel": "trades", "instId": "BTC-USDT-SWAP"}]})
    bybit = await probe.connect("bybit_linear", "/v5/public/linear")
    await bybit.send_json({"op": "subscribe", "args": ["publicTrade.BTCUSDT"]})
    await play(probe)
    frames = [frame["data"] for frame in map(json.loads, await probe.rest_of(spot))]
    ids = [frame["t"] for frame in frames if frame["e"] == "trade"]
    assert len(ids) > 5 and ids == list(range(ids[0], ids[0] + len(ids)))
    runs = [frame for frame in frames if frame["e"] == "aggTrade"]
    assert [run["f"] for run in runs[1:]] == [run["l"] + 1 for run in runs[:-1]]
    assert (runs[0]["f"], runs[-1]["l"]) == (ids[0], ids[-1])
    assert ids[-1] == (await probe.oracle("binance_spot", "BTCUSDT"))["last_trade_id"]

    rows = [row for frame in map(json.loads, await probe.rest_of(okx, 0.2)) for row in frame.get("data", [])]
    last = int(rows[0]["tradeId"])
    for row in rows[1:]:
        assert int(row["tradeId"]) - int(row["count"]) == last
        last = int(row["tradeId"])
    assert last == (await probe.oracle("okx_swap", "BTC-USDT-SWAP"))["last_trade_id"]

    rows = [row for frame in map(json.loads, await probe.rest_of(bybit, 0.2)) for row in frame.get("data", [])]
    fills = {row["i"]: row for row in rows}
    assert len(fills) == len(rows) > 5
    rest = await probe.get("bybit_linear", "/v5/market/recent-trade", category="linear", symbol="BTCUSDT", limit="1000")
    listed = {row["execId"]: row for row in rest["result"]["list"]}
    for name, row in fills.items():
        twin = listed[name]
        assert (twin["price"], twin["size"], twin["side"], twin["seq"]) == (
            row["p"],
            row["v"],
            row["S"],
            str(row["seq"]),
        )

"""What is said of a frame that was taken away is what its neighbours on the wire say of it."""

import pytest


async def incidents(probe, *faults: str) -> list[dict]:
    async with probe.session.get(probe.simulator.url + "/oracle/incidents") as answer:
        return [each for each in await answer.json() if each["fault"] in faults]


def spot(frame: dict) -> tuple[int, int] | None:
    """(what must fit to the frame before, the newest id) of a book's difference."""
    return (frame["data"]["U"] - 1, frame["data"]["u"]) if "U" in frame.get("data", {}) else None


def futures(frame: dict) -> tuple[int, int] | None:
    return (frame["data"]["pu"], frame["data"]["u"]) if "pu" in frame.get("data", {}) else None


def counted(frame: dict) -> tuple[int, int] | None:
    return (frame["data"]["u"] - 1, frame["data"]["u"]) if frame.get("type") == "delta" else None


def chained(frame: dict) -> tuple[int, int] | None:
    return (frame["data"][0]["prevSeqId"], frame["data"][0]["seqId"]) if frame.get("action") == "update" else None


@pytest.mark.parametrize(
    "market, path, request_, symbol, ids",
    [
        ("binance_spot", "/stream?streams=btcusdt@depth@100ms", None, "BTCUSDT", spot), ("binance_usdm", "/public/stream?streams=btcusdt@depth@100ms", None, "BTCUSDT", futures),
        ("bybit_linear", "/v5/public/linear", {"op": "subscribe", "args": ["orderbook.200.BTCUSDT"]}, "BTCUSDT", counted),
        ("okx_swap", "/ws/v5/public", {"op": "subscribe", "args": [{"channel": "books", "instId": "BTC-USDT-SWAP"}]}, "BTC-USDT-SWAP", chained),
    ],
)  # fmt: skip
async def test_a_frame_that_was_dropped_is_told_with_the_ids_of_its_neighbours(probe, market, path, request_, symbol, ids):
    socket = await probe.connect(market, path)
    if request_ is not None:
        await socket.send_json(request_)
    before = ids(await probe.next_json(socket, ids))
    await probe.post("/oracle/fault", {"fault": "drop", "market": market, "symbol": symbol, "kind": "book"})
    while (now := ids(await probe.next_json(socket, ids)))[0] == before[1]:
        before = now
    (told,) = await incidents(probe, "drop")
    assert (told["market"], told["symbol"], told["kind"], told["copies"]) == (market, symbol, "book", 1)
    # who counts expects the next number and finds the first one of another frame; who is told the last one expects that
    counts = ids in (spot, counted)
    assert (told["before"], told["expects"], told["finds"]) == (before[1], before[1] + counts, now[0] + counts)


async def test_a_line_that_was_cut_is_told_with_the_books_that_it_carried(probe):
    socket = await probe.connect("okx_swap", "/ws/v5/public")
    other = await probe.connect("okx_swap", "/ws/v5/public")
    for each in (socket, other):
        await each.send_json({"op": "subscribe", "args": [{"channel": "books", "instId": "BTC-USDT-SWAP"}]})
    await socket.send_json({"op": "subscribe", "args": [{"channel": "books", "instId": "ETH-USDT-SWAP"}, {"channel": "trades", "instId": "BTC-USDT-SWAP"}]})
    await probe.next_json(socket, lambda frame: frame.get("action") == "update" and frame["arg"]["instId"] == "ETH-USDT-SWAP")
    seen = (await probe.next_json(socket, chained))["data"][0]["seqId"]
    await probe.post("/oracle/fault", {"fault": "disconnect", "market": "okx_swap"})
    told = await incidents(probe, "disconnect")
    books = [sorted((book["symbol"], book["copies"]) for book in each["books"]) for each in told]
    assert sorted(books) == [[("BTC-USDT-SWAP", 2)], [("BTC-USDT-SWAP", 2), ("ETH-USDT-SWAP", 1)]]
    assert all(book["told"] >= seen for each in told for book in each["books"] if book["symbol"].startswith("BTC")) and len({each["connection"] for each in told}) == 2


async def test_what_else_is_done_by_hand_stands_there_too(probe):
    await probe.post("/oracle/fault", {"fault": "skew", "market": "okx", "for_s": 0.4})
    await probe.post("/oracle/listing/okx_swap/BTC-USDT-SWAP", {"last_day_ms": 4_000_000_000_000})
    await probe.post("/oracle/maintenance", {"venue": "okx", "id": "1", "title": "x", "state": "ongoing", "begin_ms": 1, "end_ms": 2})
    skew, listing, work = await incidents(probe, "skew", "listing", "maintenance")
    assert (skew["market"], skew["for_s"], listing["symbol"], listing["asked"]) == ("okx", 0.4, "BTC-USDT-SWAP", {"last_day_ms": 4_000_000_000_000})
    assert (work["venue"], work["state"], work["data"], work["titled"]) == ("okx", "ongoing", True, True)
    async with probe.session.get(f"{probe.simulator.url}/oracle/incidents?since={work['at_ns'] // 1_000_000 + 1000}") as answer:
        assert await answer.json() == []

"""The replay command: recordings of a few lines, into books, figures and a real Redis."""

import asyncio
import gzip
import json

import pytest
from redis.asyncio import Redis

from p9.__main__ import _parser
from p9.config import parse
from p9.errors import ConfigError, P9Error
from p9.evaluate import sample
from p9.replay import run
from tests.delivery.redis_process import RedisProcess

AT_NS = 1_700_000_000_000_000_000
MS = AT_NS // 1_000_000


def depth(kind: str, u: int, bids: list, asks: list) -> str:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": u, "seq": 100 + u}
    return json.dumps({"topic": "orderbook.50.BTCUSDT", "type": kind, "ts": MS + u, "data": data, "cts": MS + u}, separators=(",", ":"))


def trade(n: int) -> str:
    row = {"i": f"00000000-0000-0000-0000-{n:012d}", "T": MS + n, "p": "100.5", "v": "0.25", "S": "Buy", "s": "BTCUSDT", "BT": False, "L": "PlusTick"}
    return json.dumps({"topic": "publicTrade.BTCUSDT", "ts": MS + n, "type": "snapshot", "data": [row]}, separators=(",", ":"))


FRAMES = [
    depth("snapshot", 1, [["100.0", "1.5"], ["99.5", "2"]], [["100.5", "3"]]),
    depth("delta", 2, [["100.0", "0"]], [["101.0", "4.25"]]),
    trade(1),
    depth("delta", 3, [["99.0", "7"]], []),
]


def recording(path, frames=FRAMES, gap_ns=1_000_000):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt") as file:
        file.writelines(f"{AT_NS + n * gap_ns} {frame}\n" for n, frame in enumerate(frames))
    return path


def replay(*words: object, configuration: str = "") -> int:
    options = _parser(["replay"]).parse_args(["replay", *map(str, words)])
    return asyncio.run(run(options, parse(configuration), None))


@pytest.mark.parametrize("name", ["plain.jsonl", "packed.jsonl.gz"])
def test_a_recording_becomes_books_and_figures(tmp_path, capsys, name):
    out = tmp_path / "books.json"
    assert replay(recording(tmp_path / name), "--dry", "--books-out", out) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (figures["lines"], figures["skipped"], figures["instruments"], figures["synced"]) == (4, 0, 1, 1)
    assert (figures["events_applied"], figures["gaps"], figures["trades"], figures["confirmed"]) == (2, 0, 1, None)
    book = json.loads(out.read_text())["bybit_linear"]["BTCUSDT"]
    assert [[float(x) for x in row] for row in book["bids"]] == [[99.5, 2], [99, 7]]
    assert [[float(x) for x in row] for row in book["asks"]] == [[100.5, 3], [101, 4.25]]


def test_files_of_several_markets_that_tell_none_are_each_of_their_own(tmp_path, capsys):
    """Two product lines of one venue name the same symbol: three files replayed together once were one market, and one mixed-up book."""

    def change(first: int, last: int, **more: object) -> str:
        return json.dumps({"e": "depthUpdate", "E": MS, "s": "BTCUSDT", "U": first, "u": last, **more, "b": [["10.0", "1"]], "a": [["11.0", "2"]]})

    def image(n: int) -> str:
        return json.dumps({"lastUpdateId": n, "bids": [["10.0", "1"]], "asks": [["11.0", "2"]]})

    files = [
        recording(tmp_path / "spot.jsonl", [change(5, 9), change(10, 11)]),
        recording(tmp_path / "futures.jsonl", [change(100, 104, pu=99, T=MS), change(107, 109, pu=104, T=MS)]),
        recording(tmp_path / "other.jsonl", FRAMES),
    ]
    _, sampler = asyncio.run(sample(files, parse(""), 50_000_000))  # with all their streams: two of one venue never write to one channel
    assert sorted(track.name for track in sampler.tracks) == ["binance_spot BTCUSDT", "binance_usdm BTCUSDT", "bybit_linear BTCUSDT"]
    assert replay(*files, "--dry", "--books-out", tmp_path / "books.json") == 0
    assert set(json.loads((tmp_path / "books.json").read_text())) == {"binance_spot", "binance_usdm", "bybit_linear"}
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["skipped"] == 0
    url = "https://host/fapi/v1/depth?symbol=BTCUSDT"
    images = tmp_path / "images.jsonl"
    images.write_text(json.dumps({"recv_ns": AT_NS + 10, "url": url, "raw": image(102)}) + "\n")
    assert replay(images, files[1], "--dry", "--books-out", tmp_path / "books.json") == 0
    books = json.loads((tmp_path / "books.json").read_text())
    assert set(books) == {"binance_usdm"}, "images alone do not tell: the file beside them does"


def test_the_pace_of_the_recording_is_kept_when_asked_for(tmp_path):
    path = recording(tmp_path / "r.jsonl", gap_ns=100_000_000)
    times = {}
    for speed in ("1", "10", "max"):
        loop_s = asyncio.new_event_loop().time
        began_s = loop_s()
        replay(path, "--dry", "--speed", speed)
        times[speed] = loop_s() - began_s
    assert times["1"] >= 0.3 > times["max"] and times["1"] > times["10"] >= 0.03


@pytest.mark.parametrize("speed", ["fast", "0", "-1", "nan", "inf", ""])
def test_a_speed_that_is_none_is_refused(tmp_path, speed):
    # nought was a division by zero after the first line
    with pytest.raises(ConfigError, match="allowed is a number above 0, or max"):
        replay(recording(tmp_path / "r.jsonl"), "--dry", f"--speed={speed}")


def test_a_market_that_is_none_is_refused_and_the_known_ones_are_named(tmp_path):
    with pytest.raises((P9Error, ValueError), match="bybit_linear"):
        replay(recording(tmp_path / "r.jsonl"), "--dry", "--market", "bybit_linnear")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(P9Error, match=r"absent\.jsonl"):
        replay(tmp_path / "absent.jsonl", "--dry")


def test_lines_that_tell_no_market_say_how_to_name_it(tmp_path, capsys):
    path = recording(tmp_path / "r.jsonl", ['{"hello": 1}', '{"world": 2}'])
    assert replay(path, "--dry") == 1
    said = capsys.readouterr()
    assert "--market" in said.err and json.loads(said.out)["instruments"] == 0


def test_reference_data_in_the_recording_names_the_instrument_and_a_broken_one_is_passed_over(tmp_path, capsys):
    row = {
        "symbol": "BTCUSDT", "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": "BTC", "quoteCoin": "USDT", "settleCoin": "USDT",
        "launchTime": "1584230400000", "deliveryTime": "0", "priceScale": "2", "priceFilter": {"tickSize": "0.50", "minPrice": "0.5", "maxPrice": "1e6"},
        "lotSizeFilter": {"qtyStep": "0.001", "minOrderQty": "0.001", "maxOrderQty": "100"},
    }  # fmt: skip
    answers = [{"retCode": 0, "result": 7}, {"retCode": 0, "result": {"category": "linear", "list": [row]}}]
    url = "https://host/v5/market/instruments-info?category=linear"
    lines = [
        *(json.dumps({"recv_ns": AT_NS, "market": "bybit_linear", "url": url, "raw": answer}) for answer in answers),
        *(json.dumps({"recv_ns": AT_NS + 1 + n, "market": "bybit_linear", "raw": json.loads(frame)}) for n, frame in enumerate(FRAMES)),
    ]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(lines) + "\n")
    with RedisProcess(tmp_path / "redis") as server:
        assert replay(path, configuration=f"redis: {{mode: external, url: '{server.url}'}}") == 0

        async def channels() -> list[bytes]:
            async with Redis.from_url(server.url) as client:
                return await client.keys("stream:{trades:*")

        assert asyncio.run(channels()) == [b"stream:{trades:bybit:BTC-USDT-PERP}"]
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["confirmed"] > 3 and figures["events_left"] == 0


def test_a_redis_with_a_password_gets_it_from_the_environment(tmp_path, monkeypatch, capsys):
    # the replay knew the user's name only, and was refused
    monkeypatch.setenv("P9_REDIS_PASSWORD", "open sesame")
    with RedisProcess(tmp_path / "redis") as server:
        server.client().config_set("requirepass", "open sesame")
        assert replay(recording(tmp_path / "r.jsonl"), configuration=f"redis: {{mode: external, url: '{server.url}'}}") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["confirmed"] > 0

"""Every documented frame that is no data, as each venue writes it, and what was seen of real ones."""

import json
import os
from pathlib import Path

import pytest

from p9.venue import Control, market

RECORDINGS = Path(os.environ.get("P9_RECORDINGS", Path(__file__).resolve().parents[3] / "shared" / "recordings"))


def read(name: str, frame: str | dict) -> Control:
    return market(name).venue.read_control((frame if isinstance(frame, str) else json.dumps(frame)).encode())


BINANCE = [
    ({"result": None, "id": 1}, "ack", 1, ()),
    ({"result": ["btcusdt@aggTrade"], "id": 3}, "ack", 3, ()),
    ({"result": True, "id": 2}, "ack", 2, ()),
    ({"result": None, "id": "a-text"}, "ack", None, ()),
    ({"code": 2, "msg": "Invalid request: missing field `method` at line 1 column 73"}, "refused", None, ()),
    ({"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}, "refused", None, ()),
    ({"code": 0, "msg": "Unknown property", "id": 5}, "refused", 5, ()),
    ({"error": {"code": 4, "msg": "Too many subscriptions"}, "id": 19}, "refused", 19, ()),
    ({"e": "serverShutdown", "E": 1770123456789}, "closing", None, ()),
    ({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1770123456789}}, "closing", None, ()),
    ({"something": "new"}, "unknown", None, ()),
]
BYBIT = [
    ({"success": True, "ret_msg": "", "conn_id": "c", "req_id": "7", "op": "subscribe"}, "ack", 7, ()),
    ({"success": True, "ret_msg": "subscribe", "conn_id": "c", "op": "subscribe"}, "ack", None, ()),
    ({"success": True, "ret_msg": "", "conn_id": "c", "req_id": "8", "op": "unsubscribe"}, "ack", 8, ()),
    ({"success": True, "conn_id": "c", "data": {"successTopics": ["tickers.A"], "failTopics": []}, "type": "COMMAND_RESP"}, "ack", None, ()),
    (
        {"success": True, "conn_id": "c", "data": {"successTopics": ["a"], "failTopics": ["tickers.B"]}, "type": "COMMAND_RESP"},
        "refused",
        None,
        ("tickers.B",),
    ),
    (
        {"success": False, "ret_msg": "error:handler not found,topic:orderbook.50.NOPEUSDT", "req_id": "1", "op": "subscribe"},
        "refused",
        1,
        ("orderbook.50.NOPEUSDT",),
    ),
    (
        {"success": False, "ret_msg": "error:already subscribed,topic:orderbook.1.ETHUSDT", "req_id": "6", "op": "subscribe"},
        "ack",
        6,
        ("orderbook.1.ETHUSDT",),
    ),
    ({"success": False, "ret_msg": "Params Error", "req_id": "9", "op": "subscribe"}, "refused", 9, ()),
    ({"success": False, "ret_msg": "args size >10", "conn_id": "c", "op": "subscribe"}, "refused", None, ()),
    ({"success": False, "ret_msg": "error:invalid op", "conn_id": "c"}, "refused", None, ()),
    ({"success": False, "ret_msg": "Failed to decode incoming data:readObjectStart: expect {"}, "refused", None, ()),
    ({"success": True, "ret_msg": "pong", "conn_id": "c", "req_id": "", "op": "ping"}, "pong", None, ()),
    ({"success": True, "ret_msg": "pong", "conn_id": "c", "op": "ping"}, "pong", None, ()),
    ({"args": ["1791136071311"], "op": "pong"}, "pong", None, ()),
    ({"req_id": "test", "op": "pong", "args": ["1675418560633"], "conn_id": "c"}, "pong", None, ()),
    ({"hello": 1}, "unknown", None, ()),
]
OKX = [
    ("pong", "pong", None, ()),
    (
        {"id": "1512", "event": "subscribe", "arg": {"channel": "books", "instId": "BTC-USDT-SWAP"}, "connId": "a"},
        "ack",
        1512,
        ("books:BTC-USDT-SWAP",),
    ),
    ({"event": "unsubscribe", "arg": {"channel": "books", "instId": "BTC-USDT-SWAP"}, "connId": "d"}, "ack", None, ("books:BTC-USDT-SWAP",)),
    (
        {
            "event": "error",
            "msg": "Wrong URL or channel:index-tickers, instId:NEAR-USDT-SWAP doesn't exist. Please use the correct URL.",
            "code": "60018",
            "connId": "9",
        },
        "refused",
        None,
        ("index-tickers:NEAR-USDT-SWAP",),
    ),
    ({"id": "4", "event": "error", "msg": "Illegal request", "code": "60012", "connId": "9"}, "refused", 4, ()),
    (
        {"event": "error", "arg": {"channel": "books-l2-tbt", "instId": "BTC-USDT"}, "code": "64003", "msg": "tier"},
        "refused",
        None,
        ("books-l2-tbt:BTC-USDT",),
    ),
    (
        {"event": "notice", "code": "64008", "msg": "The connection will soon be closed for a service upgrade. Please reconnect.", "connId": "8"},
        "closing",
        None,
        (),
    ),
    ({"event": "notice", "code": "1", "msg": "news"}, "notice", None, ()),
    ({"event": "channel-conn-count", "channel": "orders", "connCount": "2", "connId": "a"}, "notice", None, ()),
    ({"odd": True}, "unknown", None, ()),
]


@pytest.mark.parametrize(
    "name, frame, kind, request_id, topics",
    [("binance_spot", *row) for row in BINANCE] + [("bybit_linear", *row) for row in BYBIT] + [("okx_swap", *row) for row in OKX],
)
def test_documented_control_frames(name, frame, kind, request_id, topics):
    control = read(name, frame)
    assert (control.kind, control.request_id, control.topics) == (kind, request_id, topics)


@pytest.mark.parametrize("name", ["binance_usdm", "bybit_spot", "okx_spot"])
@pytest.mark.parametrize(
    "frame", ["", "null", "[]", "[1,2]", "{", "hello", '"x"', "\x00", '{"data":[]}', '{"error":"text","id":[1]}', '{"event":5,"arg":[],"id":{}}']
)
def test_nonsense_is_unknown_and_never_an_exception(name, frame):
    assert read(name, frame).kind in ("unknown", "notice")


@pytest.mark.parametrize("name", ["binance_usdm", "bybit_spot", "okx_spot"])
@pytest.mark.parametrize(
    "payload",
    [
        b'{"op":"\xff","event":"\xe1"}',
        b"[" * 100_000,
        b'{"event":"subscribe\xc3","id":"1"}',
        b'{"id":"' + b"9" * 5000 + b'","req_id":"' + b"9" * 5000 + b'"}',
        '{"req_id":"\u0661","id":"\u0661","data":{"failTopics":5}}'.encode(),
    ],
    ids=["no utf-8", "deep", "no utf-8 in a subscription", "long id", "other digits"],
)
def test_bytes_that_are_no_text_are_unknown_too(name, payload):
    """msgspec has an error of its own for them, which came up in the socket's callback."""
    control = market(name).venue.read_control(payload)
    assert (control.kind, control.request_id, control.topics) == ("unknown", None, ())


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings here (P9_RECORDINGS)")
def test_refusals_that_a_real_socket_sent():
    for line in (RECORDINGS / "bybit" / "ws_control_errors_real.jsonl").read_text().splitlines():
        row = json.loads(line)
        if "rep" in row and row["cat"] != "private":
            control = read("bybit_" + row["cat"], row["rep"])
            assert control.kind == ("ack" if "already" in row["rep"]["ret_msg"] else "refused"), row
            if "topic:" in row["rep"]["ret_msg"]:
                assert control.topics == tuple(row["req"]["args"])

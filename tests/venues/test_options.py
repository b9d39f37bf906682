"""The options of each venue: reference data, topics, frames and answers, and what a bad row costs."""

import json
import random

import msgspec
import pytest

from p9.analysis.options.chain import Chain
from p9.errors import RestError
from p9.fact import Reading, Roster
from p9.number import decoded
from p9.option import FIELDS, Told, options_of
from tests.recordings import recording

EXCHANGES = ("binance", "bybit", "okx")
EXPIRY_MS = 1790323200000  # 2026-09-25 08:00 UTC


def binance_answer(**changes) -> dict:
    row = {
        "symbol": "BTC-260925-86000-C", "expiryDate": EXPIRY_MS, "side": "CALL", "strikePrice": "86000.00", "underlying": "BTCUSDT", "unit": 1,
        "filters": [{"filterType": "PRICE_FILTER", "tickSize": "5.000"}, {"filterType": "LOT_SIZE", "stepSize": "0.01"}], "quoteAsset": "USDT", "status": "TRADING",
    }  # fmt: skip
    contracts = [{"baseAsset": "BTC", "quoteAsset": "USDT", "underlying": "BTCUSDT", "settleAsset": "USDT"}]
    return {"optionContracts": contracts, "optionSymbols": [{**row, **changes}]}


def bybit_answer(**changes) -> dict:
    row = {
        "symbol": "XRP-25SEP26-0.4-P-USDT", "status": "Trading", "baseCoin": "XRP", "quoteCoin": "USDT", "settleCoin": "USDT", "optionsType": "Put",
        "launchTime": "1743669649256", "deliveryTime": str(EXPIRY_MS), "priceFilter": {"tickSize": "0.0001"}, "lotSizeFilter": {"qtyStep": "1"},
    }  # fmt: skip
    return {"retCode": 0, "result": {"category": "option", "nextPageCursor": "", "list": [{**row, **changes}]}}


def one(exchange: str, answer: dict):
    venue = options_of(exchange)
    return venue.parse(venue.market, [answer])


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_row_is_whole(exchange):
    venue = options_of(exchange)
    assert venue.market.name == f"{exchange}_option" and venue.market.exchange == exchange and venue.route in venue.market.routes
    assert venue.market.socket_url(venue.route).startswith("wss://")
    assert all(request.path.startswith("/") for request in venue.instrument_requests(venue.market, "BTC"))
    assert len({poll.kind for poll in venue.polls}) == len(venue.polls)


def test_reference_data_of_the_first_venue():
    (row,) = one("binance", binance_answer()).instruments
    assert (row.symbol, row.base, row.quote, row.settle, row.family) == ("BTC-USDT-20260925-86000-C", "BTC", "USDT", "USDT", "BTCUSDT")
    assert (row.tick, row.step, row.strike, row.option_type, row.expires_ns, row.trading) == ("5", "0.01", "86000", "C", EXPIRY_MS * 10**6, True)
    (row,) = one("binance", binance_answer(unit="10", side="PUT", status="SETTLING", filters=[{"filterType": "PRICE_FILTER", "tickSize": "0.1", "stepSize": "0.02"}])).instruments
    assert (row.contract, row.contract_value, row.option_type, row.trading, row.step) == ("linear", "10", "P", False, "0.02")


@pytest.mark.parametrize(
    "exchange, changes, reason",
    [
        ("binance", {"underlying": "XYZUSDT"}, "XYZUSDT"), ("binance", {"expiryDate": 0}, "expiryDate"), ("binance", {"strikePrice": "0"}, "positive"),
        ("binance", {"side": "STRADDLE"}, "STRADDLE"), ("binance", {"filters": []}, "PRICE_FILTER"), ("binance", {"strikePrice": None}, "decimal"),
        ("bybit", {"optionsType": "Both"}, "Both"), ("bybit", {"deliveryTime": "0"}, "deliveryTime"), ("bybit", {"symbol": "BTC"}, "range"),
        ("bybit", {"priceFilter": None}, "subscriptable"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_refused_by_itself(exchange, changes, reason):
    good, bad = (binance_answer(), binance_answer(**changes)) if exchange == "binance" else (bybit_answer(), bybit_answer(**changes))
    rows = bad["optionSymbols"] + good["optionSymbols"] if exchange == "binance" else bad["result"]["list"] + good["result"]["list"]
    answer = {**good, "optionSymbols": rows} if exchange == "binance" else {"result": {"list": rows}}
    parsed = one(exchange, answer)
    assert len(parsed.instruments) == 1 and reason in parsed.refused[0].reason


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("answer", [{}, [], None, {"optionSymbols": 1}, {"result": None}, {"data": None}])
def test_an_answer_without_its_list_is_an_error(exchange, answer):
    with pytest.raises(RestError):
        one(exchange, answer)


def test_reference_data_of_the_second_venue():
    (row,) = one("bybit", bybit_answer()).instruments
    assert (row.symbol, row.strike, row.option_type, row.family, row.settle) == ("XRP-USDT-20260925-0.4-P", "0.4", "P", "XRP", "USDT")
    (row,) = one("bybit", bybit_answer(symbol="ETH-6JAN23-2800-C", baseCoin="ETH", settleCoin="USDC", quoteCoin="USD", optionsType="Call")).instruments
    assert (row.symbol, row.quote, row.option_type) == ("ETH-USDC-20260925-2800-C", "USDC", "C")


def test_documented_and_recorded_reference_data():
    answer = json.loads(recording("binance/docsample_options_rest_market.json").read_bytes())["exchange_information"]
    assert [row.symbol for row in one("binance", answer).instruments] == ["BTC-USDT-20220815-50000-C"]
    parsed = one("okx", json.loads(recording("okx/rest_public_instruments_OPTION_BTC-USD_sample_2026-04.json").read_bytes()))
    assert len(parsed.instruments) == 120 and not parsed.refused
    assert {(row.family, row.quote, row.settle) for row in parsed.instruments} == {("BTC-USD", "USD", "BTC"), ("BTC-USD_UM", "USD_UM", "USD")}
    assert {row.contract_value for row in parsed.instruments if row.family == "BTC-USD"} == {"0.01"}


def test_topics_and_questions():
    (btc,) = one("binance", binance_answer()).instruments
    assert [topic.name for topic in options_of("binance").topics([btc, btc])] == ["btcusdt@optionMarkPrice", "btcusdt@openInterest@260925"]
    (xrp,) = one("bybit", bybit_answer()).instruments
    bybit = options_of("bybit")
    assert [topic.name for topic in bybit.topics([xrp])] == ["tickers.XRP-25SEP26-0.4-P-USDT"]
    (request,) = bybit.polls[0].requests(bybit.market, Roster([xrp, xrp]))
    assert (request.path, dict(request.params)) == ("/v5/market/tickers", {"category": "option", "baseCoin": "XRP"})
    okx = options_of("okx")
    row = msgspec.structs.replace(btc, exchange="okx", market="okx_option", family="BTC-USD_UM")
    assert [topic.name for topic in okx.topics([row, row])] == ["opt-summary:instFamily=BTC-USD_UM"]
    assert [dict(poll.requests(okx.market, Roster([row]))[0].params) for poll in okx.polls] == [{"instType": "OPTION", "instFamily": "BTC-USD_UM"}] * 3
    assert [dict(request.params)["instFamily"] for request in okx.instrument_requests(okx.market, "ETH")] == ["ETH-USD", "ETH-USD_UM"]


# ---- frames

MARK = {"s": "A", "mp": "809.784", "E": 5, "e": "markPrice", "i": "85879.8", "bo": "0.000", "ao": "810.000", "bq": "0.0000", "aq": "1.10", "b": "-1.0", "a": "0.3", "vo": "0.349", "rf": "0.05", "d": "0.4", "t": "-2", "g": "0.1", "v": "3"}  # fmt: skip
SUMMARY = {"instId": "A", "ts": "5", "fwdPx": "100", "markVol": "0.5", "bidVol": "", "askVol": "5", "deltaBS": "0.4", "gammaBS": "1", "vegaBS": "2", "thetaBS": "3", "delta": "0.3", "gamma": "4", "vega": "5", "theta": "6"}  # fmt: skip
TICKER = {"symbol": "A", "bidPrice": "0", "bidSize": "0", "bidIv": "0", "askPrice": "435", "askSize": "0.66", "askIv": "5", "markPrice": "1", "indexPrice": "2", "markPriceIv": "0.7", "underlyingPrice": "3", "openInterest": "6.3", "delta": "0.1", "gamma": "0.2", "vega": "0.3", "theta": "-0.4"}  # fmt: skip


def frames(rows: list) -> dict[str, tuple]:
    """{exchange: (its reader, a frame or answer of these rows)}"""
    binance, bybit, okx = map(options_of, EXCHANGES)
    return {
        "binance": (binance.read, {"stream": "btcusdt@optionMarkPrice", "data": [{**MARK, **row} for row in rows]}),
        "bybit": (bybit.read, {"topic": "tickers.A", "ts": 5, "type": "snapshot", "id": "x", "data": {**TICKER, **(rows[0] if rows else {})}}),
        "okx": (okx.read, {"arg": {}, "data": [{**SUMMARY, **({"instId": row["s"]} if "s" in row else row)} for row in rows]}),
    }


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_frame_s_fields_are_words_of_ours_and_a_row_has_all_of_them(exchange):
    read, frame = frames([{}])[exchange]
    told = read(json.dumps(frame).encode())
    (symbol, at_ms, row), *none = told.rows
    assert (symbol, at_ms, none, told.refused) == ("A", 5, [], 0)
    assert set(told.fields) <= set(FIELDS) and len(row) == len(told.fields) == len(set(told.fields))


def texts(told: Told) -> dict:
    return dict(zip(told.fields, told.rows[0][2], strict=True))


def test_which_field_is_which():
    by = {exchange: texts(read(json.dumps(frame).encode())) for exchange, (read, frame) in frames([{}]).items()}
    assert by["binance"] == {
        "index_price": "85879.8", "rate": "0.05", "mark_price": "809.784", "bid_price": "0.000", "bid_quantity": "0.0000", "ask_price": "810.000",
        "ask_quantity": "1.10", "mark_iv": "0.349", "bid_iv": "-1.0", "ask_iv": "0.3", "delta": "0.4", "gamma": "0.1", "vega": "3", "theta": "-2",
    }  # fmt: skip
    assert by["bybit"] == {
        "forward": "3", "index_price": "2", "mark_price": "1", "bid_price": "0", "bid_quantity": "0", "ask_price": "435", "ask_quantity": "0.66", "mark_iv": "0.7",
        "bid_iv": "0", "ask_iv": None, "open_interest": "6.3", "delta": "0.1", "gamma": "0.2", "vega": "0.3", "theta": "-0.4",
    }  # fmt: skip
    assert by["okx"] == {
        "forward": "100", "mark_iv": "0.5", "bid_iv": "", "ask_iv": None, "delta": "0.4", "gamma": "1", "vega": "2", "theta": "3",
        "delta_coin": "0.3", "gamma_coin": "4", "vega_coin": "5", "theta_coin": "6",
    }  # fmt: skip


def answered(exchange: str, kind: str, answer) -> Reading:
    venue = options_of(exchange)
    reading = Reading(Roster(()))
    next(poll for poll in venue.polls if poll.kind == kind).read(venue.market, reading, decoded(json.dumps(answer).encode()))
    return reading


REST = {"bidPrice": "bid1Price", "bidSize": "bid1Size", "bidIv": "bid1Iv", "askPrice": "ask1Price", "askSize": "ask1Size", "askIv": "ask1Iv", "markPriceIv": "markIv"}


def test_the_answers_of_the_second_venue_use_other_names_and_say_the_same():
    rows = [{REST.get(key, key): value for key, value in TICKER.items()}, {"symbol": 7}, 8]
    reading = answered("bybit", "option_tickers", {"result": {"list": rows}, "time": 5})
    read, frame = frames([{}])["bybit"]
    text = json.dumps(frame, separators=(",", ":")).encode()
    assert reading.facts == [read(text)] and options_of("bybit").whole(text)
    assert reading.bad == {"no_symbol": 1, "no_object": 1}


def test_the_answers_of_the_third_venue():
    rows = [{"instId": "A", "ts": "5", "bidPx": "", "bidSz": "", "askPx": "0.01", "askSz": "3"}, {"instId": "B", "ts": ""}, {"ts": "5"}, None]
    rows[0]["ts"] = rows[2]["ts"] = "1728703155000"
    reading = answered("okx", "option_tickers", {"data": rows})
    assert reading.facts == [Told("tickers", ("bid_price", "bid_quantity", "ask_price", "ask_quantity"), [("A", 1728703155000, ("", "", "0.01", "3"))])]
    assert reading.bad == {"no_symbol_or_time": 2, "no_object": 1}
    noisy = [("36.00000000000003", "36"), ("36", "36"), ("36.5", "36.5"), ("0.00000000000001", "0"), ("", ""), (None, None)]
    for text, meant in noisy:
        (told,) = answered("okx", "option_interest", {"data": [{"instId": "A", "ts": "1728703155000", "oi": text}]}).facts
        assert told.rows == [("A", 1728703155000, (meant,))]
    (told,) = answered("okx", "option_marks", {"data": [{"instId": "A", "ts": "1728703155000", "markPx": "0.0469010701061956"}]}).facts
    assert told.rows[0][2] == ("0.0469010701061956",), "a premium keeps all of its digits"


@pytest.mark.parametrize("exchange, kind", [("bybit", "option_tickers"), ("okx", "option_marks")])
@pytest.mark.parametrize("answer", [{}, [], None, {"result": None}, {"result": {"list": 7}, "time": 5}, {"data": "x"}, {"result": {"list": []}}])
def test_what_is_no_answer_is_counted_and_tells_nothing(exchange, kind, answer):
    reading = answered(exchange, kind, answer)
    assert sum(reading.bad.values()) == 1 and not any(told.rows for told in reading.facts)


def test_a_difference_says_only_what_it_holds():
    """Tickers of options are said to be snapshots always; should a difference come, what it leaves out stays."""
    venue = options_of("bybit")
    frame = b'{"topic":"tickers.A","ts":6,"type":"delta","data":{"symbol":"A","bidPrice":"7","bidIv":"0.2"}}'
    assert venue.read(frame) == Told("tickers", ("bid_price", "bid_iv"), [("A", 6, ("7", "0.2"))]) and not venue.whole(frame)


@pytest.mark.parametrize("exchange", ["binance", "okx"])
@pytest.mark.parametrize("bad", [{"delta": 0.5, "d": 0.5}, {"s": 7, "instId": 7}, {"deltaBS": {}, "d": [], "gamma": {}}])
def test_a_bad_row_costs_itself_alone(exchange, bad):
    read, frame = frames([{"s": "good"}, {}, {"s": "too"}])[exchange]
    frame["data"][1].update(bad)
    told = read(json.dumps(frame).encode())
    assert [row[0] for row in told.rows] == ["good", "too"] and told.refused == 1


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("payload", [b"", b"<html>", b"[]", b"{}", b'{"data":7}', b'{"result":{}}', b"\xff\xfe", b'{"data":[' + b"[" * 5000])
def test_what_is_no_frame_is_a_decode_error(exchange, payload):
    read, _ = frames([{}])[exchange]
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError, RecursionError)):
        read(payload)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_no_mutant_of_a_frame_is_more_than_refused(exchange):
    """A bit here, a byte there, a piece twice or left out: it is refused, or read as texts that the chain takes or counts; the event stays JSON."""
    draw = random.Random(exchange)
    read, frame = frames([{"s": "A"}, {"s": "B"}])[exchange]
    text = json.dumps(frame, separators=(",", ":")).encode()
    chain = Chain(exchange, "BTC-USDT")
    (row,) = one("binance", binance_answer()).instruments
    chain.add(msgspec.structs.replace(row, venue_symbol=name, strike=strike) for name, strike in (("A", "86000"), ("B", "90000")))
    refused = heard = 0
    for _ in range(3000):
        mutant = bytearray(text)
        for _ in range(draw.randint(1, 3)):
            at, size = draw.randrange(len(mutant)), draw.randint(1, 12)
            kind = draw.randrange(4)
            if kind == 0:
                mutant[at] ^= 1 << draw.randrange(8)
            elif kind == 1:
                mutant[at : at + size] = mutant[draw.randrange(len(mutant)) :][:size]
            elif kind == 2:
                del mutant[at : at + size]
            else:
                mutant[at:at] = draw.choice([b"9" * 30, b"-", b"0", b".", b"e9", b"null", b'""', b"[]", b"\\u0000"])
        try:
            told = read(bytes(mutant))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
            refused += 1
            continue
        for symbol, at_ms, values in told.rows:
            if symbol in chain.options:
                heard += 1
                chain.hear(told, at_ms, values, chain.options[symbol], EXPIRY_MS * 10**6 - 3 * 86_400 * 10**9)
        if heard % 50 == 0:
            json.loads(chain.payload(EXPIRY_MS * 10**6 - 3 * 86_400 * 10**9), parse_constant=lambda name: pytest.fail(name))
    assert refused > 100 and heard > 100 and chain.counts["malformed"] > 20


def test_documented_frames():
    (told,) = answered("bybit", "option_tickers", next(
        row["example"] for row in map(json.loads, recording("bybit/docs_examples_2026-07.jsonl").read_text().splitlines())
        if row["doc"] == "market/tickers.mdx" and row["i"] == 1
    )).facts  # fmt: skip
    assert told.rows == [("BTC-30DEC22-18000-C", 1672376592395, ("16590.42", "16600.55", "0.00000009", "0", "0", "435", "0.66", "0.7567", "0", None, "6.3", "0.00000001", "0.00000001", "0.00000004", "-0.00000152"))]  # fmt: skip
    sample = json.loads(recording("binance/docsample_options_ws_streams.json").read_bytes())
    told = options_of("binance").read(json.dumps({"stream": "btcusdt@optionMarkPrice", "data": sample["option_mark_price"]}).encode())
    assert texts(told)["mark_iv"] == "0.9408058" and texts(told)["rate"] == "0.0"
    told = options_of("binance").read(json.dumps({"stream": "ethusdt@openInterest@221125", "data": sample["open_interest"]}).encode())
    assert told == Told("interest", ("open_interest",), [("ETH-221125-2700-C", 1668759300045, ("1580.87",))])

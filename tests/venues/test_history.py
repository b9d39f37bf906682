"""What the venues' own documentation and live answers say, as rows written out by hand."""

import json
from decimal import Decimal

import msgspec
import pytest

from p9.history import Ask, CandleRow, FundingRow, InterestRow, PriceRow, RatioRow, TakerRow, TradeRow, history_of, number
from p9.instrument import Instrument
from p9.market.walk import UNREADABLE
from p9.number import decoded
from p9.venue import market
from tests.recordings import recording

S = 10**9


def instrument(name: str, contract: str = "base", value: str = "1", kind: str = "perpetual", family: str = "PAIR") -> Instrument:
    return Instrument(
        exchange=name.split("_")[0], market=name, symbol="A-B", venue_symbol="AB", base="A", quote="B", settle="B", kind=kind, tick="0.1", step="1",
        contract=contract, contract_value=value, family=family,
    )  # fmt: skip


SPOT, USDM, COINM = instrument("binance_spot", kind="spot"), instrument("binance_usdm"), instrument("binance_coinm", "inverse", "100")
LINEAR, INVERSE = instrument("bybit_linear"), instrument("bybit_inverse", "inverse", "1")
SWAP, COIN_SWAP, OKX_SPOT = instrument("okx_swap", "linear", "0.01"), instrument("okx_swap", "inverse", "100"), instrument("okx_spot", kind="spot")


def bybit(rows: list) -> dict:
    return {"retCode": 0, "retMsg": "OK", "result": {"list": rows}, "time": 1}


# (instrument, kind, answer, rows)
ANSWERS = [
    (
        SPOT, "candles",
        [[1499040000000, "0.01634790", "0.80000000", "0.01575800", "0.01577100", "148976.11427815", 1499644799999, "2434.19055334", 308, "1756.87402397", "28.46694368", "0"]],
        [CandleRow(1_499_040_000 * S, "0.0163479", "0.8", "0.015758", "0.015771", "148976.11427815", "2434.19055334", None, 308, "1756.87402397", "28.46694368")],
    ),
    (  # 206 contracts of 100 dollars
        COINM, "candles",
        [[1591258320000, "9640.7", "9642.4", "9640.6", "9642.0", "206", 1591258379999, "2.13660389", 48, "119", "1.23424865", "0"]],
        [CandleRow(1_591_258_320 * S, "9640.7", "9642.4", "9640.6", "9642", "2.13660389", "20600", "206", 48, "1.23424865", "11900", "119")],
    ),
    (
        USDM, "trades", [{"a": 26129, "p": "0.01633102", "q": "4.70443515", "nq": "100", "f": 27781, "l": 27783, "T": 1498793709153, "m": True}],
        [TradeRow(1_498_793_709_153_000_000, "26129", "0.01633102", "4.70443515", "sell", None, 27781, 27783)],
    ),
    (
        COINM, "trades", [{"a": 5, "p": "61837.6", "q": "1", "f": 7, "l": 7, "T": 1723161257679, "m": False}],
        [TradeRow(1_723_161_257_679_000_000, "5", "61837.6", "0.00161714", "buy", "1", 7, 7)],
    ),
    (  # the moment jitters by 5 ms
        USDM, "funding", [{"symbol": "BTCUSDT", "fundingTime": 1789459200005, "fundingRate": "0.00006188", "markPrice": "76907.97183333", "rateType": "Regular"}],
        [FundingRow(1_789_459_200 * S, "0.00006188", "76907.97183333")],
    ),
    (
        USDM, "open_interest",
        [{"symbol": "BTCUSDT", "sumOpenInterest": "20403.63700000", "sumOpenInterestValue": "150570784.07809979", "CMCCirculatingSupply": "165880.538", "timestamp": "1583127900000"}],
        [InterestRow(1_583_127_900 * S, "20403.637", "150570784.07809979")],
    ),
    (
        COINM, "open_interest", [{"pair": "BTCUSD", "contractType": "PERPETUAL", "sumOpenInterest": "3000", "sumOpenInterestValue": "31.5", "timestamp": 1583127900000}],
        [InterestRow(1_583_127_900 * S, "31.5", "300000", "3000")],
    ),
    (
        USDM, "accounts_ratio", [{"symbol": "BTCUSDT", "longShortRatio": "1.8105", "longAccount": "0.6442", "shortAccount": "0.3558", "timestamp": 1591261042378}],
        [RatioRow(1_591_261_042_378_000_000, "1.8105", "0.6442", "0.3558")],
    ),
    (
        USDM, "taker_volume", [{"buySellRatio": "1.5586", "buyVol": "387.3300", "sellVol": "248.5030", "timestamp": "1585614900000"}],
        [TakerRow(1_585_614_900 * S, "387.33", "248.503", "base")],
    ),
    (
        USDM, "mark_price",
        [[1591256460000, "9653.29201333", "9654.56401333", "9653.07367333", "9653.07367333", "0", 1591256519999, "0", 60, "0", "0", "0"]],
        [PriceRow(1_591_256_460 * S, "9653.29201333", "9654.56401333", "9653.07367333", "9653.07367333")],
    ),
    (  # newest first on the wire; contracts of one dollar, turnover in coins
        INVERSE, "candles",
        bybit([["1670608800000", "17071", "17073", "17027", "17055.5", "268611", "15.74462667"], ["1670605200000", "17071.5", "17071.5", "17061", "17071", "4177", "0.24469757"]]),
        [
            CandleRow(1_670_605_200 * S, "17071.5", "17071.5", "17061", "17071", "0.24469757", "4177", "4177"),
            CandleRow(1_670_608_800 * S, "17071", "17073", "17027", "17055.5", "15.74462667", "268611", "268611"),
        ],
    ),
    (
        LINEAR, "trades",
        bybit([{"execId": "ab76cb24", "symbol": "BTCUSDT", "price": "16618.49", "size": "0.00012", "side": "Buy", "time": "1672052955758", "isBlockTrade": True, "isRPITrade": True}]),
        [TradeRow(1_672_052_955_758_000_000, "ab76cb24", "16618.49", "0.00012", "buy", None, None, None, True, True)],
    ),
    (
        LINEAR, "funding", bybit([{"symbol": "ETHPERP", "fundingRate": "0.0001", "fundingRateTimestamp": "1672041600000"}]),
        [FundingRow(1_672_041_600 * S, "0.0001")],
    ),
    (
        INVERSE, "open_interest", bybit([{"openInterest": "63910691.00000000", "singleOpenInterest": "31955346", "timestamp": "1780963200000"}]),
        [InterestRow(1_780_963_200 * S, None, "31955346", "31955346")],
    ),
    (
        LINEAR, "open_interest", bybit([{"openInterest": "53124.99", "timestamp": "1670608800000"}]),
        [InterestRow(1_670_608_800 * S, "53124.99", None, None, True)],
    ),
    (
        LINEAR, "accounts_ratio", bybit([{"symbol": "BTCUSDT", "buyRatio": "0.49", "sellRatio": "0.51", "timestamp": "1696262400000"}]),
        [RatioRow(1_696_262_400 * S, None, "0.49", "0.51")],
    ),
    (
        LINEAR, "premium", bybit([["1652486400000", "-0.000587", "-0.000344", "-0.000480", "-0.000344"]]),
        [PriceRow(1_652_486_400 * S, "-0.000587", "-0.000344", "-0.00048", "-0.000344")],
    ),
    (  # a contract is 0.01 coins: 1040.37 are 10.4037
        SWAP, "candles", {"code": "0", "data": [["1747094040000", "102806.1", "102820.4", "102806.1", "102820.4", "1040.37", "10.4037", "1069603.34883", "1"]]},
        [CandleRow(1_747_094_040 * S, "102806.1", "102820.4", "102806.1", "102820.4", "10.4037", "1069603.34883", "1040.37")],
    ),
    (  # still forming
        OKX_SPOT, "candles",
        {"data": [["1757076060000", "112600.1", "112631.9", "112477.1", "112477.1", "3.10944629", "349947.335430728", "349947.335430728", "0"],
                  ["1757076000000", "112600.1", "112631.9", "112477.1", "112477.1", "3.10944629", "349947.335430728", "349947.335430728", "1"]]},
        [CandleRow(1_757_076_000 * S, "112600.1", "112631.9", "112477.1", "112477.1", "3.10944629", "349947.335430728")],
    ),
    (
        COIN_SWAP, "trades", {"data": [{"instId": "BTC-USD-SWAP", "side": "sell", "sz": "1", "px": "61837.6", "source": "1", "tradeId": "734864333", "ts": "1747087163557"}]},
        [TradeRow(1_747_087_163_557_000_000, "734864333", "61837.6", "0.00161714", "sell", "1", 734864333, 734864333, True)],
    ),
    (
        SWAP, "open_interest", {"data": [["1701417600000", "731377.57500501", "7313.77575005", "8888888.5"]]},
        [InterestRow(1_701_417_600 * S, "7313.77575005", "8888888.5", "731377.57500501")],
    ),
    (SWAP, "accounts_ratio", {"data": [["1701417600000", "1.1739"]]}, [RatioRow(1_701_417_600 * S, "1.1739")]),
    (SWAP, "taker_volume", {"data": [["1701417600000", "200", "380"]]}, [TakerRow(1_701_417_600 * S, "380", "200", "contracts")]),
    (SWAP, "index_price", {"data": [["1597026360000", "3.721", "3.743", "3.677", "3.708", "0"], ["1597026300000", "3.731", "3.799", "3.494", "3.72", "1"]]},
     [PriceRow(1_597_026_300 * S, "3.731", "3.799", "3.494", "3.72")]),
    (SWAP, "premium", {"data": [{"instId": "BTC-USDT-SWAP", "premium": "0.0000578896878167", "ts": "1713925924000"}]},
     [PriceRow(1_713_925_924 * S, None, None, None, "0.0000578896878167")]),
]  # fmt: skip


@pytest.mark.parametrize("one, kind, answer, rows", ANSWERS, ids=[f"{row[0].market} {row[1]}" for row in ANSWERS])
def test_rows_by_hand(one, kind, answer, rows):
    series = history_of(market(one.market)).series[kind]
    read = [series.read(one, raw) for raw in series.rows(decoded(msgspec.json.encode(answer)))]
    assert [row for row in read if row is not None] == rows
    assert all(isinstance(row, series.row) for row in rows)


def test_live_funding_of_two_venues():
    rows = decoded(recording("binance/live_usdm_rest_fundingRate_2026-09.json").read_bytes())
    series = history_of(market("binance_usdm")).series["funding"]
    assert [series.read(USDM, raw).time // S % 28_800 for raw in series.rows(rows)] == [0, 0, 0]
    answer = decoded(recording("okx/rest_public_funding-rate-history_XPERP_2026-04.json").read_bytes())
    series = history_of(market("okx_swap")).series["funding"]
    read = [series.read(SWAP, raw) for raw in series.rows(answer)]
    assert read[-1] == FundingRow(1_777_276_800 * S, "-0.0001143515677237") and read == sorted(read, key=lambda row: row.time)


def test_the_documentations_examples_of_candles():
    samples = json.loads(recording("binance/sample_klines.json").read_bytes())
    usdm = next(rows for name, rows in samples.items() if name.startswith("usdm_GET_/fapi/v1/klines"))
    row = history_of(market("binance_usdm")).series["candles"].read(USDM, usdm[0])
    assert (row.volume, row.quote_volume, row.buy_volume, row.buy_quote_volume, row.trades) == ("6.9863", "537560.52437", "3.2714", "251784.52452", 143)


HOUR = 3600 * S
AT = 1_795_532_400 * S
SPAN = Ask(AT, AT + HOUR - 1, "")
# (market, kind, the venue's word for an interval, path, weight, parameters)
QUESTIONS = [
    (SPOT, "candles", "1m", "/api/v3/klines", 2, {"symbol": "AB", "interval": "1m", "startTime": "1795532400000", "endTime": "1795535999999", "limit": "60"}),
    (USDM, "candles", "1m", "/fapi/v1/klines", 1, {"limit": "60"}),
    (USDM, "index_price", "1m", "/fapi/v1/indexPriceKlines", 1, {"pair": "PAIR", "interval": "1m"}),
    (COINM, "open_interest", "5m", "/futures/data/openInterestHist", 1, {"pair": "PAIR", "contractType": "PERPETUAL", "period": "5m", "limit": "500"}),
    (COINM, "accounts_ratio", "5m", "/futures/data/globalLongShortAccountRatio", 1, {"pair": "PAIR", "period": "5m"}),
    (LINEAR, "candles", "1", "/v5/market/kline", 1, {"category": "linear", "symbol": "AB", "interval": "1", "start": "1795532400000", "end": "1795535999999", "limit": "1000"}),
    (INVERSE, "open_interest", "5min", "/v5/market/open-interest", 1, {"category": "inverse", "intervalTime": "5min", "startTime": "1795532400000"}),
    (SWAP, "candles", "1m", "/api/v5/market/history-candles", 1, {"instId": "AB", "bar": "1m", "before": "1795532399999", "after": "1795536000000", "limit": "300"}),
    (SWAP, "index_price", "1m", "/api/v5/market/history-index-candles", 1, {"instId": "PAIR", "limit": "100"}),
    (SWAP, "accounts_ratio", "5m", "/api/v5/rubik/stat/contracts/long-short-account-ratio-contract", 1, {"instId": "AB", "begin": "1795532400000", "end": "1795535999999"}),
]  # fmt: skip


@pytest.mark.parametrize("one, kind, word, path, weight, params", QUESTIONS, ids=[f"{row[0].market} {row[1]}" for row in QUESTIONS])
def test_questions_by_hand(one, kind, word, path, weight, params):
    row = market(one.market)
    request = history_of(row).series[kind].request(row, one, msgspec.structs.replace(SPAN, step=word))
    assert (request.path, request.weight) == (path, weight) and params.items() <= dict(request.params).items()


def test_trades_are_asked_for_by_id_and_found_by_time():
    for one, expected in ((SPOT, {"fromId": "700", "limit": "1000"}), (SWAP, {"type": "1", "after": "800", "limit": "100"})):
        row = market(one.market)
        series = history_of(row).series["trades"]
        assert expected.items() <= dict(series.request(row, one, msgspec.structs.replace(SPAN, first_id=700)).params).items()
        located = dict(series.locate(row, one, AT).params)
        assert located["limit"] == "1" and "1795532400000" in located.values()
        assert "fromId" not in located, "the venue times out on both"


ARCHIVED = [
    (SPOT, "candles", "1735689600000000,93576.00,93610.93,93537.50,93610.93,8.21827,1735689659999999,769106.10,2631,3.98,372468.1,0",
     CandleRow(1_735_689_600 * S, "93576", "93610.93", "93537.5", "93610.93", "8.21827", "769106.1", None, 2631, "3.98", "372468.1")),
    (SPOT, "candles", "1735603200000,93576.00,93610.93,93537.50,93610.93,8.21827,1735603259999,769106.10,2631,3.98,372468.1,0",
     CandleRow(1_735_603_200 * S, "93576", "93610.93", "93537.5", "93610.93", "8.21827", "769106.1", None, 2631, "3.98", "372468.1")),
    (SPOT, "trades", "3300000001,93576.00,0.00500000,4500000001,4500000003,1735689600123456,True,True",
     TradeRow(1_735_689_600_123_456_000, "3300000001", "93576", "0.005", "sell", None, 4500000001, 4500000003)),
    (USDM, "trades", "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker", None),
    (USDM, "trades", "26129,93576.1,0.005,27781,27781,1735689600123,false", TradeRow(1_735_689_600_123_000_000, "26129", "93576.1", "0.005", "buy", None, 27781, 27781)),
    (USDM, "funding", "1735689600005,8,0.00010000", FundingRow(1_735_689_600 * S, "0.0001")),
    (USDM, "open_interest", "2025-01-01 00:05:00,BTCUSDT,20403.637,150570784.07809979,1.1,1.2,1.3,0.9", InterestRow(1_735_689_900 * S, "20403.637", "150570784.07809979")),
]  # fmt: skip


@pytest.mark.parametrize("one, kind, line, row", ARCHIVED)
def test_pain_16_lines_of_archives_on_either_side_of_2025(one, kind, line, row):
    assert history_of(market(one.market)).archives[kind].read(one, line.split(",")) == row


JUNK = (None, "", "x", "NaN", "-1", -1, 0, 10**30, "1" * 100, True, {}, [], ["1"], 1.5)


@pytest.mark.parametrize("one, kind, answer, rows", ANSWERS, ids=[f"{row[0].market} {row[1]}" for row in ANSWERS])
def test_junk_in_any_field_is_a_row_that_cannot_be_read_or_one_that_can_be_published(one, kind, answer, rows):
    series = history_of(market(one.market)).series[kind]
    for raw in series.rows(decoded(msgspec.json.encode(answer))):
        for place in range(len(raw)) if isinstance(raw, list) else list(raw):
            for junk in (*JUNK, ...):
                broken = raw.copy()
                if junk is ...:
                    del broken[place]
                else:
                    broken[place] = junk
                try:
                    row = series.read(one, broken)
                except UNREADABLE:
                    continue
                if row is None:
                    continue
                for name in row.__struct_fields__:
                    value = getattr(row, name)
                    if isinstance(value, str) and name not in ("id", "side", "unit"):
                        assert value == number(value) and value.lstrip("-")[0].isdigit(), (place, junk, name, value)
                if isinstance(row, TradeRow):
                    assert row.side in ("buy", "sell") and row.id and Decimal(row.price) > 0 and Decimal(row.quantity) >= 0
                    assert isinstance(row.first_id, int | None) and (one.market.startswith("bybit") or int(row.id) is not None)
                elif isinstance(row, CandleRow):
                    assert all(Decimal(text) > 0 for text in (row.open, row.high, row.low, row.close)) and Decimal(row.volume) >= 0
                assert row.time > 1_420_070_400 * S
                msgspec.json.encode(row)

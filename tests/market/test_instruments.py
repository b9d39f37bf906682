"""Reference data: every product line's own fields to our names, bad rows by themselves, collisions refused."""

import gzip
import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

from p9.errors import RestError
from p9.instrument import Instrument
from p9.market.instruments import Instruments
from p9.venue import market

RECORDINGS = Path(os.environ.get("P9_RECORDINGS", Path(__file__).resolve().parents[3] / "shared" / "recordings"))
NEVER = 4133404800000
CHRISTMAS_MS = 1798185600000  # 2026-12-25 08:00 UTC


def binance_row(**changes) -> dict:
    row = {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": 2,
        "contractType": "PERPETUAL",
        "deliveryDate": NEVER,
        "onboardDate": 1569398400000,
        "pair": "BTCUSDT",
        "newField": {"a": [1]},
        "filters": [
            {"stepSize": "0.00100", "filterType": "LOT_SIZE", "maxQty": "1000", "minQty": "0.001"},
            {"minPrice": "556.72", "filterType": "PRICE_FILTER", "tickSize": "0.10"},
            {"filterType": "SOMETHING_NEW"},
        ],
    }
    return {**row, **changes}


def bybit_row(**changes) -> dict:
    row = {
        "symbol": "BTCUSDT",
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": "BTC",
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "launchTime": "1584230400000",
        "deliveryTime": "0",
        "priceFilter": {"tickSize": "0.10"},
        "lotSizeFilter": {"qtyStep": "0.001"},
        "fullName": "Bitcoin",
        "preListingInfo": None,
    }
    return {**row, **changes}


def okx_row(**changes) -> dict:
    row = {
        "instType": "SWAP",
        "instId": "BTC-USDT-SWAP",
        "ctType": "linear",
        "ctVal": "0.01",
        "ctMult": "1",
        "ctValCcy": "BTC",
        "settleCcy": "USDT",
        "tickSz": "0.1",
        "lotSz": "0.01",
        "state": "live",
        "expTime": "",
        "listTime": "1611916828000",
        "baseCcy": "",
        "quoteCcy": "",
        "uly": "BTC-USDT",
        "instFamily": "BTC-USDT",
        "stk": "",
        "optType": "",
        "ruleType": "normal",
        "instIdCode": None,
    }
    return {**row, **changes}


def parse(name: str, *rows):
    row = market(name)
    exchange = row.exchange
    page = {"symbols": list(rows)} if exchange == "binance" else {"data": list(rows)} if exchange == "okx" else {"result": {"list": list(rows)}}
    return row.venue.parse_instruments(row, [page])


def one(name: str, row: dict) -> Instrument:
    parsed = parse(name, row)
    assert not parsed.refused, parsed.refused
    return parsed.instruments[0]


SPOT = {"contractType": None, "deliveryDate": None, "marginAsset": None}
INVERSE = {"contractType": "InversePerpetual", "settleCoin": "BTC", "quoteCoin": "USD", "symbol": "BTCUSD"}
COIN_M = {"symbol": "BTCUSD_PERP", "status": None, "contractStatus": "TRADING", "contractSize": 100, "marginAsset": "BTC", "quoteAsset": "USD"}


@pytest.mark.parametrize(
    "name, row, symbol, kind, contract, value",
    [
        ("binance_spot", binance_row(**SPOT), "BTC-USDT", "spot", "base", "1"),
        ("binance_usdm", binance_row(), "BTC-USDT-PERP", "perpetual", "base", "1"),
        ("binance_usdm", binance_row(contractType="TRADIFI_PERPETUAL", baseAsset="XAU"), "XAU-USDT-PERP", "perpetual", "base", "1"),
        ("binance_usdm", binance_row(contractType="PERPETUAL DELIVERING"), "BTC-USDT-PERP", "perpetual", "base", "1"),
        ("binance_usdm", binance_row(contractType="CURRENT_QUARTER", deliveryDate=CHRISTMAS_MS), "BTC-USDT-20261225", "future", "base", "1"),
        ("binance_usdm", binance_row(contractType="", deliveryDate=CHRISTMAS_MS), "BTC-USDT-20261225", "future", "base", "1"),
        ("binance_usdm", binance_row(marginAsset="USDC", quoteAsset="USDC"), "BTC-USDC-PERP", "perpetual", "base", "1"),
        ("binance_coinm", binance_row(**COIN_M), "BTC-USD-PERP", "perpetual", "inverse", "100"),
        (
            "binance_coinm",
            binance_row(**COIN_M, contractType="NEXT_QUARTER", deliveryDate=CHRISTMAS_MS),
            "BTC-USD-20261225",
            "future",
            "inverse",
            "100",
        ),
        ("bybit_spot", bybit_row(contractType=None, lotSizeFilter={"basePrecision": "0.000001"}), "BTC-USDT", "spot", "base", "1"),
        ("bybit_linear", bybit_row(), "BTC-USDT-PERP", "perpetual", "base", "1"),
        ("bybit_linear", bybit_row(symbol="BTCPERP", quoteCoin="USD", settleCoin="USDC"), "BTC-USDC-PERP", "perpetual", "base", "1"),
        ("bybit_linear", bybit_row(contractType="LinearFutures", deliveryTime=str(CHRISTMAS_MS)), "BTC-USDT-20261225", "future", "base", "1"),
        ("bybit_inverse", bybit_row(**INVERSE), "BTC-USD-PERP", "perpetual", "inverse", "1"),
        (
            "bybit_inverse",
            bybit_row(**{**INVERSE, "contractType": "InverseFutures"}, deliveryTime=str(CHRISTMAS_MS)),
            "BTC-USD-20261225",
            "future",
            "inverse",
            "1",
        ),
        ("okx_spot", okx_row(instType="SPOT", baseCcy="BTC", quoteCcy="USDT", settleCcy="", ctVal=""), "BTC-USDT", "spot", "base", "1"),
        ("okx_swap", okx_row(), "BTC-USDT-PERP", "perpetual", "linear", "0.01"),
        ("okx_swap", okx_row(ctVal="100", ctValCcy="USD", settleCcy="BTC", ctType="inverse"), "BTC-USD-PERP", "perpetual", "inverse", "100"),
        ("okx_swap", okx_row(ctVal="0.0001", settleCcy="USD"), "BTC-USD_UM-PERP", "perpetual", "linear", "0.0001"),
        ("okx_futures", okx_row(instType="FUTURES", settleCcy="USD", expTime=str(CHRISTMAS_MS)), "BTC-USD_UM-20261225", "future", "linear", "0.01"),
        (
            "okx_option",
            okx_row(
                instType="OPTION", ctType="inverse", ctVal="1", ctMult="0.01", settleCcy="BTC", stk="72000", optType="C", expTime=str(CHRISTMAS_MS)
            ),
            "BTC-USD-20261225-72000-C",
            "option",
            "linear",
            "0.01",
        ),
        (
            "okx_option",
            okx_row(instType="OPTION", ctVal="1", ctMult="0.01", settleCcy="USD", stk="72000.5", optType="P", expTime=str(CHRISTMAS_MS)),
            "BTC-USD_UM-20261225-72000.5-P",
            "option",
            "linear",
            "0.01",
        ),
    ],
)
def test_names_and_contracts_come_from_the_endpoint_s_own_fields(name, row, symbol, kind, contract, value):
    got = one(name, row)
    assert (got.symbol, got.kind, got.contract, got.contract_value, got.market) == (symbol, kind, contract, value, name)
    assert (got.exchange, got.trading) == (name.partition("_")[0], True)


def test_tick_and_step_come_from_the_filters_without_their_zeros():
    got = one("binance_usdm", binance_row())
    assert (got.tick, got.step, got.px_scale, got.qty_scale, got.scaled_tick) == ("0.1", "0.001", 3, 5, 100)


def test_pain_22_a_multiple_is_reference_data_and_stays_in_the_name():
    got = one("bybit_linear", bybit_row(baseCoin="1000PEPE"))
    assert (got.symbol, got.multiplier) == ("1000PEPE-USDT-PERP", 1000)


def test_a_perpetual_that_will_be_delisted_keeps_its_name_and_tells_when():
    got = one("bybit_linear", bybit_row(deliveryTime=str(CHRISTMAS_MS)))
    assert (got.symbol, got.expires_ns) == ("BTC-USDT-PERP", CHRISTMAS_MS * 1_000_000)


@pytest.mark.parametrize(
    "name, good, bad",
    [
        (
            "binance_spot",
            binance_row(**SPOT),
            [binance_row(filters=[]), {}, None, 5, binance_row(baseAsset=""), binance_row(filters=[{"filterType": "PRICE_FILTER", "tickSize": "0"}])],
        ),
        ("binance_usdm", binance_row(), [binance_row(contractType="", deliveryDate=0), binance_row(filters=None), binance_row(deliveryDate="soon")]),
        (
            "bybit_linear",
            bybit_row(),
            [bybit_row(contractType="LinearSomething"), bybit_row(priceFilter={"tickSize": "abc"}), bybit_row(lotSizeFilter=None), []],
        ),
        ("binance_usdm", binance_row(), [binance_row(symbol=5), binance_row(symbol="BTC USDT"), binance_row(symbol="A" * 65), binance_row(baseAsset="B{}")]),
        ("binance_usdm", binance_row(), [binance_row(contractType="", deliveryDate=10**30), binance_row(status=["TRADING"]), binance_row(pair=7)]),
        ("bybit_linear", bybit_row(), [bybit_row(priceFilter={"tickSize": "999999999999999999.5"}), bybit_row(symbol="B\nC"), bybit_row(launchTime="-1")]),
        ("okx_swap", okx_row(), [okx_row(tickSz=""), okx_row(ctVal=""), okx_row(ctValCcy="", settleCcy=""), {"instType": "SWAP"}, "text"]),
        ("okx_futures", okx_row(instType="FUTURES", expTime=str(CHRISTMAS_MS)), [okx_row(instType="FUTURES")]),
    ],
)
def test_pain_22_one_bad_row_never_stops_the_rest(name, good, bad):
    parsed = parse(name, *bad, good)
    assert len(parsed.instruments) == 1 and len(parsed.refused) == len(bad)
    assert all(row.reason and row.market == name for row in parsed.refused)


def test_unknown_states_are_kept_and_are_not_trading():
    for name, row in (
        ("binance_spot", binance_row(**SPOT, status="CANCEL_ONLY")),
        ("bybit_linear", bybit_row(status="NEW_WORD")),
        ("okx_swap", okx_row(state="rebase")),
    ):
        got = one(name, row)
        assert got.status and not got.trading


def test_rows_of_another_product_are_stepped_over():
    parsed = parse("okx_swap", okx_row(instType="EVENTS"), okx_row())
    assert (len(parsed.instruments), parsed.skipped, parsed.refused) == (1, 1, [])


@pytest.mark.parametrize(
    "name, answer", [("binance_spot", []), ("binance_spot", {"symbols": None}), ("bybit_spot", {"result": []}), ("okx_spot", {"data": {}})]
)
def test_an_answer_without_a_list_is_a_typed_error(name, answer):
    with pytest.raises(RestError, match=name):
        market(name).venue.parse_instruments(market(name), [answer])


def instrument(symbol: str, venue_symbol: str, market: str = "x_spot", trading: bool = True, status: str = "") -> Instrument:
    return Instrument(
        exchange="x",
        market=market,
        symbol=symbol,
        venue_symbol=venue_symbol,
        base="A",
        quote="B",
        settle="B",
        kind="spot",
        tick="1",
        step="1",
        trading=trading,
        status=status,
    )


def test_pain_22_a_symbol_that_is_taken_is_refused_also_across_markets():
    known = Instruments("x")
    assert known.add([instrument("A-B", "AB")]) == []
    refused = known.add([instrument("A-B", "A_B", market="x_other"), instrument("C-B", "CB", market="x_other")])
    assert [row.venue_symbol for row in refused] == ["A_B"] and "AB of x_spot" in refused[0].reason
    assert known.find("x_other", "CB").symbol == "C-B" and known.find("x_spot", "A-B").venue_symbol == "AB"


def test_of_two_with_one_name_the_live_one_is_taken():
    known = Instruments("x")
    assert [row.venue_symbol for row in known.add([instrument("A-B", "OLD", trading=False), instrument("A-B", "NEW")])] == ["OLD"]


def test_an_update_of_an_instrument_is_no_collision():
    known = Instruments("x")
    known.add([instrument("A-B", "AB")])
    assert known.add([instrument("A-B", "AB", trading=False, status="HALT")]) == []
    assert not known.find("x_spot", "A-B").trading
    assert known.add([instrument("A-C", "AB")]) == [] and known.find("x_spot", "A-B") is None  # renamed
    assert known.add([instrument("A-B", "AB2")]) == []  # the name is free again


def test_selection_by_our_name_the_venue_s_and_a_pattern():
    known = Instruments("x")
    known.add(
        [instrument("BTC-USDT", "BTCUSDT"), instrument("ETH-USDT", "ETHUSDT"), instrument("OLD-USDT", "OLDUSDT", trading=False, status="BREAK")]
    )
    chosen, refused = known.select("x_spot", ["BTC-USDT", "BTCUSDT", "ETHUSDT"])
    assert [row.symbol for row in chosen] == ["BTC-USDT", "ETH-USDT"] and refused == []
    chosen, refused = known.select("x_spot", ["*-USDT"])
    assert [row.symbol for row in chosen] == ["BTC-USDT", "ETH-USDT"]
    chosen, refused = known.select("x_spot", ["OLD-USDT", "BTC-USTD", "ETH-USDT", "*-EUR"])
    assert [row.symbol for row in chosen] == ["ETH-USDT"]
    assert [row.reason for row in refused] == [
        "not trading: BREAK",
        "unknown symbol; did you mean BTC-USDT, BTCUSDT, ETH-USDT?",
        "no trading instrument fits this pattern",
    ]


REAL = [
    ("binance_spot", "binance/rest_spot_exchangeInfo_2021_subset.json.gz", {"BTC-USDT": ("BTCUSDT", "0.01", "0.00001", "1")}),
    (
        "binance_usdm",
        "binance/rest_usdm_exchangeInfo_2021.json.gz",
        {"BTC-USDT-PERP": ("BTCUSDT", "0.01", "0.001", "1"), "BTC-USDT-20210924": ("BTCUSDT_210924", "0.1", "0.001", "1")},
    ),
    ("binance_coinm", "binance/rest_coinm_exchangeInfo_2021.json.gz", {"LTC-USD-20211231": ("LTCUSD_211231", "0.01", "1", "10")}),
    ("okx_spot", "okx/rest_public_instruments_SPOT_selected_2026-04.json", {"BTC-USDT": ("BTC-USDT", "0.1", "0.00000001", "1")}),
    ("okx_spot", "okx/rest_public_instruments_SPOT_first60_2022-05-13.json", {"BORING-USDT": ("BORING-USDT", "0.00001", "0.000001", "1")}),
    ("okx_futures", "okx/rest_public_instruments_FUTURES_first60_2022-05-13.json", {"BTC-USD-20220520": ("BTC-USD-220520", "0.1", "1", "100"), "ETH-USDT-20220930": ("ETH-USDT-220930", "0.01", "1", "0.1")}),
    ("okx_option", "okx/rest_public_instruments_OPTION_BTC-USD_first60_2022-05-13.json", {"BTC-USD-20220520-18000-P": ("BTC-USD-220520-18000-P", "0.0005", "1", "0.1")}),
    (
        "okx_swap",
        "okx/rest_public_instruments_SWAP_2026-04.json",
        {"BTC-USD_UM-PERP": ("BTC-USD_UM-SWAP", "0.1", "1", "0.0001"), "BTC-USD-PERP": ("BTC-USD-SWAP", "0.1", "0.1", "100")},
    ),
    ("okx_swap", "okx/rest_public_instruments_SWAP_first60_2022-05-13.json", {"ETH-USD-PERP": ("ETH-USD-SWAP", "0.01", "1", "10")}),
    ("okx_futures", "okx/rest_public_instruments_FUTURES_2026-04.json", {"BTC-USD_UM-20310404": ("BTC-USD_UM_XPERP-310404", "0.1", "1", "0.0001")}),
    (
        "okx_option",
        "okx/rest_public_instruments_OPTION_BTC-USD_sample_2026-04.json",
        {"BTC-USD-20260428-72000-C": ("BTC-USD-260428-72000-C", "0.0001", "1", "0.01")},
    ),
    (
        "okx_option",
        "okx/rest_public_instruments_OPTION_ETH-USD_first60_2022-05-13.json",
        {"ETH-USD-20220514-1300-C": ("ETH-USD-220514-1300-C", "0.0005", "1", "1")},
    ),
]


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings here (P9_RECORDINGS)")
@pytest.mark.parametrize("name, file, expected", REAL)
def test_real_answers(name, file, expected):
    path = RECORDINGS / file
    page = json.loads(gzip.decompress(path.read_bytes()) if file.endswith(".gz") else path.read_bytes())
    row = market(name)
    parsed = row.venue.parse_instruments(row, [page])
    rows = page.get("symbols", page.get("data"))
    assert len(parsed.instruments) == len(rows) and not parsed.refused
    known = Instruments(row.exchange)
    assert known.add(parsed.instruments) == []
    for got in parsed.instruments:
        assert Decimal(got.tick) > 0 and Decimal(got.scaled_tick).scaleb(-got.px_scale) == Decimal(got.tick)
    for symbol, (venue_symbol, tick, step, value) in expected.items():
        got = known.find(name, symbol)
        assert (got.venue_symbol, got.tick, got.step, got.contract_value) == (venue_symbol, tick, step, value)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings here (P9_RECORDINGS)")
def test_the_bybit_documentation_s_own_answers():
    taken = {}
    for line in (RECORDINGS / "bybit" / "docs_examples_2026-07.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["doc"] == "market/instrument.mdx" and row["example"]["result"]["category"] != "option":
            name = "bybit_" + row["example"]["result"]["category"]
            parsed = market(name).venue.parse_instruments(market(name), [row["example"]])
            assert not parsed.refused
            taken |= {(name, got.symbol): got for got in parsed.instruments}
    assert taken["bybit_linear", "BTC-USDT-PERP"].step == "0.001"
    assert not taken["bybit_linear", "BIO-USDT-PERP"].trading  # before its launch
    assert taken["bybit_spot", "BTC-USDT"].step == "0.000001"

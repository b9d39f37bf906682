"""Every kind of REST answer that was recorded or documented, as whoever asks for it reads it: the expected values were copied out of the recordings by hand. And
none is left that nobody reads and nobody knows why."""

import json
import re
from pathlib import Path

import pytest

from p9.fact import Funding, Maintenance, MarkPrice, OpenInterest, Risk
from p9.history import CandleRow, FundingRow, InterestRow, PriceRow, RatioRow, TakerRow, TradeRow, history_of
from p9.number import decoded
from p9.venue import BookRows, Kline, Trade, market
from tests import recordings
from tests.recordings import recording

from .facts import instrument, polled, streamed
from .test_facts import documented

S, MS = 10**9, 1_000_000


def fixture(name: str) -> bytes:
    """The answer of one of the third venue's fixtures: three lines of a question, then JSON with remarks."""
    text = recording(f"okx/fixtures_jkorf/Endpoints_UnifiedApi_ExchangeData_{name}.txt").read_text()
    return re.sub(r"(?m)//.*$", "", text[text.index("{") :]).encode()


def pushed(name: str) -> dict:
    """The data of one of its frames: behind the conversation that subscribes it."""
    text = recording(f"okx/fixtures_jkorf/Subscriptions_Unified_ExchangeData_{name}.txt").read_text()
    return json.loads(re.sub(r"(?m)//.*$", "", text[text.index("\n{") :]))


def sample(line: str, name: str) -> bytes:
    """One answer of the first venue's documentation."""
    return json.dumps(json.loads(recording(f"binance/docsample_{line}_rest_market.json").read_text())[name]).encode()


def page(name: str) -> bytes:
    """One answer of the second venue's documentation."""
    (answer,) = documented(f"market/{name}.mdx", 0)
    return json.dumps(answer).encode()


SWAP = instrument("okx_swap", "BTC-USDT-SWAP", symbol="BTC-USDT-PERP", index="BTC-USDT", family="BTC-USDT", contract="linear", contract_value="0.01")
COIN_SWAP = instrument("okx_swap", "BTC-USD-SWAP", symbol="BTC-USD-PERP", index="BTC-USD", family="BTC-USD", contract="inverse", contract_value="100")
USDM = instrument("binance_usdm", "BTCUSDT", symbol="BTC-USDT-PERP")
COINM = instrument("binance_coinm", "BTCUSD_PERP", symbol="BTC-USD-PERP", contract="inverse", contract_value="100")
DATED = instrument("binance_coinm", "BTCUSD_200626", symbol="BTC-USD-20200626", kind="future", contract="inverse", contract_value="100")
INVERSE = instrument("bybit_inverse", "BTCUSD", symbol="BTC-USD-PERP", contract="inverse")
LINEAR = instrument("bybit_linear", "BTCUSDT", symbol="BTC-USDT-PERP")
BYBIT_SPOT = instrument("bybit_spot", "BTCUSDT", symbol="BTC-USDT", kind="spot")
OKX_SPOT = instrument("okx_spot", "BTC-USDT", symbol="BTC-USDT", kind="spot")
SPOT = instrument("binance_spot", "BTCUSDT", symbol="BTC-USDT", kind="spot")

# what pollers read: (who, the end of the question's path, the answer, what it says)
FACTS = [
    (SWAP, "mark-price", lambda: fixture("GetMarkPrices"), [MarkPrice(venue_symbol="BTC-USDT-SWAP", at_ns=1597026383085 * MS, mark="200")]),
    (SWAP, "open-interest", lambda: fixture("GetOpenInterests"), [OpenInterest(venue_symbol="BTC-USDT-SWAP", at_ns=1597026383085 * MS, contracts="5000")]),
    (SWAP, "index-tickers", lambda: fixture("GetIndexTickers"), [MarkPrice(venue_symbol="BTC-USDT-SWAP", at_ns=1649419644492 * MS, index="43350")]),
    (
        SWAP, "funding-rate", lambda: fixture("GetFundingRates"),
        [
            Funding(
                venue_symbol="BTC-USDT-SWAP", at_ns=1703070685309 * MS, rate="0.000079238688534", last_rate="0.0001418433662153", next_ns=1703088000000 * MS,
                interval_s=28800, cap="0.00375", floor="-0.00375",
            )
        ],
    ),
    (
        SWAP, "price-limit", lambda: fixture("GetLimitPrice"),
        [Risk(venue_symbol="BTC-USDT-SWAP", highest_bid="17057.9", lowest_ask="16388.9", at_ns=1597026383085 * MS)],
    ),
    (SWAP, "position-tiers", lambda: fixture("GetPositionTiers"), []),  # of a margin pair: no family, so nobody's
    (COIN_SWAP, "insurance-fund", lambda: fixture("GetInsuranceFund"), []),  # of options: no pool of ours
    (SWAP, "mark-price", lambda: recording("okx/rest_public_mark-price_EVENTS_2026-04.json").read_bytes(), []),  # another product, and no price
    (USDM, "openInterest", lambda: sample("usdm", "open_interest"), [OpenInterest(venue_symbol="BTCUSDT", at_ns=1589437530011 * MS, contracts="10659.509")]),
    (
        instrument("binance_usdm", "BLZUSDT"), "fundingInfo", lambda: sample("usdm", "get_funding_rate_info"),
        [Funding(venue_symbol="BLZUSDT", interval_s=28800, cap="0.025", floor="-0.025")],
    ),
    (
        COINM, "premiumIndex", lambda: sample("coinm", "index_price_and_mark_price"),
        [
            MarkPrice(venue_symbol="BTCUSD_PERP", at_ns=1596094042000 * MS, mark="11029.69574559", index="10979.144375"),
            Funding(venue_symbol="BTCUSD_PERP", at_ns=1596094042000 * MS, rate="0.00071003", next_ns=1596096000000 * MS),
        ],
    ),
    (DATED, "openInterest", lambda: sample("coinm", "open_interest"), [OpenInterest(venue_symbol="BTCUSD_200626", at_ns=1591261042378 * MS, contracts="15004")]),
    (COINM, "fundingInfo", lambda: sample("coinm", "get_funding_rate_info"), [Funding(venue_symbol="BTCUSD_PERP", interval_s=28800, cap="0.025", floor="-0.025")]),
    (
        INVERSE, "tickers", lambda: page("tickers"),
        [
            MarkPrice(venue_symbol="BTCUSD", at_ns=1760352369814 * MS, mark="114898.43", index="114890.92"),
            Funding(venue_symbol="BTCUSD", at_ns=1760352369814 * MS, rate="0.0001", next_ns=1760371200000 * MS, interval_s=28800, cap="0.005", floor="-0.005"),
            OpenInterest(venue_symbol="BTCUSD", at_ns=1760352369814 * MS, contracts="240113967"),
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize("one, path, answer, facts", FACTS, ids=[f"{row[0].market} {row[1]} {n}" for n, row in enumerate(FACTS)])
def test_what_pollers_read(one, path, answer, facts):
    assert polled(one.market, path, answer(), one).facts == facts


# what the books, the tape and the clock ask for: (market, which reader, the answer, what it says)
READ = [
    ("binance_spot", "read_time", lambda: json.dumps(json.loads(sample("spot", "Check server time"))[0]).encode(), 1499827319559 * MS),
    ("binance_usdm", "read_time", lambda: sample("usdm", "check_server_time"), 1499827319559 * MS),
    ("bybit_linear", "read_time", lambda: page("time"), 1688639403423213947),
    ("okx_swap", "read_time", lambda: fixture("GetServerTime"), 1597026383085 * MS),
    (
        "binance_usdm", "read_full_book", lambda: sample("usdm", "order_book"),
        BookRows([["4.00000000", "431.00000000"]], [["4.00000200", "12.00000000"]], 1027024, 1589436922959 * MS),
    ),
    (
        "bybit_linear", "read_full_book", lambda: page("orderbook"),
        BookRows([["65485.47", "47.081829"]], [["65557.7", "16.606555"]], 230704, 1716863718905 * MS),
    ),
    (
        "okx_spot", "read_full_book", lambda: fixture("GetOrderBook"),
        BookRows([["41006.3", "0.30178218", "0", "2"]], [["41006.8", "0.60038921", "0", "1"]], None, 1629966436396 * MS),
    ),
    (
        "binance_usdm", "read_trades", lambda: sample("usdm", "compressed_aggregate_trades_list"),
        [Trade("26129", "0.01633102", "4.70443515", "sell", 1498793709153 * MS, 27781, 27781, aggregate=True)],
    ),
    (
        "binance_spot", "read_trades", lambda: json.dumps(json.loads(sample("spot", "Old trade lookup"))[0]).encode(),
        [Trade("28457", "4.00000100", "12.00000000", "sell", 1499865549590 * MS, 28457, 28457)],
    ),
    (
        "bybit_spot", "read_trades", lambda: page("recent-trade"),
        [Trade("2100000000007764263", "16618.49", "0.00012", "buy", 1672052955758 * MS, 2100000000007764263, 2100000000007764263, off_book=True, sequence=123456)],
    ),
    (
        "okx_spot", "read_trades", lambda: fixture("GetTradeHistory"),
        [
            Trade("242720719", "29964.1", "0.00001", "sell", 1654161641568 * MS, 242720719, 242720719),
            Trade("242720720", "29963.2", "0.00001", "sell", 1654161646974 * MS, 242720720, 242720720),
        ],
    ),
    (
        "binance_spot", "read_klines", lambda: json.dumps(json.loads(sample("spot", "Kline/Candlestick data"))[0]).encode(),
        [Kline(1499040000000 * MS, "0.01634790", "0.80000000", "0.01575800", "0.01577100", "148976.11427815", 308)],
    ),
    (
        "bybit_inverse", "read_klines", lambda: page("kline"),
        [
            Kline(1670601600000 * MS, "17086.5", "17088", "16978", "17071.5", "6356"), Kline(1670605200000 * MS, "17071.5", "17071.5", "17061", "17071", "4177"),
            Kline(1670608800000 * MS, "17071", "17073", "17027", "17055.5", "268611"),
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize("name, reader, answer, told", READ, ids=[f"{row[0]} {row[1]}" for row in READ])
def test_what_books_tapes_and_clocks_read(name, reader, answer, told):
    assert getattr(market(name).venue, reader)(decoded(answer())) == told


# what back-fills read: (who, kind, the answer, its rows)
HISTORY = [
    (SPOT, "candles", lambda: json.dumps(json.loads(sample("spot", "Kline/Candlestick data"))[0]).encode(),
     [CandleRow(1_499_040_000 * S, "0.0163479", "0.8", "0.015758", "0.015771", "148976.11427815", "2434.19055334", None, 308, "1756.87402397", "28.46694368")]),
    (USDM, "trades", lambda: sample("usdm", "compressed_aggregate_trades_list"),
     [TradeRow(1_498_793_709_153_000_000, "26129", "0.01633102", "4.70443515", "sell", None, 27781, 27781)]),
    (USDM, "funding", lambda: sample("usdm", "get_funding_rate_history"), [FundingRow(1_570_608_000 * S, "-0.0375", "34287.54619963")]),
    (USDM, "open_interest", lambda: sample("usdm", "open_interest_statistics"), [InterestRow(1_591_261_042_378_000_000, "20403.12345678", "176196512.12345678")]),
    (USDM, "accounts_ratio", lambda: sample("usdm", "long_short_ratio"), [RatioRow(1_591_261_042_378_000_000, "0.196", "0.6622", "0.3378")]),
    (USDM, "top_accounts_ratio", lambda: sample("usdm", "top_trader_long_short_ratio_accounts"), [RatioRow(1_591_261_042_378_000_000, "1.8105", "0.6442", "0.3558")]),
    (USDM, "top_positions_ratio", lambda: sample("usdm", "top_trader_long_short_ratio_positions"), [RatioRow(1_591_261_042_378_000_000, "1.4342", "0.5344", "0.4238")]),
    (USDM, "taker_volume", lambda: sample("usdm", "taker_buy_sell_volume"), [TakerRow(1_591_261_042_378_000_000, "387.33", "248.503", "base")]),
    (COINM, "funding", lambda: sample("coinm", "get_funding_rate_history_of_perpetual_futures"), [FundingRow(1_596_038_400 * S, "-0.003")]),
    (COINM, "accounts_ratio", lambda: sample("coinm", "long_short_ratio"), [RatioRow(1_583_139_600 * S, "0.196", "0.6622", "0.3378")]),
    (LINEAR, "funding", lambda: page("history-fund-rate"), [FundingRow(1_672_041_600 * S, "0.0001")]),
    (INVERSE, "open_interest", lambda: page("open-interest"),
     [*(InterestRow(at * S, None, "31971156", "31971156") for at in (1_780_617_600, 1_780_704_000)),
      *(InterestRow(at * S, None, "31955346", "31955346") for at in (1_780_790_400, 1_780_876_800, 1_780_963_200))]),
    (LINEAR, "accounts_ratio", lambda: page("long-short-ratio"), [RatioRow(1_696_258_800 * S, None, "0.4927", "0.5073"), RatioRow(1_696_262_400 * S, None, "0.49", "0.51")]),
    (LINEAR, "mark_price", lambda: page("mark-kline"), [PriceRow(1_670_608_800 * S, "17164.16", "17164.16", "17121.5", "17131.64")]),
    (INVERSE, "index_price", lambda: page("index-kline"),
     [PriceRow(1_670_608_740 * S, "17166.54", "17167.69", "17165.42", "17167"), PriceRow(1_670_608_800 * S, "17167", "17167", "17161.9", "17163.07")]),
    (LINEAR, "premium", lambda: page("premium-index-kline"),
     [PriceRow(1_652_400_000 * S, "-0.000989", "-0.000561", "-0.000587", "-0.000587"), PriceRow(1_652_486_400 * S, "-0.000587", "-0.000344", "-0.00048", "-0.000344")]),
    (BYBIT_SPOT, "trades", lambda: page("recent-trade"),
     [TradeRow(1_672_052_955_758_000_000, "2100000000007764263", "16618.49", "0.00012", "buy", None, 2100000000007764263, 2100000000007764263, True)]),
    (SWAP, "candles", lambda: fixture("GetKlineHistory"), []),  # both rows are still forming
    (SWAP, "mark_price", lambda: fixture("GetMarkPriceKlines"), [PriceRow(1_597_026_383_085 * MS, "3.731", "3.799", "3.494", "3.72")]),
    (SWAP, "index_price", lambda: fixture("GetIndexKlines"), [PriceRow(1_597_026_383_085 * MS, "3.731", "3.799", "3.494", "3.72")]),
    (COIN_SWAP, "funding", lambda: fixture("GetFundingRateHistory"),
     [FundingRow(1_703_030_400 * S, "0.0002279755647389"), FundingRow(1_703_059_200 * S, "0.0000746572360545")]),
    (SWAP, "premium", lambda: fixture("GetPremiumHistory"), [PriceRow(1_625_097_600 * S, None, None, None, "0.0001")]),
    (OKX_SPOT, "trades", lambda: fixture("GetTradeHistory"),
     [TradeRow(1_654_161_641_568 * MS, "242720719", "29964.1", "0.00001", "sell", None, 242720719, 242720719),
      TradeRow(1_654_161_646_974 * MS, "242720720", "29963.2", "0.00001", "sell", None, 242720720, 242720720)]),
]  # fmt: skip


@pytest.mark.parametrize("one, kind, answer, rows", HISTORY, ids=[f"{row[0].market} {row[1]}" for row in HISTORY])
def test_what_back_fills_read(one, kind, answer, rows):
    series = history_of(market(one.market)).series[kind]
    read = [series.read(one, raw) for raw in series.rows(decoded(answer()))]
    assert [row for row in read if row is not None] == rows


def test_frames_of_the_third_venue_s_fixtures():
    frame = pushed("Interest")
    frame["arg"]["instId"] = "LTC-USD-SWAP"  # whose data it holds
    assert streamed("okx_swap", frame, instrument("okx_swap", "LTC-USD-SWAP")).facts == [
        OpenInterest(venue_symbol="LTC-USD-SWAP", at_ns=1597026383085 * MS, contracts="5000")
    ]
    (work,) = streamed("okx_spot", pushed("SystemStatus"), OKX_SPOT).facts
    assert work == Maintenance(
        id=work.id, title="Trading account WebSocket system upgrade", state="completed", data=True, begins_ns=1672823400000 * MS, ends_ns=1672825980000 * MS,
        planned=True, at_ns=1672826038470 * MS,
    )  # fmt: skip


# what nobody asks for, and why
NOT_ASKED = {
    "Get24HourVolume": "of all the venue", "GetAnnouncementTypes": "texts for people", "GetAnnouncements": "texts for people", "GetBlockTicker": "sums of a day",
    "GetBlockTickers": "sums of a day", "GetDeliveryExerciseHistory": "an expiry's price is not published", "GetDiscountInfo": "of accounts",
    "GetEstimatedFuturesSettlementPrice": "an expiry's price is not published", "GetEstimatedPrice": "an expiry's price is not published",
    "GetIndexComponents": "what an index is made of", "GetInterestRates": "of loans", "GetVIPInterestRates": "of loans", "GetOracle": "the venue's own signatures",
    "GetRubikInterestVolumeExpiry": "sums of the venue's options", "GetRubikInterestVolumeStrike": "sums of the venue's options",
    "GetRubikMarginLendingRatio": "of loans", "GetRubikOptionsSummary": "sums of the venue's options", "GetRubikPutCallRatio": "sums of the venue's options",
    "GetRubikSupportCoin": "which coins the sums are of", "GetRubikTakerFlow": "sums of the venue's options", "GetSettlementHistory": "of futures' daily settlement",
    "GetRubikContractSummary": "of a coin; the contract's own is asked", "GetRubikLongShortRatio": "of a coin; the contract's own is asked",
    "GetRubikTakerVolume": "of a coin; the contract's own is asked", "GetTicker": "the streams tell more", "GetUnderlying": "the instruments tell it",
    "UnitConvert": "contracts are converted here", "GetSymbols": "read in tests/market/test_instruments.py", "GetTickers": "read in tests/venues/test_options.py, of options",
    "GetOptionMarketData": "streamed: opt-summary", "GetRecentTrades": "as GetTradeHistory", "GetKlines": "as GetKlineHistory", "GetBlockTrades": "streamed: public-block-trades",
}  # fmt: skip


def test_no_recorded_answer_is_left_unread():
    folder = recordings.FOLDER / "okx" / "fixtures_jkorf"
    if not folder.is_dir():
        pytest.skip("no recordings here")
    there = {path.stem.rpartition("ExchangeData_")[2] for path in folder.glob("Endpoints_*.txt")}
    read = set(re.findall(r'fixture\("(\w+)"\)', Path(__file__).read_text(encoding="utf-8")))
    assert there - read == set(NOT_ASKED) & there and not read & set(NOT_ASKED)

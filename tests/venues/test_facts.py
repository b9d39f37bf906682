"""Funding, mark price and open interest as the venues told them in recorded answers and frames: the expected values were copied by hand."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from p9.fact import Funding, MarkPrice, OpenInterest, Reading, Relisted, Roster
from p9.venue import market
from tests.recordings import recording

from .facts import instrument, polled, streamed

BTC_PERP = instrument("binance_usdm", "BTCUSDT")
BYBIT = [
    instrument("bybit_inverse", "BTCUSD", contract="inverse"), instrument("bybit_inverse", "BTCUSDU23", kind="future", contract="inverse"),
]  # fmt: skip
BYBIT_LINEAR = instrument("bybit_linear", "BTCUSDT")
OKX = [
    instrument("okx_swap", "BTC-USDT-SWAP", index="BTC-USDT", step="0.01", contract="linear", contract_value="0.01"),
    instrument("okx_swap", "ETH-USD-SWAP", index="ETH-USD", step="0.1", contract="inverse", contract_value="10"),
    instrument("okx_swap", "WNCG-USDT-SWAP", index="WNCG-USDT", step="1", contract="linear"),
]
MS = 1_000_000


def lines(name, *holding):
    return [line for line in recording(name).read_text().splitlines() if all(word in line for word in holding)]


def documented(page, number):
    for line in recording("bybit/docs_examples_2026-07.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["doc"] == page and str(row["i"]) == str(number):
            yield row["example"]


# ---- the first venue


def test_binance_mark_price_frames_of_2026():
    frames = lines("binance/live_usdm_market_2026-08_to_10.jsonl", "markPriceUpdate")
    single, of_many = (frame.replace("btcusdt@markPrice\"", "btcusdt@markPrice@1s\"").replace("!markPrice@arr@1s", "btcusdt@markPrice@1s") for frame in frames)
    assert streamed("binance_usdm", single, BTC_PERP).facts == [
        MarkPrice(venue_symbol="BTCUSDT", at_ns=1786171884000 * MS, mark="64991.37858696", index="65016.05673913"),
        Funding(venue_symbol="BTCUSDT", at_ns=1786171884000 * MS, rate="0.00003936", next_ns=1786176000000 * MS),
    ]
    assert streamed("binance_usdm", of_many, BTC_PERP).facts == [
        MarkPrice(venue_symbol="BTCUSDT", at_ns=1788936948001 * MS, mark="79107.36658171", index="79139.09565217"),
        Funding(venue_symbol="BTCUSDT", at_ns=1788936948001 * MS, rate="0.00008359", next_ns=1788940800000 * MS),
    ]


def test_binance_rest_answers_as_documented():
    sample = json.loads(recording("binance/docsample_usdm_rest_market.json").read_text())
    assert polled("binance_usdm", "premiumIndex", sample["mark_price"], BTC_PERP).facts == [
        MarkPrice(venue_symbol="BTCUSDT", at_ns=1597370495002 * MS, mark="11793.63104562", index="11781.8049597"),
        Funding(venue_symbol="BTCUSDT", at_ns=1597370495002 * MS, rate="0.00038246", next_ns=1597392000000 * MS),
    ]
    assert polled("binance_usdm", "openInterest", sample["open_interest"], BTC_PERP).facts == [
        OpenInterest(venue_symbol="BTCUSDT", at_ns=1589437530011 * MS, contracts="10659.509")
    ]
    blz = instrument("binance_usdm", "BLZUSDT")
    assert polled("binance_usdm", "fundingInfo", sample["get_funding_rate_info"], blz, BTC_PERP).facts == [
        Funding(venue_symbol="BLZUSDT", interval_s=8 * 3600, cap="0.025", floor="-0.025"),
        Funding(venue_symbol="BTCUSDT", interval_s=8 * 3600, cap=None, floor=None),  # not listed: the usual
    ]


def test_binance_tells_a_dated_contract_s_funding_as_nothing():
    dated = instrument("binance_usdm", "BTCUSDT_261225", kind="future")
    row = {"e": "markPriceUpdate", "E": 1786171884000, "s": "BTCUSDT_261225", "p": "65500.1", "i": "65016.05673913", "r": "", "T": 0}
    reading = streamed("binance_usdm", {"stream": "btcusdt_261225@markPrice@1s", "data": row}, dated)
    assert reading.facts == [MarkPrice(venue_symbol="BTCUSDT_261225", at_ns=1786171884000 * MS, mark="65500.1", index="65016.05673913")]
    assert not reading.bad


def test_binance_coin_margined_answers_are_arrays_and_count_contracts():
    perp = instrument("binance_coinm", "BTCUSD_PERP", contract="inverse", contract_value="100")
    sample = json.loads(recording("binance/docsample_coinm_rest_market.json").read_text())
    found = polled("binance_coinm", "openInterest", {"symbol": "BTCUSD_PERP", "pair": "BTCUSD", "openInterest": "15004", "contractType": "PERPETUAL", "time": 1591261042378}, perp)
    assert found.facts == [OpenInterest(venue_symbol="BTCUSD_PERP", at_ns=1591261042378 * MS, contracts="15004")]
    names = [name for name in sample if "mark_price" in name or "index_price_and_mark" in name]
    assert names, "the sample is there"
    row = sample[next(name for name in names if "kline" not in name)]
    row = row[0] if isinstance(row, list) else row
    perp = instrument("binance_coinm", row["symbol"], contract="inverse", kind="future" if row["nextFundingTime"] == 0 else "perpetual")
    (mark, *_) = polled("binance_coinm", "premiumIndex", [row], perp).facts
    assert (mark.mark, mark.index) == (row["markPrice"].rstrip("0").rstrip("."), row["indexPrice"].rstrip("0").rstrip("."))


# ---- the second venue


def test_bybit_ticker_frames_of_2023():
    frames = {(row["data"]["symbol"], row["type"]): row for row in map(json.loads, lines("bybit/ws_mixed_v5_linear_inverse_2023_2025_tardis.jsonl", '"tickers.'))}
    assert streamed("bybit_inverse", frames["BTCUSD", "snapshot"], *BYBIT).facts == [
        MarkPrice(venue_symbol="BTCUSD", at_ns=1680673822577 * MS, mark="28560", index="28566.94"),
        Funding(venue_symbol="BTCUSD", at_ns=1680673822577 * MS, rate="0.0001", next_ns=1680681600000 * MS),
        OpenInterest(venue_symbol="BTCUSD", at_ns=1680673822577 * MS, contracts="449736676"),  # of that time: one side
    ]
    delta = streamed("bybit_inverse", frames["BTCUSD", "delta"], *BYBIT).facts
    assert delta[0].mark is UNSET and delta[0].index is UNSET, "a difference says nothing of the rest"
    assert (delta[1].rate, delta[1].next_ns) == ("0.0001", UNSET)
    dated = streamed("bybit_inverse", frames["BTCUSDU23", "snapshot"], *BYBIT).facts
    assert dated == [
        MarkPrice(venue_symbol="BTCUSDU23", at_ns=1680673822099 * MS, mark="29023.6", index="28566.94"),
        OpenInterest(venue_symbol="BTCUSDU23", at_ns=1680673822099 * MS, contracts="4547176"),
    ]
    assert streamed("bybit_linear", frames["BTCUSDT", "snapshot"], BYBIT_LINEAR).facts[2].contracts == "52774.528"


def test_bybit_ticker_frames_of_2026_count_both_sides_and_one():
    """The venue page's live frames of 2026-09-04."""
    snapshot = {
        "topic": "tickers.BTCUSDT", "type": "snapshot", "ts": 1788488625983, "cs": 804921544828,
        "data": {
            "symbol": "BTCUSDT", "markPrice": "80687.21", "indexPrice": "80721.64", "openInterest": "59139.99", "openInterestValue": "4771840792.53",
            "fundingIntervalHour": "8", "fundingCap": "0.00333", "singleOpenInterest": "29569.995", "singleOpenInterestValue": "2385920396.26",
            "nextFundingTime": "1788508800000", "fundingRate": "0.00006373",
        },
    }  # fmt: skip
    at_ns = 1788488625983 * MS
    assert streamed("bybit_linear", snapshot, BYBIT_LINEAR).facts == [
        MarkPrice(venue_symbol="BTCUSDT", at_ns=at_ns, mark="80687.21", index="80721.64"),
        Funding(
            venue_symbol="BTCUSDT", at_ns=at_ns, rate="0.00006373", next_ns=1788508800000 * MS, interval_s=28800, cap="0.00333", floor="-0.00333"
        ),
        OpenInterest(venue_symbol="BTCUSDT", at_ns=at_ns, contracts="29569.995"),
    ]
    del snapshot["data"]["singleOpenInterest"]
    assert streamed("bybit_linear", snapshot, BYBIT_LINEAR).facts[2].contracts == "29569.995", "half of both sides, exactly"
    delta = {"topic": "tickers.BTCUSDT", "type": "delta", "ts": 1788488626183, "data": {"symbol": "BTCUSDT", "markPrice": "80687.16", "openInterest": "59140"}}
    mark, funding, interest = streamed("bybit_linear", delta, BYBIT_LINEAR).facts
    assert mark == MarkPrice(venue_symbol="BTCUSDT", at_ns=1788488626183 * MS, mark="80687.16")
    assert funding == Funding(venue_symbol="BTCUSDT", at_ns=1788488626183 * MS) and interest.contracts is UNSET


def test_bybit_rest_answer_as_documented():
    answer = next(example for example in documented("market/tickers.mdx", 0))
    assert polled("bybit_inverse", "tickers", answer, *BYBIT).facts == [
        MarkPrice(venue_symbol="BTCUSD", at_ns=1760352369814 * MS, mark="114898.43", index="114890.92"),
        Funding(venue_symbol="BTCUSD", at_ns=1760352369814 * MS, rate="0.0001", next_ns=1760371200000 * MS, interval_s=28800, cap="0.005", floor="-0.005"),
        OpenInterest(venue_symbol="BTCUSD", at_ns=1760352369814 * MS, contracts="240113967"),
    ]


# ---- the third venue


def test_okx_funding_of_all_instruments_in_one_answer():
    reading = polled("okx_swap", "funding-rate", recording("okx/rest_public_funding-rate_ANY_2026-04.json").read_bytes(), *OKX)
    btc = next(fact for fact in reading.facts if fact.venue_symbol == "BTC-USDT-SWAP")
    assert btc == Funding(
        venue_symbol="BTC-USDT-SWAP", at_ns=1777284964493 * MS, rate="-0.0000768071865029", predicted_rate=None, last_rate="-0.0000629907601197",
        next_ns=1777305600000 * MS, interval_s=8 * 3600, cap="0.00375", floor="-0.00375",
    )  # fmt: skip
    assert [fact.venue_symbol for fact in reading.facts] == ["BTC-USDT-SWAP", "ETH-USD-SWAP"] or len(reading.facts) == 2
    assert not reading.bad, "320 other instruments are nobody's mistake"


def test_okx_intervals_of_the_whole_answer_are_those_that_the_venue_page_counts():
    answer = json.loads(recording("okx/rest_public_funding-rate_ANY_2026-04.json").read_text())
    everyone = [instrument("okx_swap", row["instId"], symbol=f"S-{n}") for n, row in enumerate(answer["data"])]
    facts = polled("okx_swap", "funding-rate", answer, *everyone).facts
    hours = sorted(fact.interval_s // 3600 for fact in facts)
    assert {hour: len(list(some)) for hour, some in itertools.groupby(hours)} == {2: 1, 4: 181, 8: 140}


def test_okx_x_perps_have_funding_though_they_are_dated():
    perp = instrument("okx_futures", "BTC-USD_UM_XPERP-310404", kind="future", index="BTC-USD")
    reading = polled("okx_futures", "funding-rate", recording("okx/rest_public_funding-rate_ANY_2026-04.json").read_bytes(), perp)
    assert [(fact.rate, fact.interval_s, fact.last_rate) for fact in reading.facts] == [("0.0000246448121769", 28800, "-0.000031026844441")]


def test_okx_open_interest_is_rounded_to_the_lot():
    reading = polled("okx_swap", "open-interest", recording("okx/rest_public_open-interest_BTC-USDT-SWAP_2026-04.json").read_bytes(), *OKX)
    assert reading.facts == [OpenInterest(venue_symbol="BTC-USDT-SWAP", at_ns=1777284997053 * MS, contracts="3301005.66")]


def test_okx_frames_of_2021():
    def frame(channel):
        return lines("okx/ws_mixed_channels_tardis_2021-2023.jsonl", f'"channel":"{channel}"', "WNCG-USDT")[0]

    assert streamed("okx_swap", frame("mark-price"), *OKX).facts == [MarkPrice(venue_symbol="WNCG-USDT-SWAP", at_ns=1640131259180 * MS, mark="2.1729")]
    assert streamed("okx_swap", frame("index-tickers"), *OKX).facts == [MarkPrice(venue_symbol="WNCG-USDT-SWAP", at_ns=1640131290649 * MS, index="2.1675")]
    assert streamed("okx_swap", frame("open-interest"), *OKX).facts == [OpenInterest(venue_symbol="WNCG-USDT-SWAP", at_ns=1640131258756 * MS, contracts="644195")]
    (funding,) = streamed("okx_swap", frame("funding-rate"), *OKX).facts
    assert funding == Funding(venue_symbol="WNCG-USDT-SWAP", rate="0.00048105", predicted_rate="0.00114", next_ns=1640131200000 * MS), "old frames lack most keys"


def test_okx_funding_frame_of_2025():
    """The venue page's live frame."""
    row = {
        "formulaType": "withRate", "fundingRate": "0.0001000000000000", "fundingTime": "1765209600000", "instId": "WNCG-USDT-SWAP", "instType": "SWAP",
        "maxFundingRate": "0.015", "minFundingRate": "-0.015", "nextFundingRate": "", "nextFundingTime": "1765238400000",
        "settFundingRate": "0.0000697725497563", "settState": "settled", "ts": "1765201461438",
    }  # fmt: skip
    (funding,) = streamed("okx_swap", {"arg": {"channel": "funding-rate", "instId": "WNCG-USDT-SWAP"}, "data": [row]}, *OKX).facts
    assert funding == Funding(
        venue_symbol="WNCG-USDT-SWAP", at_ns=1765201461438 * MS, rate="0.0001", predicted_rate=None, last_rate="0.0000697725497563",
        next_ns=1765209600000 * MS, interval_s=8 * 3600, cap="0.015", floor="-0.015",
    )  # fmt: skip


def test_okx_one_index_serves_all_contracts_that_follow_it():
    dated = instrument("okx_swap", "BTC-USDT-261225", kind="future", index="BTC-USDT")
    answer = {"code": "0", "msg": "", "data": [{"instId": "BTC-USDT", "idxPx": "43350", "ts": "1649419644492"}]}
    assert polled("okx_swap", "index-tickers", answer, *OKX, dated).facts == [
        MarkPrice(venue_symbol=symbol, at_ns=1649419644492 * MS, index="43350") for symbol in ("BTC-USDT-SWAP", "BTC-USDT-261225")
    ]
    row = market("okx_swap")
    poll = next(poll for poll in row.polls if poll.requests(row, Roster(OKX))[0].path.endswith("index-tickers"))
    assert [request.params for request in poll.requests(row, Roster(OKX))] == [(("quoteCcy", "USD"),), (("quoteCcy", "USDT"),)]


# ---- bad input


@pytest.mark.parametrize(
    "changes, field, reason",
    [
        ({"markPrice": ""}, "mark", None), ({"markPrice": None}, "mark", None), ({"markPrice": "0.00000000"}, "mark", "placeholder_zero"),
        ({"markPrice": "abc"}, "mark", "no_number"), ({"markPrice": "-5"}, "mark", "negative"), ({"markPrice": {}}, "mark", "no_number"),
        ({"markPrice": "1e400"}, "mark", "no_number"), ({"nextFundingTime": -5}, "next_ns", "no_time"), ({"nextFundingTime": "soon"}, "next_ns", "no_time"),
        ({"nextFundingTime": 0}, "next_ns", None), ({"lastFundingRate": "NaN"}, "rate", "no_number"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_unknown_and_counted_never_a_wrong_value(changes, field, reason):
    row = {"symbol": "BTCUSDT", "markPrice": "5", "indexPrice": "6", "lastFundingRate": "0.1", "nextFundingTime": 1597392000000, "time": 1597370495002}
    reading = polled("binance_usdm", "premiumIndex", [row | changes], BTC_PERP)
    values = {name: getattr(fact, name) for fact in reading.facts for name in fact.__struct_fields__[2:] if getattr(fact, name) is not UNSET}
    untouched = {"mark": "5", "index": "6", "rate": "0.1", "next_ns": 1597392000000 * MS} | {field: None}
    assert values == untouched, "the other fields stand"
    assert dict(reading.bad) == ({reason: 1} if reason else {})


def test_a_missing_field_says_nothing():
    (mark, funding) = polled("binance_usdm", "premiumIndex", [{"symbol": "BTCUSDT", "time": 1597370495002}], BTC_PERP).facts
    assert mark == MarkPrice(venue_symbol="BTCUSDT", at_ns=1597370495002 * MS)
    assert funding == Funding(venue_symbol="BTCUSDT", at_ns=1597370495002 * MS)


@pytest.mark.parametrize("hours, seconds, bad", [(1, 3600, 0), ("4", 14400, 0), (0, None, 0), ("", None, 0), (-4, None, 1), ("x", None, 1), ("0.5", None, 1), (10**6, None, 1)])
def test_an_interval_is_a_whole_number_of_hours_or_unknown(hours, seconds, bad):
    row = {"symbol": "BTCUSDT", "fundingIntervalHours": hours}
    reading = polled("binance_usdm", "fundingInfo", [row], BTC_PERP)
    assert reading.facts[0].interval_s == seconds and reading.bad["no_span"] == bad


def test_an_answer_of_another_shape_gives_no_interval_by_default():
    for answer in ({"code": -1003, "msg": "x"}, "text", 7):
        reading = polled("binance_usdm", "fundingInfo", json.dumps(answer), BTC_PERP)
        assert not reading.facts and reading.bad == {"no_list": 1}


ROWS = [(name, form) for name in ("binance_usdm", "binance_coinm", "bybit_linear", "bybit_inverse", "okx_swap", "okx_futures") for form in (*market(name).polls, *market(name).live)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["BTCUSDT", "BTC-USDT-SWAP", "BTC-USDT", "1", "0", "1777284963648"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["data", "result", "list", "symbol", "s", "instId", "markPrice", "p", "r", "T", "E", "ts", "time", "oi", "fundingTime", "nextFundingTime", "singleOpenInterest", "fundingIntervalHours", "type", "arg", "openInterest"]),
        inner, max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.sampled_from(ROWS), JSON)
def test_no_answer_whatever_its_shape_makes_a_reader_fail(row_and_form, answer):
    name, form = row_and_form
    row = market(name)
    roster = Roster([instrument(name, "BTCUSDT"), instrument(name, "BTC-USDT-SWAP", symbol="Y", index="BTC-USDT")])
    reading = Reading(roster)
    form.read(row, reading, answer)
    told = [fact.venue_symbol for fact in reading.facts if hasattr(fact, "venue_symbol") and not isinstance(fact, Relisted)]
    assert all(name in roster.by_symbol for name in told)


# ---- insurance pools


def pools(reading):
    return [(fact.name, fact.asset, fact.balance, fact.at_ns) for fact in reading.facts]


def test_binance_insurance_pool_of_2025():
    at_ns = 1745366402000 * MS
    reading = polled("binance_usdm", "insuranceBalance", recording("binance/rest_usdm_insuranceBalance.json").read_bytes(), BTC_PERP)
    assert pools(reading) == [
        ("BNBUSDT", "USDC", "299999998.6497832", at_ns), ("BNBUSDT", "USDT", "793930579.315848", at_ns), ("BNBUSDT", "BTC", "61.73143554", at_ns),
        ("BNBUSDT", "BNFCR", "633223.99396922", at_ns),
    ]  # fmt: skip
    assert reading.facts[0].symbols == ("BNBUSDT", "BTCUSDT", "BTCUSDT_250627", "BTCUSDT_250926", "ETHBTC", "ETHUSDT", "ETHUSDT_250627", "ETHUSDT_250926")
    many = json.dumps([json.loads(recording("binance/rest_usdm_insuranceBalance.json").read_text())] * 2)
    assert len(polled("binance_usdm", "insuranceBalance", many, BTC_PERP).facts) == 8


def test_bybit_insurance_pools_as_documented():
    at_ns = 1714003200000 * MS
    (answer,) = documented("market/insurance.mdx", 0)
    assert pools(polled("bybit_linear", "insurance", answer, BYBIT_LINEAR)) == [
        ("10000000AIDOGEUSDT", "USDT", "902178.57602476", at_ns), ("ALGOUSDT", "USDT", "14454.51626125", at_ns),
        ("WUSDT", "USDT", "23.45018235", at_ns), ("AGIUSDT", "USDT", "10002", at_ns),
    ]  # fmt: skip
    (frame,) = documented("websocket/public/insurance-pool.mdx", 1)
    at_ns = 1747722930000 * MS
    assert pools(streamed("bybit_linear", frame, BYBIT_LINEAR)) == [
        ("GRIFFAINUSDT", "USDT", "25614.92972633", at_ns), ("CGPTUSDT", "USDT", "100000.27064825", at_ns),
        ("GOATUSDT", "USDT", "20352.32665441", at_ns), ("XTERUSDT", "USDT", "19998.81533291", at_ns),
    ]  # fmt: skip
    answer["result"]["updateTime"] = answer["result"].pop("updatedTime")
    assert polled("bybit_linear", "insurance", answer, BYBIT_LINEAR).facts[0].at_ns == 1714003200000 * MS, "either name of the time"


def test_okx_insurance_fund_of_2026_is_its_newest_row():
    perp = instrument("okx_swap", "BTC-USD-SWAP", family="BTC-USD", contract="inverse")
    reading = polled("okx_swap", "insurance-fund", recording("okx/rest_public_insurance-fund_SWAP_BTC-USD_2026-04.json").read_bytes(), perp)
    assert pools(reading) == [("BTC-USD SWAP", "BTC", "3858.499", 1777284970000 * MS)] and reading.facts[0].symbols == ("BTC-USD-SWAP",)


@pytest.mark.parametrize(
    "row, reason",
    [
        ({"asset": "USDT", "marginBalance": ""}, "no_balance"), ({"asset": "USDT"}, "no_balance"), ({"asset": "", "marginBalance": "5"}, "no_asset"),
        ({"asset": "US DT", "marginBalance": "5"}, "no_asset"), ({"asset": None, "marginBalance": "5"}, "no_asset"), ({"asset": "USDT", "marginBalance": "x"}, "no_balance"),
    ],
)  # fmt: skip
def test_a_pool_without_an_asset_or_a_balance_is_none(row, reason):
    reading = polled("binance_usdm", "insuranceBalance", {"symbols": ["BTCUSDT"], "assets": [row, {"asset": "BTC", "marginBalance": "-0.5"}]}, BTC_PERP)
    assert [(fact.asset, fact.balance) for fact in reading.facts] == [("BTC", "-0.5")] and reading.bad[reason] == 1

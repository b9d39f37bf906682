"""Deleveraging and negotiated trades as the venues tell them: documented frames and answers, the expected values copied by hand."""

import json

import pytest
from msgspec import UNSET

from p9.fact import Adl, Block
from p9.venue import market
from tests.recordings import recording

from .facts import instrument, polled, streamed

MS = 1_000_000
FWOG, ZORA, BERA = (instrument("bybit_linear", name) for name in ("FWOGUSDT", "ZORAUSDT", "BERAUSDT"))
BTC = instrument("bybit_linear", "BTCUSDT")
RULE = {"trigger_ratio": "-0.3", "stop_ratio": "-0.25", "balance_threshold": "10000", "pool": "USDT"}


def documented(page):
    rows = map(json.loads, recording("bybit/docs_examples_2026-07.jsonl").read_text().splitlines())
    return next(row["example"] for row in rows if row["doc"] == page)


def bybit(**said):
    row = {"c": "USDT", "s": "BTCUSDT", "b": 1_000_000, "mb": "", "i_pr": -0.3, "pr": 0, "adl_tt": 10000, "adl_sr": -0.25} | said
    (fact,) = streamed("bybit_linear", {"topic": "adlAlert.USDT", "type": "snapshot", "ts": 1757736794000, "data": [row]}, BTC).facts
    return fact


def test_bybit_tells_each_pool_and_an_empty_one_is_deleveraged():
    at_ns = 1757736794000 * MS
    reading = streamed("bybit_linear", documented("websocket/public/adl-alert.mdx"), FWOG, ZORA, BERA)
    assert reading.facts == [
        Adl(venue_symbol="FWOGUSDT", at_ns=at_ns, state="adl", reason="pool_empty", balance="-5421.29889888", pnl_ratio="0", **RULE),
        Adl(venue_symbol="ZORAUSDT", at_ns=at_ns, state="normal", reason=None, balance="19873.46255153", pnl_ratio="0.000174", **RULE),
        Adl(venue_symbol="BERAUSDT", at_ns=at_ns, state="normal", reason=None, balance="453.36427074", pnl_ratio="0.24576", **RULE),
    ]
    assert not reading.bad


def test_bybit_by_rest_has_other_names_for_the_same():
    answer = documented("market/adl-alert.mdx")
    wanted = Adl(
        venue_symbol="BTCUSDT", at_ns=1757733960000 * MS, state="adl", reason="pnl_drawdown", balance="92203504694.99632", pnl_ratio="-0.560973", **RULE
    )
    assert polled("bybit_linear", "adlAlert", answer, BTC).facts == [wanted]
    answer["result"]["updateTime"] = answer["result"].pop("updatedTime")
    assert polled("bybit_linear", "adlAlert", answer, BTC).facts == [wanted]


@pytest.mark.parametrize(
    "said, state, reason",
    [
        ({"pr": -0.35}, "adl", "pnl_drawdown"),  # the venue's example: a pool of 1M that lost 350k
        ({"pr": "-0.30"}, "adl", "pnl_drawdown"),
        ({"pr": "-0.29"}, UNSET, UNSET),  # between the two ratios it is what it was
        ({"pr": "-0.25"}, UNSET, UNSET),
        ({"pr": "-0.2499"}, "normal", None),
        ({"pr": -0.35, "b": 10000}, UNSET, UNSET),  # a small pool does not begin by this rule
        ({"pr": 0.1, "b": "0"}, "adl", "pool_empty"),
        ({"pr": ""}, UNSET, UNSET),
        ({"pr": "-"}, UNSET, UNSET),
        ({"i_pr": None}, UNSET, UNSET),
    ],
)
def test_bybit_the_rule_of_the_venue_s_page(said, state, reason):
    """4.12: it begins at a loss of 0.30 of a pool that holds more than the threshold, and ends below 0.25; an empty pool is deleveraged too."""
    fact = bybit(**said)
    assert (fact.state, fact.reason) == (state, reason)


def test_bybit_listens_to_each_pool_s_coin_once():
    row = market("bybit_linear")
    form = next(form for form in row.live if "adl" in form.kinds)
    usdc = instrument("bybit_linear", "BTCPERP", settle="USDC")
    assert form.topics(row, [BTC, FWOG, usdc]) == ["adlAlert.USDC", "adlAlert.USDT"]
    inverse = market("bybit_inverse")
    form = next(form for form in inverse.live if "adl" in form.kinds)
    assert form.topics(inverse, [instrument("bybit_inverse", "BTCUSD", contract="inverse", settle="BTC")]) == ["adlAlert.inverse"]


def test_binance_says_how_likely_it_is_and_no_more():
    sample = json.loads(recording("binance/docsample_usdm_rest_market.json").read_text())["adl_risk"]
    one = instrument("binance_usdm", "BTCUSDT")
    wanted = Adl(venue_symbol="BTCUSDT", at_ns=1597370495002 * MS, risk="low")
    assert polled("binance_usdm", "symbolAdlRisk", sample, one).facts == [wanted] == polled("binance_usdm", "symbolAdlRisk", [sample], one).facts
    reading = polled("binance_usdm", "symbolAdlRisk", [{**sample, "adlRisk": "extreme"}, {"adlRisk": "low"}, 5], one)
    assert not reading.facts and reading.bad == {"unknown_risk": 1, "no_symbol": 1, "no_object": 1}
    assert not any(poll.requests(market("binance_coinm"), [one]) for poll in market("binance_coinm").polls if poll.kind == "adl")


SWAP = instrument("okx_swap", "BTC-USDT-SWAP", family="BTC-USDT")
USDC = instrument("okx_swap", "BTC-USDC-SWAP", family="BTC-USDC")
WARNING = {  # the venue page's sample, of a swap
    "instType": "SWAP", "instFamily": "BTC-USDT", "state": "warning", "bal": "280784384.9564228289548144", "ccy": "", "maxBal": "", "maxBalTs": "", "adlType": "",
    "adlBal": "", "adlRecBal": "", "ts": "1700210763001", "decRate": "", "adlRate": "", "adlRecRate": "",
}  # fmt: skip


def okx(*rows):
    return streamed("okx_swap", {"arg": {"channel": "adl-warning", "instType": "SWAP"}, "data": list(rows)}, SWAP, USDC)


def test_okx_warns_by_family_and_a_warning_holds_for_five_seconds():
    warning = Adl(
        venue_symbol="BTC-USDT-SWAP", at_ns=1700210763001 * MS, state="warning", reason=None, balance="280784384.9564228289548144", pool=None, holds_s=5.0
    )
    assert okx(WARNING).facts == [warning]
    (adl,) = okx({**WARNING, "state": "adl", "adlType": "bal_adl_start"}).facts
    assert (adl.state, adl.reason, adl.holds_s) == ("adl", "bal_adl_start", 5.0)
    (normal,) = okx({**WARNING, "state": "normal"}).facts  # as it was told before June 2026
    assert (normal.state, normal.holds_s) == ("normal", 0.0)
    assert not okx({**WARNING, "instFamily": "DOGE-USDT"}, {**WARNING, "instFamily": ""}).facts
    assert okx({**WARNING, "state": "panic"}).bad == {"unknown_state": 1}


def block(**said):
    row = {
        "fillVol": "5", "fwdPx": "26808.16", "groupId": "", "idxPx": "27222.5", "instId": "BTC-USDT-SWAP", "markPx": "27223", "px": "27200.5", "side": "buy",
        "sz": "100", "tradeId": "633971452580106242", "ts": "1697422572972",
    } | said  # fmt: skip
    return streamed("okx_swap", {"arg": {"channel": "public-block-trades", "instId": "BTC-USDT-SWAP"}, "data": [row]}, SWAP)


def test_okx_block_trades_are_told_whole_or_not_at_all():
    assert block().facts == [
        Block(venue_symbol="BTC-USDT-SWAP", at_ns=1697422572972 * MS, id="633971452580106242", price="27200.5", quantity="100", side="buy")
    ]
    assert block(side="both").bad == {"no_trade": 1} and not block(side="both").facts
    for said, kind in (({"px": "0"}, "placeholder_zero"), ({"sz": "x"}, "no_number"), ({"px": ""}, None), ({"tradeId": ""}, "no_trade")):
        reading = block(**said)
        assert not reading.facts and (kind is None or reading.bad == {kind: 1}), said

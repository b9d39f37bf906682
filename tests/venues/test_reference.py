"""Status, risk and calendar as the venues tell them: documented samples and the venue pages' frames, expected values copied by hand."""

import json

import pytest

from p9.fact import Maintenance, Relisted, Risk, Session, Tier
from tests.recordings import recording

from .facts import instrument, polled, streamed
from .test_facts import documented

MS = 1_000_000


def test_binance_status_risk_and_hours():
    spot = instrument("binance_spot", "BTCUSDT", kind="spot")
    assert polled("binance_spot", "system/status", {"status": 0, "msg": "normal"}, spot).facts == [Maintenance(id="system", title="normal", state="completed", data=True)]
    assert polled("binance_spot", "system/status", {"status": 1, "msg": "system maintenance"}, spot).facts[0].state == "ongoing"
    assert polled("binance_spot", "system/status", {"status": 7}, spot).bad == {"unknown_enum": 1}
    perp = instrument("binance_usdm", "BTCUSDT")
    sample = json.loads(recording("binance/docsample_usdm_rest_market.json").read_text())
    assert polled("binance_usdm", "symbolAdlRisk", sample["adl_risk"], perp, kind="reference").facts == [Risk(venue_symbol="BTCUSDT", adl_risk="low", at_ns=1597370495002 * MS)]
    hours = polled("binance_usdm", "tradingSchedule", recording("binance/sample_rest_tradingSchedule.json").read_bytes(), perp)
    assert Session(underlying="EQUITY", kind="OVERNIGHT", begins_ns=1761177600000 * MS, ends_ns=1761206400000 * MS) in hours.facts


def test_binance_contract_info_is_a_sign_to_read_again():
    """The venue page's frame."""
    frame = {"e": "contractInfo", "E": 1669356423908, "s": "IOTAUSDT", "ct": "PERPETUAL", "dt": 4133404800000, "ot": 1569398400000, "cs": "TRADING", "bks": [{"bs": 1}], "st": 1}
    assert streamed("binance_usdm", {"stream": "!contractInfo", "data": frame}, instrument("binance_usdm", "BTCUSDT")).facts == [Relisted("IOTAUSDT")]


def test_bybit_tiers_are_fractions_whatever_the_sample_s_age():
    linear, inverse = instrument("bybit_linear", "BTCUSDT", quote="USDT"), instrument("bybit_inverse", "BTCUSD", contract="inverse", base="BTC")
    row = {"id": 1, "symbol": "BTCUSDT", "riskLimitValue": "300000", "maintenanceMargin": "0.0033", "initialMargin": "0.0066", "isLowestRisk": 1, "maxLeverage": "150.00", "mmDeduction": ""}
    answer = {"retCode": 0, "result": {"category": "linear", "list": [{**row, "riskLimitValue": "900000", "initialMargin": "0.01"}, row]}}
    assert polled("bybit_linear", "risk-limit", answer, linear).facts == [
        Risk(
            venue_symbol="BTCUSDT",
            tiers=(
                Tier(most="300000", unit="USDT", initial_margin="0.0066", maintenance_margin="0.0033", most_leverage="150"),
                Tier(most="900000", unit="USDT", initial_margin="0.01", maintenance_margin="0.0033", most_leverage="150"),
            ),
        )
    ]
    (old,) = documented("market/risk-limit.mdx", 0)  # percents: 1 at a leverage of 100
    assert polled("bybit_inverse", "risk-limit", old, inverse).facts == [
        Risk(venue_symbol="BTCUSD", tiers=(Tier(most="150", unit="BTC", initial_margin="0.01", maintenance_margin="0.005", most_leverage="100"),))
    ]


def test_bybit_limits_groups_and_status():
    perp = instrument("bybit_linear", "BTCUSDT")
    (limits,) = documented("market/order-price-limit.mdx", 0)
    assert polled("bybit_linear", "price-limit", limits, perp).facts == [
        Risk(venue_symbol="BTCUSDT", highest_bid="105878.1", lowest_ask="103781.6", at_ns=1750302284491 * MS)
    ]
    (groups,) = documented("market/fee-group-info.mdx", 0)
    some = [instrument("bybit_linear", name, symbol=name) for name in ("HAEDALUSDT", "NOWHEREUSDT")]
    assert [(fact.venue_symbol, fact.fee_group) for fact in polled("bybit_linear", "fee-group-info", groups, *some).facts] == [
        ("HAEDALUSDT", "Innovation-Zone"), ("NOWHEREUSDT", None),
    ]  # fmt: skip
    (frame,) = documented("websocket/system/system-status.mdx", 1)
    (work,) = streamed("bybit_linear", frame, perp).facts
    assert work == Maintenance(
        id="4d95b2a0-587f-11f0-bcc9-56f28c94d6ea", title="t06", state="completed", data=True, begins_ns=1751596902000 * MS, ends_ns=1751597011000 * MS,
        planned=True, at_ns=1751858399649 * MS,
    )  # fmt: skip
    row = frame["data"][0] | {"state": "exploded", "serviceTypes": [4], "maintainType": 3}
    reading = polled("bybit_linear", "system/status", {"retCode": 0, "result": {"list": [row]}}, perp)
    assert [(fact.state, fact.data, fact.planned) for fact in reading.facts] == [("unknown", False, False)] and reading.bad == {"unknown_enum": 1}


def test_okx_status_live_of_2025_and_what_does_not_concern_us():
    """The venue page's live push: copy trading."""
    row = {"begin": "1764666600000", "end": "1764667800000", "env": "1", "href": "", "maintType": "1", "preOpenBegin": "", "scheDesc": "", "serviceType": "11",
           "state": "completed", "system": "unified", "title": "Copy trading system scheduled maintenance", "ts": "1764667948527"}  # fmt: skip
    spot = instrument("okx_spot", "BTC-USDT", kind="spot")
    (work,) = streamed("okx_spot", {"arg": {"channel": "status"}, "data": [row]}, spot).facts
    assert (work.state, work.data, work.planned, work.begins_ns, work.at_ns) == ("completed", False, True, 1764666600000 * MS, 1764667948527 * MS)
    (work,) = polled("okx_spot", "system/status", {"code": "0", "data": [row | {"serviceType": "0", "state": "pre_open"}]}, spot).facts
    assert (work.state, work.data) == ("ongoing", True)
    assert not polled("okx_spot", "system/status", {"code": "0", "data": [row | {"env": "2"}]}, spot).facts, "the demonstration system"


def test_okx_tiers_limits_and_pushed_rows():
    perp = instrument("okx_swap", "BTC-USDT-SWAP", family="BTC-USDT")
    tier = {"imr": "0.01", "instFamily": "BTC-USDT", "instId": "", "maxLever": "100", "maxSz": "50", "minSz": "0", "mmr": "0.004", "tier": "1", "uly": "BTC-USDT"}
    assert polled("okx_swap", "position-tiers", {"code": "0", "data": [tier]}, perp).facts == [
        Risk(venue_symbol="BTC-USDT-SWAP", tiers=(Tier(most="50", unit="contracts", initial_margin="0.01", maintenance_margin="0.004", most_leverage="100"),))
    ]
    limit = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "buyLmt": "17057.9", "sellLmt": "16388.9", "ts": "1597026383085", "enabled": True}
    assert polled("okx_swap", "price-limit", {"code": "0", "data": [limit]}, perp).facts == [
        Risk(venue_symbol="BTC-USDT-SWAP", highest_bid="17057.9", lowest_ask="16388.9", at_ns=1597026383085 * MS)
    ]
    off = limit | {"buyLmt": "", "sellLmt": "", "enabled": False}
    assert polled("okx_swap", "price-limit", {"code": "0", "data": [off]}, perp).facts[0].highest_bid is None
    rows = json.loads(recording("okx/rest_public_instruments_SWAP_2026-04.json").read_text())["data"]
    frame = {"arg": {"channel": "instruments", "instType": "SWAP"}, "data": rows}
    assert streamed("okx_swap", frame, perp).facts == [Relisted(rows[0]["instId"])], "one sign for all"


@pytest.mark.parametrize("answer", [None, 5, "x", [], {}, {"data": None}, {"data": [None, 5, {}]}, {"result": 5}, {"result": {"list": {}}}, {"marketSchedules": []}])
def test_answers_of_other_shapes_are_nothing(answer):
    for name in ("binance_spot", "binance_usdm", "bybit_spot", "bybit_linear", "okx_spot", "okx_swap"):
        one = instrument(name, "BTCUSDT", family="F")
        from p9.fact import Reading, Roster
        from p9.venue import market

        row, roster = market(name), Roster([one])
        for form in (*row.polls, *row.live):
            if "reference" in (getattr(form, "kind", ""), *getattr(form, "kinds", ())):
                reading = Reading(roster)
                form.read(row, reading, answer)
                assert not reading.facts

"""Moments and amounts of history: units told by size, times of people, quantities in base coins."""

import pytest

from p9.history import KINDS, POSITIONING, history_of, known, moment, number, quantity_of, times, told
from p9.instrument import Instrument
from p9.number import instant
from p9.venue import market

NEW_YEAR_S = 1_735_689_600  # 2025-01-01, since when one venue's files count in microseconds


@pytest.mark.parametrize("at_s", [1_420_070_400, NEW_YEAR_S - 1, NEW_YEAR_S, 1_795_532_005, 4_102_444_799], ids=["2015", "2024", "2025", "2026", "2099"])
@pytest.mark.parametrize("unit", [10**9, 10**6, 10**3, 1], ids=["s", "ms", "us", "ns"])
def test_pain_16_the_unit_of_a_time_is_told_by_its_size(at_s, unit):
    count = at_s * 10**9 // unit
    assert instant(count) == instant(str(count)) == at_s * 10**9


@pytest.mark.parametrize("value", [0, -1, "", "57111-01-01", 1_420_070_399, 4_134_067_200_000, 10**20, "1e12x", None, 1.5])
def test_pain_16_what_is_no_time_of_our_days_is_refused(value):
    with pytest.raises(ValueError):
        instant(value)


def test_times_of_people():
    assert moment("2025-01-01") == NEW_YEAR_S * 10**9 == moment("1735689600") == moment("2025-01-01T01:00+01:00")
    assert moment("2025-01-01T00:00:00.25Z") == NEW_YEAR_S * 10**9 + 250_000_000
    assert told(NEW_YEAR_S * 10**9) == "2025-01-01T00:00:00Z" and told(NEW_YEAR_S * 10**9 + 250_000_000) == "2025-01-01T00:00:00.25Z"
    with pytest.raises(ValueError, match="expected a time such as"):
        moment("yesterday")


def test_numbers_keep_every_digit_and_no_needless_one():
    assert [number(text) for text in ("0.01634790", "100", "-0.00010000", "0.000", "1E-7", 12)] == ["0.0163479", "100", "-0.0001", "0", "0.0000001", "12"]
    assert known("") is None and known(None) is None and known("0") == "0"
    assert times("0.000000000000000001", "3") == "0.000000000000000003" and times(None, "3") is None
    for bad in ("", "x", "NaN", "Infinity", "0x10", 1.5, True, None):
        with pytest.raises(ValueError):
            number(bad)


def test_quantities_by_hand():
    def instrument(contract: str, value: str) -> Instrument:
        return Instrument(
            exchange="venue", market="venue_line", symbol="A-B", venue_symbol="AB", base="A", quote="B", settle="B", kind="perpetual", tick="0.1", step="1",
            contract=contract, contract_value=value,
        )  # fmt: skip

    assert quantity_of(instrument("base", "1"), "0.5", "61837.6") == "0.5"
    assert quantity_of(instrument("linear", "0.01"), "7.5", "61837.6") == "0.075"
    assert quantity_of(instrument("inverse", "100"), "1", "61837.6") == "0.00161714"  # 0.001617139087...


@pytest.mark.parametrize("name", ["binance_spot", "binance_usdm", "binance_coinm", "bybit_spot", "bybit_linear", "bybit_inverse", "okx_spot", "okx_swap", "okx_futures"])
def test_every_kind_is_to_be_had_or_said_to_be_missing(name):
    history = history_of(market(name))
    for kind in KINDS:
        assert (kind in history.series) != (kind in history.missing), kind
        if kind in history.series:
            assert history.series[kind].kind == kind and history.series[kind].page > 0
    assert set(history.archives) <= set(history.series) and set(POSITIONING) <= set(KINDS)

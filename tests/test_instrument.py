"""Decimal text, scales and names of instruments."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p9.instrument import Instrument, canonical, decimal, milliseconds, places, product, underlying_units

amounts = st.decimals(min_value=Decimal("1e-12"), max_value=Decimal("1e12"), allow_nan=False, allow_infinity=False, places=12)


def instrument(tick: str, step: str) -> Instrument:
    return Instrument(
        exchange="x", market="x_spot", symbol="A-B", venue_symbol="AB", base="A", quote="B", settle="B", kind="spot", tick=tick, step=step
    )


@given(amounts)
def test_decimal_keeps_the_value_and_drops_the_zeros(value):
    text = decimal(format(value, "f"))
    assert Decimal(text) == value
    assert text == text.strip() and not ("." in text and text.endswith("0"))


@given(*[st.decimals(min_value=Decimal("1e-6"), max_value=Decimal("1e6"), allow_nan=False, places=6)] * 2)
def test_product_is_exact(a, b):
    assert Decimal(product(decimal(format(a, "f")), decimal(format(b, "f")))) == a * b


@pytest.mark.parametrize(
    "text, value", [("1e-7", "0.0000001"), ("1.5E+3", "1500"), ("1E-8", "0.00000001"), (100, "100"), (0.1, "0.1"), (".5", "0.5"), ("010.10", "10.1")]
)
def test_every_spelling_of_a_number(text, value):
    assert decimal(text) == value


@pytest.mark.parametrize("text", ["", "0", "0.000", "-1", "NaN", "inf", "1,5", None, "1.2.3", "1" * 19, "0." + "0" * 18 + "1", [], True])
def test_what_is_no_positive_decimal_is_refused(text):
    with pytest.raises(ValueError):
        decimal(text)


@given(st.integers(1, 10**9), st.integers(0, 16))
def test_scales_are_the_decimals_of_tick_and_step_plus_two(digits, n):
    tick = decimal(format(Decimal(digits).scaleb(-n), "f"))
    row = instrument(tick, "0.001")
    assert row.px_scale == min(places(tick) + 2, 18)
    assert Decimal(row.scaled_tick).scaleb(-row.px_scale) == Decimal(tick)
    assert row.qty_scale == 5


def test_the_scale_is_capped_at_eighteen_decimals():
    row = instrument("0.00000000000000001", "0.000000000000000001")
    assert (row.px_scale, row.scaled_tick, row.qty_scale) == (18, 10, 18)


@pytest.mark.parametrize(
    "base, units", [("1000PEPE", 1000), ("1000000MOG", 1_000_000), ("10000SATS", 10_000), ("1INCH", 1), ("BTC", 1), ("100X", 1), ("1000", 1)]
)
def test_a_multiple_in_a_coin_s_name_is_told_and_nothing_is_divided(base, units):
    assert underlying_units(base) == units


def test_names():
    expires_ns = milliseconds("1798185600000")
    assert canonical("BTC", "USDT") == "BTC-USDT"
    assert canonical("BTC", "USDT", perpetual=True) == "BTC-USDT-PERP"
    assert canonical("BTC", "USD", expires_ns=expires_ns) == "BTC-USD-20261225"
    assert canonical("BTC", "USDC", expires_ns=expires_ns, strike="100000", option_type="C") == "BTC-USDC-20261225-100000-C"
    with pytest.raises(ValueError):
        canonical("BTC", "")

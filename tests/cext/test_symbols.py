"""The table of venue symbols against a dict, with names that differ in one byte only, wherever it stands."""

import pytest
from cext.symbols import Symbols
from hypothesis import given, settings
from hypothesis import strategies as st

ALIKE = st.builds(lambda name, size: name[:size], st.text("AB", min_size=1, max_size=40), st.integers(1, 40)).map(str.encode)
NAMES = ALIKE | st.binary(min_size=1, max_size=24) | st.sampled_from(["BTCUSDT", "BTC-USDT-SWAP", "1000PEPEUSDT", "币安人生USDT"]).map(str.encode)


@settings(max_examples=80)
@given(st.lists(NAMES, unique=True, min_size=1, max_size=200), st.lists(NAMES, max_size=50))
def test_every_name_is_found_and_no_other(names, others):
    symbols = Symbols()
    known = {}
    for i, name in enumerate(names):
        if i % 3 == 2:
            known[name] = known[names[i - 1]]
            symbols.alias(name, known[name])
        else:
            known[name] = symbols.add(name, 2, 3)
    assert {name: symbols.index(name) for name in names} == known
    for other in [*others, b"", *(name + b"\0" for name in names), *(name[:-1] for name in names)]:
        if other not in known:
            with pytest.raises(KeyError):
                symbols.index(other)


@pytest.mark.parametrize("size", range(1, 41))
def test_names_that_differ_in_one_byte_are_two(size):
    symbols = Symbols()
    names = [b"x" * size, *(b"x" * place + b"y" + b"x" * (size - place - 1) for place in range(size))]
    assert [symbols.add(name, 0, 0) for name in names] == list(range(size + 1))
    assert [symbols.index(name) for name in names] == list(range(size + 1))


def test_a_name_means_one_instrument():
    symbols = Symbols()
    symbols.add(b"BTCUSDT", 2, 5)
    symbols.add(b"ETHUSDT", 2, 5)
    symbols.alias(b"btcusdt", 0)
    symbols.alias(b"btcusdt", 0)
    with pytest.raises(ValueError, match="already known"):
        symbols.add(b"btcusdt", 2, 5)
    with pytest.raises(ValueError, match="another instrument"):
        symbols.alias(b"btcusdt", 1)
    with pytest.raises(ValueError, match="no such instrument"):
        symbols.alias(b"", 0)
    with pytest.raises(ValueError, match="no such instrument"):
        symbols.alias(b"new", 2)


@pytest.mark.parametrize("scales", [(-1, 0), (0, 19), (19, 0)])
def test_a_scale_out_of_range_is_refused(scales):
    with pytest.raises(ValueError, match="outside"):
        Symbols().add(b"BTCUSDT", *scales)


def test_a_forgotten_name_can_be_taken_again_and_the_others_are_found_as_before():
    symbols = Symbols()
    for n in range(100):
        symbols.add(b"S%d" % n, 2, 5)
        symbols.alias(b"s%d" % n, n)
    for n in range(0, 100, 3):
        symbols.forget(n)
    for n in range(100):
        for name in (b"S%d" % n, b"s%d" % n):
            if n % 3:
                assert symbols.index(name) == n
            else:
                with pytest.raises(KeyError):
                    symbols.index(name)
    assert symbols.add(b"S0", 2, 5) == 100 == symbols.index(b"S0")

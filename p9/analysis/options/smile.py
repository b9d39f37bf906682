"""The volatility smile of one expiry: a line through (strike, implied volatility), and what is read off it.

Delta is the call's, of the forward: N(d1); it falls from 1 at the lowest strike to 0 at the highest, so the 25-delta call stands at 0.25 and the
25-delta put (delta -0.25) at 0.75. Nothing is read beyond the outermost strikes: None.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from cext.black76 import delta, price, vega

DELTA_25 = 0.25
MALZ_RANGE = 0.1, 0.9  # of call deltas: beyond them his parabola is not meant to fit


class Violation(NamedTuple):
    """An arbitrage that the marks would allow: at which strike, and by how much it breaks the bound (an option's worth, or total variance)."""

    strike: float
    excess: float


class Smile:
    """`strikes` ascending, each with its `vols`; `years` to the expiry."""

    __slots__ = ("deltas", "forward", "log_moneyness", "strikes", "variances", "vols", "years")

    def __init__(self, forward: float, years: float, strikes: Sequence[float], vols: Sequence[float]):
        self.forward, self.years, self.strikes, self.vols = forward, years, strikes, vols
        self.log_moneyness = [math.log(strike / forward) for strike in strikes]
        self.variances = [vol * vol * years for vol in vols]
        self.deltas = [delta(forward, strike, vol, years, True) for strike, vol in zip(strikes, vols, strict=True)]

    def variance(self, log_moneyness: float) -> float | None:
        """Total variance vol**2 * years there, linear between two strikes."""
        return between(self.log_moneyness, self.variances, log_moneyness)

    def vol(self, log_moneyness: float) -> float | None:
        variance = self.variance(log_moneyness)
        return math.sqrt(variance / self.years) if variance is not None else None

    def vol_at_delta(self, call_delta: float) -> float | None:
        """By monotone interpolation of the volatility in delta, among the strikes around the forward of which each has a smaller delta than the one below:
        far out a delta is 0 or 1 to the last digit, or a wing is told that cannot be."""
        low, high = self._falling()
        return monotone(self.deltas[low:high][::-1], self.vols[low:high][::-1], call_delta)

    def _falling(self) -> tuple[int, int]:
        """The widest stretch of strikes around the forward on which deltas fall, as a slice."""
        deltas = self.deltas
        low = min(range(len(deltas)), key=lambda i: abs(deltas[i] - 0.5), default=0)
        high = low
        while low > 0 and deltas[low - 1] > deltas[low]:
            low -= 1
        while high + 1 < len(deltas) and deltas[high + 1] < deltas[high]:
            high += 1
        return low, high + 1

    def butterflies(self, tolerance: float) -> list[Violation]:
        """Strikes whose call costs more than the line between its neighbours allows (the density there would be negative), or more than the call below it.

        Told only where an error of `tolerance` in each of the volatilities cannot be the reason.
        """
        found = []
        strikes, years, forward = self.strikes, self.years, self.forward
        calls = [price(forward, strike, vol, years, True) for strike, vol in zip(strikes, self.vols, strict=True)]
        slack = [100 * tolerance * vega(forward, strike, vol, years) for strike, vol in zip(strikes, self.vols, strict=True)]
        for i in range(1, len(strikes)):
            excess, allowed = calls[i] - calls[i - 1], slack[i] + slack[i - 1]
            if i + 1 < len(strikes):
                share = (strikes[i + 1] - strikes[i]) / (strikes[i + 1] - strikes[i - 1])
                bow = calls[i] - share * calls[i - 1] - (1 - share) * calls[i + 1]
                bow_allowed = slack[i] + share * slack[i - 1] + (1 - share) * slack[i + 1]
                if bow - bow_allowed > excess - allowed:
                    excess, allowed = bow, bow_allowed
            if excess > allowed:
                found.append(Violation(strikes[i], excess))
        return found


def calendars(near: Smile, far: Smile, tolerance: float) -> list[Violation]:
    """Strikes of the nearer expiry whose total variance is above that of the farther one at the same moneyness, where both can be read."""
    found = []
    for strike, place, variance, vol in zip(near.strikes, near.log_moneyness, near.variances, near.vols, strict=True):
        later = far.variance(place)
        if later is None:
            continue
        allowed = 2 * tolerance * (vol * near.years + math.sqrt(later * far.years))
        if variance - later > allowed:
            found.append(Violation(strike, variance - later))
    return found


class Figures(NamedTuple):
    """What a smile says. `malz` is the largest distance of its points between 10 and 90 delta from Malz's parabola through the other figures."""

    atm: float | None = None
    call_25: float | None = None
    put_25: float | None = None
    risk_reversal: float | None = None
    butterfly: float | None = None
    malz: float | None = None


def read(smile: Smile) -> Figures:
    atm, call, put = smile.vol(0.0), smile.vol_at_delta(DELTA_25), smile.vol_at_delta(1 - DELTA_25)
    if atm is None or call is None or put is None:
        return Figures(atm, call, put)
    reversal, butterfly = call - put, (call + put) / 2 - atm
    low, high = MALZ_RANGE
    apart = [
        abs(vol - malz(atm, reversal, butterfly, call_delta))
        for vol, call_delta in zip(smile.vols, smile.deltas, strict=True)
        if low <= call_delta <= high
    ]
    return Figures(atm, call, put, reversal, butterfly, max(apart, default=None))


def malz(atm: float, reversal: float, butterfly: float, call_delta: float) -> float:
    """Malz (1997): the parabola in delta through three quotes."""
    away = call_delta - 0.5
    return atm - 2 * reversal * away + 16 * butterfly * away * away


def between(xs: Sequence[float], ys: Sequence[float], x: float) -> float | None:
    """Linear in `x` between two of the ascending `xs`; None outside of them."""
    if not xs or not xs[0] <= x <= xs[-1]:
        return None
    right = bisect_left(xs, x)
    if xs[right] == x:
        return ys[right]
    share = (x - xs[right - 1]) / (xs[right] - xs[right - 1])
    return ys[right - 1] + share * (ys[right] - ys[right - 1])


def monotone(xs: Sequence[float], ys: Sequence[float], x: float) -> float | None:
    """Fritsch and Carlson's cubic (1980; Butland's slopes): it turns where the points turn, and nowhere else. None outside of `xs`."""
    n = len(xs)
    if n < 2 or not xs[0] <= x <= xs[-1]:
        return None
    right = min(max(bisect_left(xs, x), 1), n - 1)
    left = right - 1
    width = xs[right] - xs[left]
    rise = ys[right] - ys[left]
    t = (x - xs[left]) / width
    at_left, at_right = width * _slope(xs, ys, left), width * _slope(xs, ys, right)
    return ys[left] + t * (at_left + t * (3 * rise - 2 * at_left - at_right + t * (at_left + at_right - 2 * rise)))


def _slope(xs: Sequence[float], ys: Sequence[float], i: int) -> float:
    """The curve's slope at one of its points."""
    n = len(xs)
    if n == 2:
        return (ys[1] - ys[0]) / (xs[1] - xs[0])
    if 0 < i < n - 1:
        h0, h1 = xs[i] - xs[i - 1], xs[i + 1] - xs[i]
        d0, d1 = (ys[i] - ys[i - 1]) / h0, (ys[i + 1] - ys[i]) / h1
        if d0 * d1 <= 0:
            return 0.0
        w0, w1 = 2 * h1 + h0, h1 + 2 * h0
        return (w0 + w1) / (w0 / d0 + w1 / d1)
    a, b, c = (0, 1, 2) if i == 0 else (n - 1, n - 2, n - 3)
    h0, h1 = abs(xs[b] - xs[a]), abs(xs[c] - xs[b])
    d0, d1 = (ys[b] - ys[a]) / (xs[b] - xs[a]), (ys[c] - ys[b]) / (xs[c] - xs[b])
    slope = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1)
    if slope * d0 <= 0:
        return 0.0
    return 3 * d0 if d0 * d1 <= 0 and abs(slope) > 3 * abs(d0) else slope

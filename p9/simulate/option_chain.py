"""The options of one coin: which are listed, and the seeded surface that says what each is worth at a time.

The surface is Gatheral and Jacquier's SSVI with a variance that only grows with time, so it allows no arbitrage; its level wanders slowly. Everything depends on the
seed and the time alone. The formulas are written here a second time, apart from those that read what is sent.
"""

import math
import random
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

from p9.simulate.catalogue import COINS
from p9.simulate.index import Index

HOUR_MS = 3_600_000
YEAR_MS = 365 * 24 * HOUR_MS
EXPIRY_HOUR = 8
PLACES = (0.0, 0.2, 0.45, 0.8, 1.3, 2.0)  # of strikes, in standard deviations up and down
STEPS = {"BTC": 500, "ETH": 25}  # between strikes, elsewhere a hundredth of the price or so
RHO, ETA = -0.25, 0.9  # skew and bow: ETA * (1 + |RHO|) below 2 keeps every density positive
NORMAL = NormalDist()


class Option(NamedTuple):
    expiry_ms: int
    strike: float
    call: bool

    @property
    def strike_text(self) -> str:
        return f"{self.strike:.10f}".rstrip("0").rstrip(".")


class Traits(NamedTuple):
    """What stays the same of an option: `spread` and `kind` make its quotes."""

    spread: float
    kind: float
    bid_lots: int
    ask_lots: int
    interest_lots: int


class Mark(NamedTuple):
    """What is true of an option at a time: premiums in dollars, undiscounted; quotes are None where there are none."""

    option: Option
    forward: float
    years: float
    vol: float
    bid_vol: float | None
    ask_vol: float | None
    price: float
    bid: float | None
    ask: float | None
    bid_lots: int
    ask_lots: int
    interest_lots: int
    delta: float
    gamma: float
    vega: float
    theta: float


def last_friday(year: int, month: int) -> date:
    end = date(year + (month == 12), month % 12 + 1, 1) - timedelta(days=1)
    return end - timedelta(days=(end.weekday() - 4) % 7)


def expiries(now_ms: int) -> list[int]:
    """Three days, three Fridays, three ends of months and three of quarters, at 08:00 UTC, in ms."""
    return _expiries(now_ms // HOUR_MS)


@lru_cache(16)
def _expiries(hour: int) -> list[int]:
    now = datetime.fromtimestamp(hour * 3600, UTC)
    today = now.date() if now.hour < EXPIRY_HOUR else now.date() + timedelta(days=1)
    days = [today + timedelta(days=n) for n in range(400)]
    months = [day for day in days if day == last_friday(day.year, day.month)]
    chosen = {
        *days[:3], *[day for day in days if day.weekday() == 4][:3], *months[:3], *[day for day in months if day.month % 3 == 0][:3],
    }  # fmt: skip
    return sorted(int(datetime(day.year, day.month, day.day, EXPIRY_HOUR, tzinfo=UTC).timestamp() * 1000) for day in chosen)


class OptionChain:
    """`rate`: what the forward grows by in a year."""

    def __init__(self, coin: str, index: Index, seed: str, rate: float = 0.05):
        self.coin, self.index, self.rate, self._seed = coin, index, rate, seed
        draw = random.Random(f"{seed} surface {coin}")
        self._near, self._far = draw.uniform(0.45, 0.6), draw.uniform(0.5, 0.65)  # volatilities of now and of ever
        self._speed = draw.uniform(2.0, 4.0)  # how fast the one becomes the other, a year
        self._phase = draw.uniform(0.0, 2 * math.pi)
        self._centre = float(COINS[coin][0])
        self._marks: tuple[int, list[Mark]] = (0, [])
        self._traits: dict[Option, Traits] = {}
        self.held_ms: int | None = None  # frozen: prices and volatilities stay as they were then, time goes on
        self._listed: tuple[tuple[int, ...], list[Option]] = ((), [])

    # ------------------------------------------------------------------ what is listed

    def options(self, now_ms: int) -> list[Option]:
        ends = tuple(expiries(now_ms))
        if ends != self._listed[0]:
            found = [Option(end, strike, call) for end in ends for strike in self._strikes(end) for call in (True, False)]
            self._listed = (ends, found)
            self._traits = {option: self._draw(option) for option in found}
        return self._listed[1]

    def _strikes(self, expiry_ms: int) -> list[float]:
        """Laid out when the expiry was listed: wider for those that are listed long before."""
        day = datetime.fromtimestamp(expiry_ms / 1000, UTC).date()
        is_month = day == last_friday(day.year, day.month)
        years = 0.6 if is_month and day.month % 3 == 0 else 0.2 if is_month else 0.05 if day.weekday() == 4 else 0.008
        step = STEPS.get(self.coin) or 10.0 ** round(math.log10(self._centre) - 2)
        deviation = self._far * math.sqrt(years)
        found = {round(self._centre * math.exp(sign * place * deviation) / step) * step for place in PLACES for sign in (1, -1)}
        return sorted(strike for strike in found if strike > 0)

    def _draw(self, option: Option) -> Traits:
        draw = random.Random(f"{self._seed} {self.coin} {option}")
        return Traits(draw.uniform(0.01, 0.03), draw.random(), draw.randint(1, 2000), draw.randint(1, 2000), draw.randint(0, 50_000))

    # ------------------------------------------------------------------ what is true

    def forward(self, expiry_ms: int, now_ms: int) -> float:
        return self.index.at(now_ms * 1_000_000) * math.exp(self.rate * self.years(expiry_ms, now_ms))

    def years(self, expiry_ms: int, now_ms: int) -> float:
        return (expiry_ms - now_ms) / YEAR_MS

    def at_the_money(self, years: float, now_ms: int) -> float:
        """Total variance at the forward."""
        near = self._near * (1 + 0.03 * math.sin(2 * math.pi * now_ms / 600_000 + self._phase))
        return self._far**2 * years + (near**2 - self._far**2) * (1 - math.exp(-self._speed * years)) / self._speed

    def vol(self, log_moneyness: float, years: float, now_ms: int) -> float:
        theta = self.at_the_money(years, now_ms)
        bend = ETA / math.sqrt(theta * (1 + theta)) * log_moneyness
        return math.sqrt(theta / 2 * (1 + RHO * bend + math.sqrt((bend + RHO) ** 2 + 1 - RHO**2)) / years)

    def vol_at_delta(self, call_delta: float, years: float, now_ms: int) -> float:
        """The volatility at the place whose own volatility gives this delta of a call: bisected."""
        reach = 6 * self._far * math.sqrt(years)
        low, high = -reach, reach
        for _ in range(60):
            place = (low + high) / 2
            vol = self.vol(place, years, now_ms)
            found = NORMAL.cdf(-place / (vol * math.sqrt(years)) + vol * math.sqrt(years) / 2)
            low, high = (place, high) if found > call_delta else (low, place)
        return vol

    def worth(self, option: Option, forward: float, years: float, vol: float) -> float:
        s = vol * math.sqrt(years)
        d1 = math.log(forward / option.strike) / s + s / 2
        sign = 1 if option.call else -1
        return max(0.0, sign * (forward * NORMAL.cdf(sign * d1) - option.strike * NORMAL.cdf(sign * (d1 - s))))

    def marks(self, now_ms: int) -> list[Mark]:
        """Every listed option, as it stands at `now_ms`."""
        now_ms = now_ms if self.held_ms is None else self.held_ms
        if self._marks[0] != now_ms:
            self._marks = (now_ms, [self.mark(option, now_ms) for option in self.options(now_ms)])
        return self._marks[1]

    def spot(self, now_ms: int) -> float:
        return self.index.at((now_ms if self.held_ms is None else self.held_ms) * 1_000_000)

    def mark(self, option: Option, now_ms: int) -> Mark:
        now_ms = now_ms if self.held_ms is None else self.held_ms
        years, forward = self.years(option.expiry_ms, now_ms), self.forward(option.expiry_ms, now_ms)
        vol = self.vol(math.log(option.strike / forward), years, now_ms)
        s = vol * math.sqrt(years)
        d1 = math.log(forward / option.strike) / s + s / 2
        density = NORMAL.pdf(d1)
        traits = self._traits.get(option) or self._draw(option)
        half = traits.spread * vol * (1 + d1 * d1 / 4)
        if traits.kind < 0.05:
            half = 0.2 * vol  # too far apart to be used
        has_bid, has_ask = traits.kind < 0.93, traits.kind < 0.98
        bid_vol = vol - half if has_bid and half < vol else None
        bid = self.worth(option, forward, years, bid_vol) if bid_vol is not None else None
        return Mark(
            option=option, forward=forward, years=years, vol=vol, bid_vol=bid_vol, ask_vol=vol + half if has_ask else None,
            price=self.worth(option, forward, years, vol), bid=bid, ask=self.worth(option, forward, years, vol + half) if has_ask else None,
            bid_lots=traits.bid_lots, ask_lots=traits.ask_lots, interest_lots=traits.interest_lots,
            delta=NORMAL.cdf(d1) - (0 if option.call else 1), gamma=density / (forward * s), vega=forward * density * math.sqrt(years) / 100,
            theta=-forward * density * vol / (2 * math.sqrt(years)) / 365,
        )  # fmt: skip

    # ------------------------------------------------------------------ the oracle

    def truth(self, now_ms: int) -> dict:
        """The surface at `now_ms`, read off its formula and not off the strikes: figures by expiry, and at constant maturities."""
        rows = [
            {
                "expiry_ms": end, "years": years, "forward": self.forward(end, now_ms), "atm": math.sqrt(self.at_the_money(years, now_ms) / years),
                "call_25": self.vol_at_delta(0.25, years, now_ms), "put_25": self.vol_at_delta(0.75, years, now_ms),
            }
            for end in expiries(now_ms)
            for years in [self.years(end, now_ms)]
        ]  # fmt: skip
        maturities = {
            str(days): {
                "atm": math.sqrt(self.at_the_money(days / 365, now_ms) / (days / 365)),
                "call_25": self.vol_at_delta(0.25, days / 365, now_ms), "put_25": self.vol_at_delta(0.75, days / 365, now_ms),
            }
            for days in (7, 30, 90)
        }  # fmt: skip
        return {"coin": self.coin, "at_ms": now_ms, "index": self.index.at(now_ms * 1_000_000), "rate": self.rate, "expiries": rows, "maturities": maturities}

"""Counts of ticks or lots as decimal text, the way a venue writes them. Integers only."""

from decimal import Decimal

MOST_KEPT = 50_000


class Scale:
    """`step` is one tick or lot as the venue pads it ("0.10" is written with two decimals, in steps of ten)."""

    __slots__ = ("_padded", "_trimmed", "_units", "decimals", "step")

    def __init__(self, step: str):
        exact = Decimal(step)
        self.step = exact
        self.decimals = max(0, -exact.as_tuple().exponent)
        self._units = int(exact.scaleb(self.decimals))
        self._padded: dict[int, str] = {}
        self._trimmed: dict[int, str] = {}

    def pad(self, count: int) -> str:
        """All decimals of the step: 643467 ticks of "0.10" are "64346.70"."""
        text = self._padded.get(count)
        if text is None:
            text = _keep(self._padded, count, self._write(count * self._units))
        return text

    def trim(self, count: int) -> str:
        """Without trailing zeros: "64346.7"."""
        text = self._trimmed.get(count)
        if text is None:
            text = self.pad(count)
            text = _keep(self._trimmed, count, text.rstrip("0").rstrip(".") if self.decimals else text)
        return text

    def value(self, count: int) -> Decimal:
        return self.step * count

    def count(self, value: float) -> int:
        """The nearest whole number of steps."""
        return round(value / float(self.step))

    def _write(self, units: int) -> str:
        if not self.decimals:
            return str(units)
        sign, digits = ("-" if units < 0 else ""), str(abs(units)).zfill(self.decimals + 1)
        return f"{sign}{digits[: -self.decimals]}.{digits[-self.decimals :]}"


def plain(value: Decimal, places: int | None = None) -> str:
    """A decimal without exponent; with `places`, rounded half-even to that many digits, zeros kept; else trimmed."""
    if places is not None:
        return f"{value:.{places}f}"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _keep(texts: dict[int, str], count: int, text: str) -> str:
    """Remember it; a market that has moved on has other prices."""
    if len(texts) > MOST_KEPT:
        texts.clear()
    texts[count] = text
    return text

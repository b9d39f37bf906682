"""A column of the heat map: what rests at each price around the touch, in rows of equal height, one byte a row."""

import base64
import math
from typing import Any

ROWS = 96  # of one column, half on either side of the touch
LEVELS = 150  # a side that are looked at
OCTAVE = 7  # byte steps to a doubling
ZERO = 50  # the byte of one quote coin
NICE = (1, 2, 5, 10)


class Heat:
    """`column(book)` answers [lowest price, row height, base64 of ROWS bytes, best bid, best ask], or None where there is no book. A byte is the
    logarithm of the money that rests in its row (0: nothing). Rows stand on multiples of their height, which changes only when the book's reach does."""

    def __init__(self) -> None:
        self.step = 0.0

    def column(self, book: dict[str, Any]) -> list[Any] | None:
        bids = [(float(px), float(qty)) for px, qty in book["bids"]]
        asks = [(float(px), float(qty)) for px, qty in book["asks"]]
        if book["state"] != "synced" or not bids or not asks:
            return None
        self._fit(max(bids[0][0] - bids[-1][0], asks[-1][0] - asks[0][0]), asks[0][0] - bids[0][0])
        step = self.step
        middle = math.floor((bids[0][0] + asks[0][0]) / 2 / step + 1e-9)
        lowest = middle - ROWS // 2
        rows = [0.0] * ROWS
        for px, qty in (*bids, *asks):
            row = math.floor(px / step + 1e-9) - lowest
            if 0 <= row < ROWS:
                rows[row] += px * qty
        code = bytes(shade(money) for money in rows)
        return [float(f"{lowest * step:.12g}"), step, base64.b64encode(code).decode(), bids[0][0], asks[0][0]]

    def _fit(self, reach: float, spread: float) -> None:
        wanted = max(reach / (ROWS / 2), spread / 8, 1e-12)
        if not self.step or not self.step / 2.6 < wanted < self.step * 2.6:
            self.step = nice(wanted)


def nice(wanted: float) -> float:
    """The 1, 2 or 5 times a power of ten that is nearest, as ratios go."""
    power = 10.0 ** math.floor(math.log10(wanted))
    return float(f"{min((n * power for n in NICE), key=lambda each: abs(math.log(each / wanted))):.6g}")


def shade(money: float) -> int:
    return 0 if money <= 0 else min(max(round(ZERO + OCTAVE * math.log2(money)), 1), 255)

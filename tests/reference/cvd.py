"""Cumulative volume delta (analytics.md 4.4): CVD = sum of sign * volume, in exact numbers."""

from fractions import Fraction

import numpy as np

STEPS = 60  # of the sliding span


def amounts(price: list, quantity: list, *, contract: str = "base", value: Fraction | int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(base coins, quote coins) of each trade, exactly."""
    px, qty = np.array(price, dtype=object), np.array(quantity, dtype=object) * value
    return (qty / px, qty) if contract == "inverse" else (qty, qty * px)


def spans(at_s: list, sign: list, amount: np.ndarray, seconds: int, now_s: int) -> dict[str, Fraction]:
    """The net amount of the interval that forms at second `now_s`, of the one before it, of the sliding span and of the day."""
    at, net = np.array(at_s), amount * np.array(sign, dtype=object)
    step = max(seconds // STEPS, 1)
    opened, day = now_s // seconds * seconds, now_s // 86_400 * 86_400
    slid = (now_s // step + 1) * step - seconds

    def total(since: int, until: int) -> Fraction:
        return Fraction(sum(net[(at >= since) & (at < until)]))

    return {
        "delta": total(opened, opened + seconds), "previous_delta": total(opened - seconds, opened), "rolling": total(slid, slid + seconds),
        "session": total(day, day + 86_400),
    }  # fmt: skip

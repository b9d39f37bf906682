"""Across the expiries: volatilities of constant maturity, forward volatilities, the term's slope."""

import math
from collections.abc import Sequence

from p9.analysis.options.smile import Figures, between

YEAR_S = 365 * 86400


def constant_maturity(years: Sequence[float], vols: Sequence[float | None], at_years: float) -> float | None:
    """Linear in total variance vol**2 * years between the two expiries around `at_years`; None outside of them. `years` ascends."""
    known = [(t, vol * vol * t) for t, vol in zip(years, vols, strict=True) if vol is not None]
    variance = between([t for t, _ in known], [w for _, w in known], at_years)
    return math.sqrt(variance / at_years) if variance is not None else None


def at_maturity(years: Sequence[float], smiles: Sequence[Figures], at_years: float) -> Figures:
    """The figures of a smile that would expire in `at_years`; risk reversal and butterfly from the interpolated wings."""
    atm, call, put = (constant_maturity(years, [getattr(one, name) for one in smiles], at_years) for name in ("atm", "call_25", "put_25"))
    wings = call is not None and put is not None
    return Figures(
        atm, call, put, call - put if wings else None, (call + put) / 2 - atm if wings and atm is not None else None
    )


def forward_vol(near_years: float, near_vol: float | None, far_years: float, far_vol: float | None) -> float | None:
    """The volatility between two expiries that both imply; None where total variance falls."""
    if near_vol is None or far_vol is None:
        return None
    variance = far_vol * far_vol * far_years - near_vol * near_vol * near_years
    return math.sqrt(variance / (far_years - near_years)) if variance >= 0 else None

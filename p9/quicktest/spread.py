"""How a handful of times is spread: median, 99 of a hundred, worst."""

from collections.abc import Sequence
from typing import Any

AT = {"p50": 0.5, "p99": 0.99, "worst": 1.0}


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Of sorted values."""
    return {"n": len(values), **{name: round(values[min(len(values) - 1, int(q * len(values)))], 3) for name, q in AT.items() if values}}


def told(values_ms: Sequence[float]) -> str:
    row = spread(values_ms)
    return f"median {row['p50']} ms, p99 {row['p99']} ms, worst {row['worst']} ms" if values_ms else "none"


def quantile_ms(buckets: Sequence[int], bounds_s: Sequence[float], q: float) -> float | None:
    total, seen = sum(buckets), 0
    for n, bound_s in zip(buckets, bounds_s, strict=True):
        seen += n
        if total and seen >= q * total:
            return round(bound_s * 1000, 3)
    return None

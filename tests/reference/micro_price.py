"""Stoikov's micro-price (Quantitative Finance 18, 2018) as its formulas say, on a table of quotes.

G1 = (E - Q)^-1 R k, B = (E - Q)^-1 T, G* = sum of B^i G1, after the data were mirrored: (I, S, dM) <-> (1 - I, S, -dM).
"""

from itertools import pairwise

import numpy as np


def bucket_shares(bid_size: int, ask_size: int, buckets: int) -> dict[int, float]:
    """Buckets of I = bid / (bid + ask), mirrored at 1/2: what is equal stands between the two in the middle, half in each."""
    half = buckets // 2
    if bid_size == ask_size:
        return {half - 1: 0.5, half: 0.5}
    smaller = min(bid_size, ask_size) / (bid_size + ask_size)
    place = min(int(smaller * buckets), half - 1)
    return {place if bid_size < ask_size else buckets - 1 - place: 1.0}


def fit(quotes, *, buckets: int, spreads: int, max_move: int) -> dict:
    """`quotes`: [(bid, bid size, ask, ask size), ...] with prices in ticks, in the order of time; a wider spread than `spreads` is passed over,
    a move of the mid by more than `max_move` ticks is no transition."""
    n = buckets * spreads
    rows = [row for row in quotes if 1 <= row[2] - row[0] <= spreads]
    q, t, moves = np.zeros((n, n)), np.zeros((n, n)), np.zeros(n)
    for before, after in pairwise(rows):
        moved = (after[0] + after[2] - before[0] - before[2]) / 2
        if abs(moved) > max_move:
            continue
        for mirrored in (False, True):
            states = []
            for bid, bid_size, ask, ask_size in (before, after):
                sizes = (ask_size, bid_size) if mirrored else (bid_size, ask_size)
                states.append({place * spreads + ask - bid - 1: share for place, share in bucket_shares(*sizes, buckets).items()})
            for s, share in states[0].items():
                moves[s] += share * (-moved if mirrored else moved)
                for s2, share2 in states[1].items():
                    (q if moved == 0 else t)[s, s2] += share * share2
    total = (q + t).sum(axis=1)
    # of states that no move ever leaves nothing can be told
    left = t.sum(axis=1) > 0
    for _ in range(n):
        left |= (q[:, left] > 0).any(axis=1)
    q, t, moves = (np.where(left.reshape(-1, *[1] * (m.ndim - 1)), m / np.maximum(total, 1e-300).reshape(-1, *[1] * (m.ndim - 1)), 0.0) for m in (q, t, moves))
    solved = np.linalg.inv(np.eye(n) - q)
    first, b = solved @ moves, solved @ t
    g, term = np.zeros(n), first
    for _ in range(20_000):
        g, term = g + term, b @ term
        if np.abs(term).max() < 1e-12:
            break
    return {"g_star": np.where(left, g, np.nan), "first": np.where(left, first, np.nan), "b": b, "left": left}

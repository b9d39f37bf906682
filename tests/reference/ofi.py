"""Order-flow imbalance (Cont, Kukanov, Stoikov 2014; analytics.md 4.2) of a sequence of books.

A book is four rows of `levels` numbers: bid prices, bid sizes, ask prices, ask sizes, best first. An absent level has size 0 and the price -inf or inf.
"""

import numpy as np

TENTH, SECOND = 100_000_000, 1_000_000_000


def padded(rows: list[tuple[float, float]], levels: int, absent: float) -> tuple[np.ndarray, np.ndarray]:
    """Prices and sizes of the best levels."""
    rows = [*rows, *[(absent, 0.0)] * levels][:levels]
    return np.array([px for px, _ in rows], dtype=float), np.array([qty for _, qty in rows], dtype=float)


def contributions(bid_px: np.ndarray, bid: np.ndarray, ask_px: np.ndarray, ask: np.ndarray) -> np.ndarray:
    """e of each change, by level: arrays of books by levels come in, one row less goes out."""
    return (
        (bid_px[1:] >= bid_px[:-1]) * bid[1:] - (bid_px[1:] <= bid_px[:-1]) * bid[:-1]
        - (ask_px[1:] <= ask_px[:-1]) * ask[1:] + (ask_px[1:] >= ask_px[:-1]) * ask[:-1]
    )  # fmt: skip


def window(at_ns: np.ndarray, books: tuple[np.ndarray, ...], window_s: int, now_ns: int) -> tuple[int, np.ndarray, np.ndarray]:
    """(changes, OFI, mean depth D) by level: of a second in steps of a tenth, of longer in steps of a second, with the one that is filling."""
    bid_px, bid, ask_px, ask = books
    step = TENTH if window_s == 1 else SECOND
    newest, steps = now_ns // step, window_s * SECOND // step
    index = np.asarray(at_ns)[1:] // step
    changed = np.any([np.any(part[1:] != part[:-1], axis=1) for part in books], axis=0)
    chosen = changed & (index > newest - steps) & (index <= newest)
    e, depth = contributions(bid_px, bid, ask_px, ask)[chosen], ((bid + ask) / 2)[1:][chosen]
    n = int(chosen.sum())
    return n, e.sum(axis=0), depth.mean(axis=0) if n else np.zeros(bid.shape[1])

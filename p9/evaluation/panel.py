"""Tracks on one time axis: arrays of one row an instrument and one column a step. Long holes are cut out; no return reaches over a cut."""

from collections.abc import Sequence

import numpy as np

from p9.evaluation.samples import SIGNALS, Track

LONGEST_HOLE_S = 10.0  # of all instruments together; a longer one is cut out


class Panel:
    """`at`: steps since 1970; `piece`: which uncut piece a column is of; `mid` and `strength[signal]`: not a number where it is not known."""

    def __init__(self, tracks: Sequence[Track], step_s: float):
        self.step_s = step_s
        self.names = [track.name for track in tracks]
        self.episodes = [track.episodes for track in tracks]
        seen = np.unique(np.concatenate([np.frombuffer(track.at, np.int64) for track in tracks if len(track.at)] or [np.empty(0, np.int64)]))
        cuts = np.flatnonzero(np.diff(seen) * step_s > LONGEST_HOLE_S) + 1
        pieces = [np.arange(part[0], part[-1] + 1) for part in np.split(seen, cuts) if len(part)]
        self.at = np.concatenate(pieces) if pieces else np.empty(0, np.int64)
        self.piece = np.repeat(np.arange(len(pieces)), [len(part) for part in pieces]).astype(np.int64)
        self.mid = np.full((len(tracks), len(self.at)), np.nan)
        self.strength = {name: np.full_like(self.mid, np.nan) for name in SIGNALS}
        for row, track in enumerate(tracks):
            place = np.searchsorted(self.at, np.frombuffer(track.at, np.int64))
            self.mid[row, place] = np.frombuffer(track.mid)
            for name in SIGNALS:
                self.strength[name][row, place] = np.frombuffer(track.strengths[name])
        self.mid[~(self.mid > 0)] = np.nan

    def only(self, row: int) -> "Panel":
        """The same of one instrument."""
        one = object.__new__(Panel)
        one.step_s, one.at, one.piece = self.step_s, self.at, self.piece
        one.names, one.episodes, one.mid = [self.names[row]], [self.episodes[row]], self.mid[row : row + 1]
        one.strength = {name: values[row : row + 1] for name, values in self.strength.items()}
        return one

    @property
    def symbol_hours(self) -> float:
        """How long a mid was known, over all instruments."""
        return float(np.isfinite(self.mid).sum()) * self.step_s / 3600.0

    def steps(self, horizon_s: float) -> int:
        return max(1, round(horizon_s / self.step_s))

    def returns(self, horizon_s: float) -> np.ndarray:
        """The logarithm of what the mid comes to over the next `horizon_s`; not a number where one end is not known or cut off."""
        ahead = self.steps(horizon_s)
        out = np.full_like(self.mid, np.nan)
        if ahead < len(self.at):
            whole = self.piece[ahead:] == self.piece[:-ahead]
            out[:, :-ahead] = np.where(whole, np.log(self.mid[:, ahead:]) - np.log(self.mid[:, :-ahead]), np.nan)
        return out

    def column(self, at_ns: int) -> int | None:
        """The first step at or after a time; None: it lies in what was cut out, or after the end."""
        step = -(-at_ns // round(self.step_s * 1e9))
        column = int(np.searchsorted(self.at, step))
        return column if column < len(self.at) and self.at[column] == step else None

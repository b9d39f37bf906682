"""What the subscribers of one depth stream hold: either the whole book's changes, or exactly the best N levels."""

from bisect import bisect_left

from p9.simulate.market import Market, Turn


class Changes:
    """Every level that changed since the last time, with its quantity now; 0 where it is gone."""

    def __init__(self, model: Market):
        self._model = model
        self._touched: tuple[set[int], set[int]] = (set(), set())
        self.first_id = self.last_id = 0
        self.at_ns = 0

    def note(self, turns: list[Turn]) -> None:
        if not self.first_id:
            self.first_id = turns[0].id
        bids, asks = self._touched
        for turn in turns:
            for side, tick in turn.touched:
                (asks if side else bids).add(tick)
        self.last_id, self.at_ns = turns[-1].id, turns[-1].at_ns

    def take(self) -> list[list[tuple[int, int]]] | None:
        """[bids, asks] as (tick, lots) in ascending order; None if there was no change."""
        if not self.first_id:
            return None
        levels = [
            [(tick, side.lots.get(tick, 0)) for tick in sorted(touched)]
            for side, touched in zip(self._model.sides, self._touched, strict=True)
        ]
        for touched in self._touched:
            touched.clear()
        self.first_id = 0
        return levels


class Window:
    """The best `depth` levels a side as they were last sent; `take` gives the difference to now and remembers it.

    A level that leaves the window is deleted and one that enters is sent, so that a client holds exactly the window.
    With `phantoms`, levels born and gone between two frames are deleted too (a venue does that)."""

    def __init__(self, model: Market, depth: int, phantoms: bool = False):
        self._model, self.depth, self._phantoms = model, depth, phantoms
        self._touched: tuple[set[int], set[int]] = (set(), set())
        self.sent: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._edge = [0, 0]
        self.last_id, self.at_ns = 0, 0
        self.refill()

    def refill(self) -> None:
        """Take the book as it is."""
        for number, side in enumerate(self._model.sides):
            self._touched[number].clear()
            self.sent[number].clear()
            self.sent[number].update(side.top(self.depth))
            self._edge[number] = self._rank_at_edge(side)
        self.last_id, self.at_ns = self._model.last_id, self._model.last_ns

    def note(self, turns: list[Turn]) -> None:
        bids, asks = self._touched
        for turn in turns:
            for side, tick in turn.touched:
                (asks if side else bids).add(tick)

    def levels(self, n: int | None = None) -> list[list[tuple[int, int]]]:
        """[bids, asks] best first, as last sent."""
        bids = sorted(self.sent[0].items(), reverse=True)
        asks = sorted(self.sent[1].items())
        return [bids[:n], asks[:n]]

    def take(self) -> list[list[tuple[int, int]]] | None:
        """[bids, asks] as (tick, lots), best first, lots 0 for a delete; None if the window did not change."""
        if not self._touched[0] and not self._touched[1]:
            return None
        found = [self._difference(0), self._difference(1)]
        if not found[0] and not found[1]:
            return None
        self.last_id, self.at_ns = self._model.last_id, self._model.last_ns
        return found

    def _rank_at_edge(self, side) -> int:
        ranks = side.ranks
        return ranks[-self.depth] if len(ranks) >= self.depth else -(1 << 62)

    def _difference(self, number: int) -> list[tuple[int, int]]:
        side, sent, touched = self._model.sides[number], self.sent[number], self._touched[number]
        sign, lots, ranks = side.sign, side.lots, side.ranks
        old, new = self._edge[number], self._rank_at_edge(side)
        found: dict[int, int] = {}
        for tick in touched:
            now = lots.get(tick, 0) if tick * sign >= new else 0
            if now != sent.get(tick, 0) or (now == 0 and self._phantoms and tick not in lots and tick * sign >= new):
                found[tick] = now
        if new > old:  # levels between the two edges fell out
            for rank in ranks[bisect_left(ranks, old) : bisect_left(ranks, new)]:
                if rank * sign in sent:
                    found[rank * sign] = 0
        elif new < old:  # or came in
            for rank in ranks[bisect_left(ranks, new) : bisect_left(ranks, old)]:
                if rank * sign not in sent:
                    found[rank * sign] = lots[rank * sign]
        for tick, now in found.items():
            if now:
                sent[tick] = now
            else:
                sent.pop(tick, None)
        touched.clear()
        self._edge[number] = new
        return sorted(found.items(), reverse=sign > 0)

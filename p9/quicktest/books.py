"""Every book against the simulator's, level by level, as far as each claims to know."""

from decimal import Decimal

from p9.quicktest.trial import Trial


async def check(trial: Trial) -> None:
    """While the simulator is frozen."""
    assert trial.simulator is not None
    n_books = n_levels = 0
    wrong: list[str] = []
    for name, capture in trial.appliance.captures.items():
        for ix, row in capture.instruments.items():
            truth = await trial.simulator.get(f"/oracle/{name}/{row.venue_symbol}")
            book = capture.pipeline.book(ix)
            n_books += 1
            for side in ("bids", "asks"):
                ours = [(Decimal(px), Decimal(qty)) for px, qty in book[side]]
                theirs = [(Decimal(level[0]), Decimal(level[1])) for level in truth[side]]
                edge = book["valid_bid" if side == "bids" else "valid_ask"]
                if edge is not None:
                    theirs = [level for level in theirs if (level[0] >= Decimal(edge) if side == "bids" else level[0] <= Decimal(edge))]
                elif not capture.market.sequence.rest_seeded:
                    theirs = theirs[: capture.depth]
                n_levels += len(theirs)
                if ours != theirs:
                    different = sum(a != b for a, b in zip(ours, theirs, strict=False)) + abs(len(ours) - len(theirs))
                    wrong.append(f"{name} {row.symbol} {side}: {different} of {len(theirs)} levels differ")
    trial.note("every book is the true book", not wrong and n_books > 0, "; ".join(wrong[:3]) or f"{n_books} books, {n_levels:,} levels")

"""Books that follow one another, as hypothesis invents them."""

from hypothesis import strategies as st

from tests.snapshots.books import MOST, Book, Rows, S

_quantities = st.one_of(st.integers(1, 50), st.sampled_from([100, 1000, 250_000]), st.integers(1, MOST))
_numbers = st.one_of(st.none(), st.integers(0, 10**6), st.integers(10**18, MOST - 1))


@st.composite
def sides(draw, before: Rows, *, bids: bool, touch: int, unit: int) -> Rows:
    """A side that has much in common with the one before, or nothing."""
    levels = dict(before) if draw(st.booleans()) else {}
    for place, amount in draw(st.lists(st.tuples(st.integers(0, 30), st.one_of(st.just(0), _quantities)), max_size=12)):
        price = touch + (-place if bids else place + 1) * unit
        if 0 < price < MOST:
            levels[price] = amount
    rows = sorted(((price, amount) for price, amount in levels.items() if amount), reverse=bids)
    return rows[: draw(st.integers(1, 40))]


@st.composite
def books(draw, before: Book | None, taken_ns: int) -> Book:
    touch = draw(st.sampled_from([1000, 1005, 123_456, 2**62]))
    unit = draw(st.sampled_from([1, 5, 100]))
    made = [draw(sides(getattr(before, name) if before else [], bids=name == "bids", touch=touch, unit=unit)) for name in ("bids", "asks")]
    scales = (before.px_scale, before.qty_scale) if before and draw(st.integers(0, 9)) else (draw(st.integers(0, 18)), draw(st.integers(0, 18)))
    if before and draw(st.booleans()):
        known = before[3:9]
    else:
        # an unknown window is written as 0 and as the greatest number
        known = (*(draw(_numbers) for _ in range(4)), draw(st.one_of(st.none(), st.integers(1, MOST))), draw(st.one_of(st.none(), st.integers(1, MOST - 1))))
    return Book(*made, taken_ns, *known, *scales)


@st.composite
def strips(draw, most: int = 30) -> list[tuple[str, int, Book | None]]:
    """Steps (what, turn, book): "shoot", "end" (the book is lost), "cut" (what was written did not arrive). Turns go on, skip some, or step back."""
    turn, book, steps = draw(st.integers(1_700_000_000, 1_700_000_100)), None, []
    for what in draw(st.lists(st.sampled_from(["shoot"] * 8 + ["end", "cut"]), min_size=1, max_size=most)):
        turn += draw(st.sampled_from([1] * 12 + [2, 5, 70, -3]))
        if what == "shoot":
            book = draw(books(book, turn * S))
        steps.append((what, turn, book if what == "shoot" else None))
    return steps

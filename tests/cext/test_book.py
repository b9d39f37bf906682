"""The book against a dict and a sort, on whatever hypothesis thinks of."""

import random

import pytest
from cext.book import Book
from cext.checksum import checksum
from hypothesis import given, settings
from hypothesis import strategies as st

FAR = 2**62
near = st.integers(9_000, 11_000)
price = st.one_of(near, st.integers(0, 50_000), st.sampled_from([0, 1, 4095, 4096, FAR, FAR + 1]))
quantity = st.one_of(st.just(0), st.integers(1, 10), st.just(2**62))
rows = st.lists(st.tuples(price, quantity), max_size=30)
step = st.one_of(
    st.tuples(st.just("apply"), rows, rows),
    st.tuples(st.just("load"), rows, rows),
    st.tuples(st.just("jump"), st.integers(-20_000, 20_000), st.integers(1, 400)),
    st.tuples(st.just("window"), price, price),
)


class Model:
    """A book as simple as can be."""

    def __init__(self):
        self.sides = ({}, {})
        self.window = (0, 2**63 - 1)

    def load(self, bids, asks):
        self.sides = ({}, {})
        self.window = (0, 2**63 - 1)
        for side, levels in zip(self.sides, (bids, asks), strict=True):
            for px, qty in reversed(levels):
                if qty:
                    side[px] = qty

    def apply(self, bids, asks):
        for n, levels in enumerate((bids, asks)):
            for px, qty in levels:
                if (px < self.window[0]) if n == 0 else (px > self.window[1]):
                    continue
                self.sides[n].pop(px, None)
                if qty:
                    self.sides[n][px] = qty

    def was(self, bids, asks):
        """What stands at each row when its turn comes; a row that is passed over changes nothing."""
        told = []
        for n, levels in enumerate((bids, asks)):
            side = dict(self.sides[n])
            for px, qty in levels:
                outside = (px < self.window[0]) if n == 0 else (px > self.window[1])
                told.append(qty if outside else side.get(px, 0))
                if not outside:
                    side[px] = qty
        return told

    def cut(self, low, high):
        self.window = (low, high)
        self.sides = ({px: q for px, q in self.sides[0].items() if px >= low}, {px: q for px, q in self.sides[1].items() if px <= high})

    def levels(self, side):
        return sorted(self.sides[side].items(), reverse=side == 0)


def same(book, model):
    for side in (0, 1):
        expected = model.levels(side)
        assert book.levels(side) == expected
        assert book.levels(side, 3) == expected[:3]
        for px, qty in expected[:5]:
            assert book.at(side, px) == qty
        assert book.at(side, 12_345_678) == 0
        for last in [px for px, _ in expected[:: len(expected) // 3 + 1]] + [0, FAR]:
            within = [(px, qty) for px, qty in expected if (px >= last if side == 0 else px <= last)]
            assert book.levels_to(side, last, 5) == within[:5]
            assert book.levels_to(side, last, len(expected)) == within


def known_to(model, side, n):
    """The price to which a side of at most `n` levels is known."""
    levels, window = model.levels(side), model.window[side]
    if len(levels) < n or n == 0:
        return window
    return max(window, levels[-1][0]) if side == 0 else min(window, levels[-1][0])


@settings(max_examples=300)
@given(st.integers(1, 50), st.lists(step, max_size=12))
def test_the_book_is_the_model_after_every_step(tick, steps):
    book, model = Book(tick), Model()
    book.keep_was()
    for kind, first, second in steps:
        version = book.version
        if kind == "apply":
            was = model.was(first, second)
            book.apply_rows(first, second)
            model.apply(first, second)
            assert book.before(len(was)) == was
        elif kind == "load":
            book.load_rows(first, second)
            model.load(first, second)
        elif kind == "window":
            book.window(first, second)
            model.cut(first, second)
        else:  # the market moves far enough, for long enough, that the ladders are laid anew
            for i in range(second):
                px = max(25_000 + first + i * tick, 1)
                changes = [(px, i + 1), (max(px - 40 * tick, 0), 0)]
                book.apply_rows(changes, [(px + 3 * tick, 5), (max(px - 37 * tick, 0), 0)])
                model.apply(changes, [(px + 3 * tick, 5), (max(px - 37 * tick, 0), 0)])
        same(book, model)
        assert book.version > version
        for side in (0, 1):
            for book.max_levels in (0, 1, len(model.levels(side)), len(model.levels(side)) + 1):
                assert book.known(side) == known_to(model, side, book.max_levels)


@settings(max_examples=100)
@given(st.integers(1, 20), st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 1000)), max_size=40), st.sampled_from([1, 10, 1000]))
def test_a_finer_scale_multiplies_everything(tick, levels, factor):
    book, model = Book(tick), Model()
    book.load_rows(levels, levels)
    model.load(levels, levels)
    assert book.scale_up(factor, 100)
    for side in (0, 1):
        assert book.levels(side) == [(px * factor, qty * 100) for px, qty in model.levels(side)]


def test_a_scale_that_does_not_fit_changes_nothing():
    book = Book(1)
    book.load_rows([(2**60, 7)], [(2**61, 1)])
    assert not book.scale_up(100, 1)
    assert book.levels(0) == [(2**60, 7)] and book.levels(1) == [(2**61, 1)]


def test_removing_what_is_not_there_is_counted_and_changes_nothing():
    book = Book(1)
    book.load_rows([(100, 1)], [(101, 1)])
    book.apply_rows([(99, 0), (5_000_000, 0)], [(102, 0)])
    assert book.n_removed_unknown == 3 and book.levels(0) == [(100, 1)]


def test_a_price_that_jumps_to_and_fro_lays_few_ladders():
    book = Book(1)
    book.load_rows([(100_000 - i, 1) for i in range(1000)], [(100_001 + i, 1) for i in range(1000)])
    for i in range(2000):
        touch = 100_000 + 5_000 * (i % 2)
        book.apply_rows([(touch, i % 2)], [])
    assert book.n_laid < 2 + 2 * 2000 // 64


def test_a_walking_price_keeps_its_levels_in_the_ladder():
    book, model = Book(1), Model()
    book.load_rows([(100_000 - i, 1) for i in range(500)], [(100_001 + i, 1) for i in range(500)])
    model.load([(100_000 - i, 1) for i in range(500)], [(100_001 + i, 1) for i in range(500)])
    for i in range(1, 9000):
        bids, asks = [(100_000 + i, 2), (99_500 + i, 0)], [(100_000 + i, 0), (100_500 + i, 3)]
        book.apply_rows(bids, asks)
        model.apply(bids, asks)
        if i % 500 == 0:
            same(book, model)
    assert 4 < book.n_laid < 40


@pytest.mark.parametrize("tick", [1, 7, 2**19, 2**19 + 1, 10**9])
def test_a_book_far_from_its_touch_churns_as_the_model_does(tick):
    """Levels come and go by thousands where no ladder is: dead places are made, taken again and given up."""
    rng = random.Random(tick)
    book, model = Book(tick), Model()
    middle = 10**6 * tick
    prices = ([middle - rng.randint(1, 10**6) * tick for _ in range(3000)], [middle + rng.randint(1, 10**6) * tick for _ in range(3000)])
    unknown = 0
    for step in range(500):
        share = 0.9 if step % 100 > 70 else 0.45  # now and then most of it goes
        changes = []
        for side, known in enumerate(prices):
            rows = [(rng.choice(known) + (rng.randrange(tick) if rng.random() < 0.1 else 0), 0 if rng.random() < share else step + 1) for _ in range(40)]
            for px, qty in rows:
                unknown += qty == 0 and px not in model.sides[side]
                model.sides[side].pop(px, None)
                model.sides[side].update({px: qty} if qty else {})
            changes.append(rows)
        book.apply_rows(*changes)
        assert book.n_removed_unknown == unknown
        if step % 25 == 24:
            same(book, model)
    assert len(model.sides[0]) > 1000
    for keep in (10, 7, 5):  # nearly all of them go: their places are given up
        gone = [[(px, 0) for i, px in enumerate(sorted(side)) if i % keep] for side in model.sides]
        back = [[(px, 5) for px, _ in rows[::2]] for rows in gone]
        for rows in (gone, back):
            book.apply_rows(*rows)
            model.apply(*rows)
            same(book, model)
    book.apply_rows(*gone)
    model.apply(*gone)
    assert book.scale_up(1, 1)  # takes as many levels as the book counts: the dead among them are counted right
    same(book, model)


@pytest.mark.parametrize("tick", [1, 10])
def test_a_book_that_stays_as_large_takes_no_more_memory_however_long_it_churns(tick):
    """The overflow grew whenever it was full, of dead places too: a book of a thousand levels took more from one quarter of an hour to the next."""
    draw = random.Random(7)
    book, model, most = Book(tick), Model(), 1000
    middle = 10_000_000 // tick * tick
    sides = [{middle - sign * tick * (1 + round(1.012**n + n)): 1 + n for n in range(most)} for sign in (1, -1)]
    images = [list(sides[0].items()), list(sides[1].items())]
    book.load_rows(*images)
    model.load(*images)
    at_first = book.room_bytes
    for turn in range(6000):
        n = turn & 1
        there = model.sides[n]
        changes = [(draw.choice(list(there)), 0)] if len(there) >= most else []
        away = round(1.012 ** draw.uniform(0, most) + draw.uniform(0, most))
        changes += [(middle + tick * (1 + away) * (1 if n else -1), draw.randint(1, 9))]
        rows = [changes, []] if n == 0 else [[], changes]
        book.apply_rows(*rows)
        model.apply(*rows)
    for n in (0, 1):
        assert book.levels(n) == sorted(model.sides[n].items(), reverse=n == 0)
        assert len(model.sides[n]) >= most - 1
    assert book.room_bytes == at_first


def test_checksums_of_the_venues_examples():
    def crc(bids, asks):
        book = Book(1)
        scaled = [[(round(float(px) * 10**4), round(float(qty) * 10**4)) for px, qty in side] for side in (bids, asks)]
        book.load_rows(*scaled)
        return checksum(book, 4, 4)

    assert crc([("3366.1", "7"), ("3366", "6")], [("3366.8", "9"), ("3368", "8")]) == -1881014294
    assert crc([("3366.1", "7")], [("3366.8", "9"), ("3368", "8"), ("3372", "8")]) == 831078360
    assert crc([("0.034", "1001"), ("0.0325", "505")], [("0.038", "1506")]) == -1328280565


def test_a_checksum_reads_25_levels_and_no_more():
    def of(n):
        book = Book(1)
        book.load_rows([(1000 - i, 1) for i in range(n)], [(1001 + i, 1) for i in range(n)])
        return checksum(book, 0, 0)

    assert of(25) == of(40) != of(24)

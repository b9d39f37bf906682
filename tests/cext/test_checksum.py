"""The checksum of a book's best levels, against zlib and the rule in words of Python."""

import random
import zlib

from cext.book import Book
from cext.checksum import checksum
from cext.decimal import write


def expected(bids, asks, px_scale, qty_scale):
    """Best bid, best ask, next bid, next ask … of 25 levels a side, price and quantity, joined by colons; a side that ends is passed over."""
    texts = []
    for i in range(25):
        for side in (bids, asks):
            texts += [write(side[i][0], px_scale), write(side[i][1], qty_scale)] if i < len(side) else []
    crc = zlib.crc32(":".join(texts).encode())
    return crc - 2**32 if crc >= 2**31 else crc


def test_any_book_sums_as_zlib_does():
    rng = random.Random("checksum")
    for _ in range(400):
        px_scale, qty_scale = rng.randint(0, 9), rng.randint(0, 9)
        n_bids, n_asks = (rng.choice((0, 1, 2, 3, 24, 25, 26, 60)) for _ in range(2))
        middle = rng.randrange(1_000, 10 ** rng.randint(4, 15))
        bids = [(middle - i, rng.randrange(1, 10 ** rng.randint(1, 18))) for i in range(min(n_bids, middle))]
        asks = [(middle + 1 + i, rng.randrange(1, 10 ** rng.randint(1, 18))) for i in range(n_asks)]
        book = Book(1)
        assert book.load_rows(bids, asks)
        assert checksum(book, px_scale, qty_scale) == expected(bids, asks, px_scale, qty_scale)

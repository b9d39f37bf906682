"""Samples over a window: the newest so many exact numbers with their times, in memory that is all there before the first one comes.

Lists that fill for a day are a day's growth of the process, and nobody can tell it from a leak. A number of up to 18 digits, or a time in ns, takes 17 bytes
here, with its time; a longer one is kept as the object that it is.
"""

from array import array
from collections.abc import Iterator
from decimal import Decimal

from p9.number import EXACT

LARGEST = 2**63 - 1


class Samples:
    """In the order of their coming: number 0 is the oldest. `most`: one more pushes out the oldest."""

    def __init__(self, most: int):
        self.most = most
        self._times = array("q", bytes(8 * most))
        self._wholes = array("q", bytes(8 * most))  # the digits and the sign …
        self._exponents = array("b", bytes(most))  # … and the power of ten
        self._long: dict[int, Decimal] = {}  # by place
        self._first = self._n = 0

    def __len__(self) -> int:
        return self._n

    def time(self, n: int) -> int:
        return self._times[self._place(n)]

    def value(self, n: int) -> Decimal:
        place = self._place(n)
        if self._long and place in self._long:
            return self._long[place]
        return Decimal(self._wholes[place]).scaleb(self._exponents[place], EXACT)

    def times(self) -> Iterator[int]:
        return map(self.time, range(self._n))

    def append(self, at_ns: int, value: Decimal) -> None:
        if self._n == self.most:
            self.drop(1)
        self._n += 1
        self._times[self._place(self._n - 1)] = at_ns
        self.amend(value)

    def amend(self, value: Decimal) -> None:
        """The newest sample has another value now."""
        place = self._place(self._n - 1)
        exponent = value.as_tuple().exponent
        whole = int(value.scaleb(-exponent, EXACT))
        if -LARGEST <= whole <= LARGEST and -128 <= exponent < 128:
            self._wholes[place], self._exponents[place] = whole, exponent
            self._long.pop(place, None)
        else:
            self._long[place] = value

    def drop(self, n: int) -> None:
        """The oldest `n` are forgotten."""
        if self._long:
            for each in range(n):
                self._long.pop(self._place(each), None)
        self._first = (self._first + n) % self.most
        self._n -= n

    def clear(self) -> None:
        self.drop(self._n)

    def _place(self, n: int) -> int:
        if not 0 <= n < self._n:
            raise IndexError(f"sample {n} of {self._n}")
        return (self._first + n) % self.most

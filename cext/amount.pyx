"""A number as a venue writes it, kept as text: for data that are not counted in ticks and lots (volatilities, greeks, premiums in coins)."""

from cpython.unicode cimport PyUnicode_AsUTF8AndSize

cdef enum:
    LONGEST = 40  # signs of a number; what is longer was written by nobody who knew it

ANY, UNSIGNED, POSITIVE = 0, 1, 2


cpdef amount(text, int wanted=0):
    """Decimal text without needless zeros. None for what is empty, and for what is not `wanted`: UNSIGNED is 0 and more, POSITIVE more than 0.

    Raises ValueError for what is no plain decimal number.
    """
    cdef Py_ssize_t size = 0
    cdef Py_ssize_t i, begin, point, end
    cdef const char* at
    cdef bint negative, zero
    if text is None:
        return None
    if type(text) is not str:
        raise ValueError(f"{text!r:.60} is no text")
    at = PyUnicode_AsUTF8AndSize(text, &size)
    if size == 0:
        return None
    negative = at[0] == c"-"
    begin = i = 1 if negative else 0
    while i < size and c"0" <= at[i] <= c"9":
        i += 1
    point = i
    if i < size and at[i] == c".":
        i += 1
        while i < size and c"0" <= at[i] <= c"9":
            i += 1
    if i < size or point == begin or i == point + 1 or size > LONGEST:
        raise ValueError(f"{text!r:.60} is no plain decimal number")
    while begin + 1 < point and at[begin] == c"0":
        begin += 1
    end = size
    if point < size:
        while at[end - 1] == c"0":
            end -= 1
        if end == point + 1:
            end = point
    zero = end == begin + 1 and at[begin] == c"0"
    if (wanted == 1 and negative and not zero) or (wanted == 2 and (negative or zero)):
        return None
    if zero:
        return "0"
    if end == size and begin == (1 if negative else 0):
        return text
    return f"-{text[begin:end]}" if negative else text[begin:end]


def amounts(tuple texts not None, tuple wanted not None):
    """The same of each of `texts`, as a list, and how many of them are no numbers: these are None."""
    cdef list found = []
    cdef Py_ssize_t i
    cdef Py_ssize_t n = len(texts)
    cdef int ill = 0
    if len(wanted) != n:
        raise ValueError(f"{n} texts, {len(wanted)} wishes")
    for i in range(n):
        try:
            found.append(amount(texts[i], wanted[i]))
        except ValueError:
            found.append(None)
            ill += 1
    return found, ill

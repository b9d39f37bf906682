"""Hostile variants of good frames. Half of them are still JSON: there the decoder must agree with a slow reading, not only survive.

What is changed is changed in the text: numbers keep the venue's own spelling, and nothing is ever parsed and written anew.
"""

import re
from random import Random

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
QUOTED = re.compile(rb'"[^"\\]*"')
SIGN = re.compile(rb'[{}\[\],]|"(?:[^"\\]|\\.)*"', re.DOTALL)
BYTES = b'{}[]",:\\\x00\x1f\x7f\xc3\xff 0123456789+-.eEntfu\n'
NUMBERS = [
    b"0", b"-0", b"1", b"-1", b"00", b"01", b"1.", b".5", b"0.0", b"-", b".", b"", b"1e5", b"1E-5", b"1e", b"1e+", b"1e999", b"1e-999", b"0e999", b"+1", b"0x10",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"18446744073709551616", b"999999999999999999", b"1000000000000000000",
    b"9223372036854", b"9223372036855", b"9223372036854775", b"9223372036854776", b"1000000000000000", b"999999999999999", b"65536", b"2147483647",
    b"-2147483648", b"2147483648", b"4294967296", b"0.00000001", b"0.0000000000000000001", b"92233720368547758.07", b"92233720368547758.08", b"1 ", b" 1", b"1_0",
    b"NaN", b"Infinity", b"-Infinity", b"1.1.1", b"1-1", b"\xd9\xa1", b"0" * 390 + b"1", b"0" * 401, b"1" + b"0" * 60, b"0." + b"0" * 60 + b"1", b"1." + b"0" * 60,
]  # fmt: skip
VALUES = [
    b"null", b"true", b"false", b'""', b"{}", b"[]", b"[[]]", b'"null"', b'"true"', b'"\\"', b'"\\u0041"', b'"\\ud83d\\ude00"', b'"\\ud800"', b'"\\x"', b'"\xff"',
    b"tru", b"nul", b"[" * 63 + b"]" * 63, b"[" * 64 + b"]" * 64, b"[" * 65 + b"]" * 65, b'{"a":' * 40 + b"1" + b"}" * 40, b"[" * 500, b'{"":' * 80, b"0", b"-1",
    b'["1","2"]', b'[["1","2"]]', b'[["0","0"]]', b'[["1"]]', b'[[1,2,3,{"x":[]}]]', b'"' + b"x" * 70 + b'"', b'"\\u004' + b"2" * 40 + b'"',
]  # fmt: skip


class Shape:
    """Where the containers of a JSON text stand, and in them their members (an object's with their keys)."""

    def __init__(self, text: bytes):
        self.text = text
        self.containers: list[tuple[int, int, list[tuple[int, int]]]] = []  # start, end, members' (start, end)
        open_: list[tuple[int, list[tuple[int, int]], int]] = []
        start = 0
        for sign in SIGN.finditer(text):
            what, at = text[sign.start()], sign.start()
            if what in b"{[":
                open_.append((at, [], start))
                start = at + 1
            elif what in b"}]" and open_:
                opened, members, before = open_.pop()
                if text[start:at].strip():
                    members.append((start, at))
                if members:
                    self.containers.append((opened, at + 1, members))
                start = before
            elif what == 44 and open_:
                open_[-1][1].append((start, at))
                start = at + 1


class Mutator:
    """Endless variants of `seeds`. `words` are texts that mean something to the reader: names, topics, keys (without quotes)."""

    def __init__(self, random: Random, seeds: list[bytes], words: list[bytes] = ()):
        self.random = random
        self.shapes = [Shape(seed) for seed in seeds]
        self.structured = [shape for shape in self.shapes if shape.containers]
        found = {quoted[1:-1] for seed in seeds for quoted in QUOTED.findall(seed[:4096]) if not NUMBER.fullmatch(quoted[1:-1])}
        self.words = sorted(found | set(words)) or [b"x"]
        self._text, self._again = b"", 0
        self._in_text = (self._number, self._number, self._number, self._word)
        self._in_bytes = (self._flip, self._poke, self._cut_out, self._truncate, self._repeat, self._insert, self._splice, self._swap_halves)
        self._in_structure = (self._drop, self._double, self._move, self._transplant, self._replace, self._wrap, self._many)

    def __call__(self) -> bytes:
        """One more variant. A costly change of structure is followed by some cheap changes of its result."""
        random = self.random
        if self._again:
            self._again -= 1
            kind = random.random()
            return self.pick(self._in_text if kind < 0.6 else self._in_bytes)(self._text)
        kind = random.random()
        self._again = int(4 * random.random())
        if kind < 0.75 and self.structured:
            shape = self.pick(self.structured)
            text = self.pick(self._in_structure)(shape)
            while len(text) < 1500 and random.random() < 0.25:
                shape = Shape(text)
                if not shape.containers:
                    break
                text = self.pick(self._in_structure)(shape)
        else:
            text = self.pick(self.shapes).text
            while True:
                text = self.pick(self._in_text if kind < 0.9 else self._in_bytes)(text)
                if random.random() > 0.3:
                    break
        self._text = text
        return text

    def variant(self, text: bytes) -> bytes:
        """A variant of this very text."""
        kind = self.random.random()
        if kind < 0.4:
            shape = Shape(text)
            if shape.containers:
                return self.pick(self._in_structure)(shape)
        return self.pick(self._in_text if kind < 0.75 else self._in_bytes)(text)

    def bytewise(self, text: bytes) -> bytes:
        """A variant of this text, whatever it is."""
        while True:
            text = self.pick(self._in_bytes if self.random.random() < 0.7 else self._in_text)(text)
            if self.random.random() > 0.3:
                return text

    def pick(self, row):
        return row[int(self.random.random() * len(row))]

    def place(self, text: bytes) -> int:
        """Any place in the text, its end among them."""
        return int(self.random.random() * (len(text) + 1))

    # ---- numbers and words

    def _number(self, text: bytes) -> bytes:
        found = NUMBER.search(text, self.place(text)) or NUMBER.search(text)
        if found is None:
            return text
        return text[: found.start()] + self.number(found[0]) + text[found.end() :]

    def number(self, old: bytes) -> bytes:
        random = self.random
        kind = random.randrange(9)
        if kind == 0:
            return self.pick(NUMBERS)
        if kind == 1:
            return old + b"0" * self.pick((1, 2, 9, 18, 40)) if b"." in old else old + b".0"
        if kind == 2:
            return b"0" * self.pick((1, 2, 18, 40)) + old
        if kind == 3:
            return old + self.pick((b"e0", b"e1", b"e-1", b"E+2", b"e18", b"e-18", b"e400", b"e0001"))
        if kind == 4:
            return b"-" + old
        if kind == 5:
            at = random.randrange(len(old) + 1)
            return old[:at] + self.pick((b".", b"9", b"0", b"99999999999", b"x", b" ")) + old[at:]
        if kind == 6:
            at = random.randrange(len(old))
            return old[:at] + b"%d" % random.randrange(10) + old[at + 1 :]
        if kind == 7:
            return b"%d" % (random.getrandbits(self.pick((8, 31, 32, 53, 63, 64, 66))))
        return b"%d" % (int(old.partition(b".")[0][:30] or b"0") + self.pick((-1, 1, 2)))

    def _word(self, text: bytes) -> bytes:
        random = self.random
        found = QUOTED.search(text, self.place(text)) or QUOTED.search(text)
        if found is None:
            return text
        word, kind = found[0][1:-1], random.randrange(5)
        if kind == 0 and word:  # the same name, written otherwise
            at = random.randrange(len(word))
            word = word[:at] + b"\\u%04x" % word[at] + word[at + 1 :]
        elif kind == 1 and word:
            at = random.randrange(len(word))
            word = word[:at] + bytes((self.pick(BYTES),)) + word[at + random.randrange(2) :]
        elif kind == 2:
            word = self.number(word) if NUMBER.fullmatch(word) else word + self.pick(self.words)
        else:
            word = self.pick(self.words)
        return text[: found.start() + 1] + word + text[found.end() - 1 :]

    # ---- members of objects and arrays

    def _container(self, shape: Shape) -> tuple[int, int, list[bytes]]:
        start, end, members = self.pick(shape.containers)
        return start, end, [shape.text[a:b] for a, b in members]

    def _written(self, shape: Shape, start: int, end: int, members: list[bytes]) -> bytes:
        text = shape.text
        return text[: start + 1] + b",".join(members) + text[end - 1 :]

    def _drop(self, shape: Shape) -> bytes:
        start, end, members = self._container(shape)
        del members[self.random.randrange(len(members))]
        return self._written(shape, start, end, members)

    def _double(self, shape: Shape) -> bytes:
        start, end, members = self._container(shape)
        members.insert(self.random.randrange(len(members) + 1), self.pick(members))
        return self._written(shape, start, end, members)

    def _move(self, shape: Shape) -> bytes:
        start, end, members = self._container(shape)
        if self.random.random() < 0.5:
            self.random.shuffle(members)
        else:
            members.insert(self.random.randrange(len(members)), members.pop(self.random.randrange(len(members))))
        return self._written(shape, start, end, members)

    def _transplant(self, shape: Shape) -> bytes:
        """A member of another frame, put in or put in the place of one."""
        start, end, members = self._container(shape)
        other = self.pick(self.structured)
        theirs = self.pick(other.containers)
        if other.text[theirs[0]] != shape.text[start]:
            theirs = self.pick(other.containers)
        at = self.random.randrange(len(members))
        a, b = self.pick(theirs[2])
        members[at : at + self.random.randrange(2)] = [other.text[a:b]]
        return self._written(shape, start, end, members)

    def _replace(self, shape: Shape) -> bytes:
        """Another value for a member: a value of any kind, a number, a word, a value of another frame."""
        random = self.random
        start, end, members = self._container(shape)
        at = random.randrange(len(members))
        kind = random.randrange(4)
        if kind == 0:
            value = self.pick(VALUES)
        elif kind == 1:
            value = self.pick(NUMBERS)
            if random.random() < 0.7:
                value = b'"' + value + b'"'
        elif kind == 2:
            value = b'"' + self.pick(self.words) + b'"'
        else:
            other = self.pick(self.structured)
            a, b = self.pick(self.pick(other.containers)[2])
            value = other.text[a:b]
            value = value[self._value_at(value) :]
        members[at] = members[at][: self._value_at(members[at])] + value
        return self._written(shape, start, end, members)

    def _wrap(self, shape: Shape) -> bytes:
        start, end, members = self._container(shape)
        at = self.random.randrange(len(members))
        cut = self._value_at(members[at])
        key, value = members[at][:cut], members[at][cut:]
        before, after = self.pick(((b"[", b"]"), (b'"', b'"'), (b'{"x":', b"}"), (b" \t\r\n", b" \n"), (b"[" * 70, b"]" * 70)))
        members[at] = key + before + value + after
        return self._written(shape, start, end, members)

    def _many(self, shape: Shape) -> bytes:
        """A member many times."""
        start, end, members = self._container(shape)
        at = self.random.randrange(len(members))
        n = self.pick((2, 3, 70, 500))
        members[at : at + 1] = [members[at]] * min(n, 20000 // (len(members[at]) + 1) + 1)
        return self._written(shape, start, end, members)

    def _value_at(self, member: bytes) -> int:
        """Where a member's value begins: behind its key, if it has one."""
        key = re.match(rb'\s*"(?:[^"\\]|\\.)*"\s*:', member)
        return key.end() if key else 0

    # ---- bytes

    def _flip(self, text: bytes) -> bytes:
        if not text:
            return b"\x00"
        at = self.random.randrange(len(text))
        return text[:at] + bytes((text[at] ^ (1 << self.random.randrange(8)),)) + text[at + 1 :]

    def _poke(self, text: bytes) -> bytes:
        at = self.place(text)
        return text[:at] + bytes((self.pick(BYTES),)) + text[at + 1 :]

    def _cut_out(self, text: bytes) -> bytes:
        at = self.place(text)
        return text[:at] + text[at + self.pick((1, 1, 2, 5, 30)) :]

    def _truncate(self, text: bytes) -> bytes:
        return text[: self.place(text)]

    def _repeat(self, text: bytes) -> bytes:
        at = self.place(text)
        part = text[at : at + self.pick((1, 3, 20, 200))]
        return text[:at] + part * self.pick((2, 3, 80)) + text[at + len(part) :]

    def _insert(self, text: bytes) -> bytes:
        at = self.place(text)
        return text[:at] + self.pick((self.pick(VALUES), self.pick(NUMBERS), bytes((self.pick(BYTES),)))) + text[at:]

    def _splice(self, text: bytes) -> bytes:
        other = self.pick(self.shapes).text
        return text[: self.place(text)] + other[self.random.randrange(len(other) + 1) :]

    def _swap_halves(self, text: bytes) -> bytes:
        at = self.place(text)
        return text[at:] + text[:at]

"""Targets with a known end: what the fuzzer must notice, for its own test."""

import ctypes

from tests.fuzz.target import Finding, Row, Target


class Doomed(Target):
    """Every input is harmless but those with the word in them."""

    WORD = b"boom"

    def make(self) -> bytes:
        noise = self.random.randbytes(self.random.randrange(30))
        return noise + self.WORD + noise if self.random.random() < 0.04 else noise

    def check(self, given: bytes) -> int:
        if self.WORD in given:
            self.end()
        return 1

    def end(self) -> None:
        raise Finding("as expected", "boom")


class Dying(Doomed):
    def end(self) -> None:
        ctypes.string_at(0)


class Raising(Doomed):
    def end(self) -> None:
        raise KeyError("not typed")


TARGETS = {"finding": Row(Doomed, 1), "dying": Row(Dying, 1), "raising": Row(Raising, 1)}

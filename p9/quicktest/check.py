"""One line of the table that a quick test ends with."""

import msgspec


class Check(msgspec.Struct, frozen=True):
    name: str
    passed: bool
    figure: str

"""What configuration is made of: sections, durations, sizes, and what is said of a key."""

import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

_UNITS_S = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNITS_B = {"B": 1, "kB": 1 << 10, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


class Seconds(float):
    """A duration in seconds; in the file "500ms", "1s", "5m", "24h"."""

    def __new__(cls, value: Any) -> "Seconds":
        if isinstance(value, float):
            return super().__new__(cls, value)
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f"found {value!r}, allowed is a duration with its unit such as 500ms, 1s, 5m, 24h")
        return super().__new__(cls, float(match[1]) * _UNITS_S[match[2]])

    def __str__(self) -> str:
        for unit in ("d", "h", "m", "s"):
            if self >= _UNITS_S[unit] and self % _UNITS_S[unit] == 0 and (unit != "d" or self > 86400):
                return f"{int(self / _UNITS_S[unit])}{unit}"
        return f"{float(self) * 1000:g}ms"


class Bytes(int):
    """A size in bytes; in the file "64kB", "16MB", "2GB"."""

    def __new__(cls, value: Any) -> "Bytes":
        if isinstance(value, int) and not isinstance(value, bool):
            return super().__new__(cls, value)
        match = re.fullmatch(r"(\d+)\s*(B|kB|KB|MB|GB)", value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f"found {value!r}, allowed is a size with its unit such as 64kB, 16MB, 2GB")
        return super().__new__(cls, int(match[1]) * _UNITS_B[match[2]])

    def __str__(self) -> str:
        for unit in ("GB", "MB", "kB"):
            if self >= _UNITS_B[unit] and self % _UNITS_B[unit] == 0:
                return f"{int(self) // _UNITS_B[unit]}{unit}"
        return f"{int(self)}B"


def text(description: str) -> msgspec.Meta:
    return msgspec.Meta(description=description)


def between(low: float | None, high: float | None, description: str) -> msgspec.Meta:
    return msgspec.Meta(ge=low, le=high, description=description)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=False):
    """What every section of the file is."""

    _bounds = {}  # {field: (least, most)} for durations and sizes
    _rising = ()  # (field, one that is not less)

    def __post_init__(self) -> None:
        for field, (least, most) in self._bounds.items():
            value = getattr(self, field)
            if not least <= value <= most:
                raise ValueError(f"{field}: found {value}, allowed is {type(value)(least)} to {type(value)(most)}")
        for less, more in self._rising:
            if getattr(self, less) > getattr(self, more):
                raise ValueError(f"{more}: found {getattr(self, more)}, allowed is {less} ({getattr(self, less)}) or more")


def fill(kind: type[T], section: Section, **more: Any) -> T:
    """What a part is told of its section: the field `x_s` is the key `x`, any other field the key of its name; `more` are fields that have no key here."""
    keys = {field: field.removesuffix("_s") for field in kind.__struct_fields__ if field not in more}
    found = {field: getattr(section, key) for field, key in keys.items() if key in section.__struct_fields__}
    return kind(**{field: float(value) if isinstance(value, Seconds) else value for field, value in found.items()}, **more)

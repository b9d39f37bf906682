"""What differs between two configurations, key by key."""

from typing import Any

import msgspec

from p9.config.section import Section


class Change(msgspec.Struct, frozen=True):
    """`path` as in the file: redis.url."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path}: {_shown(self.before)} -> {_shown(self.after)}"


def _shown(value: Any) -> str:
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, tuple) else str(value)


def changes(before: Section, after: Section, path: str = "") -> list[Change]:
    """Every key that has another value, in the order of the file."""
    found = []
    for name in before.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        where = f"{path}.{name}" if path else name
        if isinstance(old, Section):
            found += changes(old, new, where)
        elif old != new:
            found.append(Change(where, old, new))
    return found

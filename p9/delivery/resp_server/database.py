"""Keys, their values, their expiry and what they cost. Knows no client and no socket."""

import heapq
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from p9.delivery.resp_server.command import WRONG_TYPE, CommandError
from p9.delivery.resp_server.sorted_set import SortedSet
from p9.delivery.resp_server.stream import Stream

# What CPython spends around the payload, in bytes: object header, table slots, the allocator's rounding.
KEY_COST = 150
STRING_COST = 48
FIELD_COST = 160
MEMBER_COST = 100
EXPIRY_COST = 150


class Hash:
    """field -> value"""

    kind = "hash"

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        self.n_bytes = 350  # the empty object
        self.counted = 0  # what the database has entered in its books: n_bytes at the last commit

    def __len__(self) -> int:
        return len(self.fields)

    def set(self, field: bytes, value: bytes) -> bool:
        """True when the field is new."""
        old = self.fields.get(field)
        self.fields[field] = value
        self.n_bytes += len(value) - len(old) if old is not None else FIELD_COST + len(field) + len(value)
        return old is None

    def remove(self, field: bytes) -> bool:
        old = self.fields.pop(field, None)
        if old is not None:
            self.n_bytes -= FIELD_COST + len(field) + len(old)
        return old is not None


class List:
    kind = "list"

    def __init__(self) -> None:
        self.items: deque[bytes] = deque()
        self.n_bytes, self.counted = 800, 0

    def __len__(self) -> int:
        return len(self.items)

    def push(self, value: bytes, *, left: bool) -> None:
        (self.items.appendleft if left else self.items.append)(value)
        self.n_bytes += STRING_COST + len(value)

    def pop(self, *, left: bool) -> bytes:
        value = self.items.popleft() if left else self.items.pop()
        self.n_bytes -= STRING_COST + len(value)
        return value


class Set:
    kind = "set"

    def __init__(self) -> None:
        self.members: dict[bytes, None] = {}  # a dict keeps the order of arrival: answers repeat
        self.n_bytes, self.counted = 350, 0

    def __len__(self) -> int:
        return len(self.members)

    def add(self, member: bytes) -> bool:
        if member in self.members:
            return False
        self.members[member] = None
        self.n_bytes += MEMBER_COST + len(member)
        return True

    def remove(self, member: bytes) -> bool:
        if member not in self.members:
            return False
        del self.members[member]
        self.n_bytes -= MEMBER_COST + len(member)
        return True


Container = Hash | List | Set | SortedSet | Stream
Value = bytes | Container
C = TypeVar("C", Hash, List, Set, SortedSet, Stream)


class Memory:
    """What all databases hold, and the bound. limit_bytes 0 = none; base_bytes: what the process takes with no key in it."""

    def __init__(self, limit_bytes: int, base_bytes: int = 0) -> None:
        self.used_bytes = base_bytes
        self.peak_bytes = 0
        self.limit_bytes = limit_bytes

    def full(self) -> bool:
        if self.used_bytes > self.peak_bytes:
            self.peak_bytes = self.used_bytes
        return 0 < self.limit_bytes < self.used_bytes


def value_bytes(value: Value) -> int:
    return STRING_COST + len(value) if isinstance(value, bytes) else value.counted


class Database:
    def __init__(self, index: int, memory: Memory, now_ms: Callable[[], int]) -> None:
        self.index = index
        self.values: dict[bytes, Value] = {}
        self.watched: dict[bytes, set] = {}  # key -> sessions whose EXEC must fail if it changes
        self.n_expired = 0
        self._memory = memory
        self._now_ms = now_ms
        self._expires: dict[bytes, int] = {}  # key -> ms since 1970
        self._due: list[tuple[int, bytes]] = []  # heap over _expires; stale pairs are passed over

    # --- reading

    def find(self, key: bytes) -> Value | None:
        if key in self._expires and self._expires[key] <= self._now_ms():
            self.drop(key)
            self.n_expired += 1
        return self.values.get(key)

    def typed(self, key: bytes, kind: type[C]) -> C | None:
        """The container at key, or None. Raises CommandError WRONGTYPE."""
        value = self.find(key)
        if value is not None and type(value) is not kind:
            raise CommandError(WRONG_TYPE)
        return value

    def string(self, key: bytes) -> bytes | None:
        value = self.find(key)
        if value is not None and type(value) is not bytes:
            raise CommandError(WRONG_TYPE)
        return value

    def live_keys(self) -> list[bytes]:
        if self._expires:
            self.expire_due(len(self._expires))
        return list(self.values)

    # --- writing

    def open(self, key: bytes, kind: type[C]) -> C:
        """The container at key, or a new one that commit() will enter. Raises CommandError WRONGTYPE."""
        return self.typed(key, kind) or kind()

    def commit(self, key: bytes, value: Container) -> None:
        """After a change of a container: count it, enter or drop it, tell the watchers.

        An emptied stream stays, as in Redis: its last id still refuses what is older.
        """
        if not len(value) and not isinstance(value, Stream):
            if key in self.values:
                self.drop(key)
            return
        if key not in self.values:
            self.values[key] = value
            self._memory.used_bytes += KEY_COST + len(key)
        self._memory.used_bytes += value.n_bytes - value.counted
        value.counted = value.n_bytes
        if self.watched:
            self.touch(key)

    def put(self, key: bytes, value: bytes, *, keep_expiry: bool = False) -> None:
        old = self.values.get(key)
        if old is None:
            self._memory.used_bytes += KEY_COST + len(key)
        else:
            self._memory.used_bytes -= value_bytes(old)
            if not keep_expiry and key in self._expires:
                self.persist(key)
        self.values[key] = value
        self._memory.used_bytes += STRING_COST + len(value)
        if self.watched:
            self.touch(key)

    def drop(self, key: bytes) -> None:
        """key must be there."""
        value = self.values.pop(key)
        self._memory.used_bytes -= KEY_COST + len(key) + value_bytes(value)
        self.persist(key)
        if self.watched:
            self.touch(key)

    def clear(self) -> None:
        for key in list(self.values):
            self.drop(key)
        self._due.clear()

    def touch(self, key: bytes) -> None:
        for session in self.watched.get(key, ()):
            session.transaction_stale = True

    # --- expiry

    def expires_at(self, key: bytes) -> int | None:
        return self._expires.get(key)

    def expire(self, key: bytes, at_ms: int) -> None:
        """key must be there."""
        if key not in self._expires:
            self._memory.used_bytes += EXPIRY_COST
        self._expires[key] = at_ms
        heapq.heappush(self._due, (at_ms, key))
        if len(self._due) > 2 * len(self._expires) + 1000:  # keys that are set again and again leave stale pairs
            self._due = [(at, k) for k, at in self._expires.items()]
            heapq.heapify(self._due)
        if self.watched:
            self.touch(key)

    def persist(self, key: bytes) -> bool:
        if self._expires.pop(key, None) is None:
            return False
        self._memory.used_bytes -= EXPIRY_COST
        return True

    def n_expiring(self) -> int:
        return len(self._expires)

    def expire_due(self, at_most: int) -> None:
        """Drop keys whose time has come, so that what nobody reads again does not stay."""
        now = self._now_ms()
        while self._due and self._due[0][0] <= now and at_most > 0:
            at, key = heapq.heappop(self._due)
            if self._expires.get(key) == at:
                self.drop(key)
                self.n_expired += 1
                at_most -= 1

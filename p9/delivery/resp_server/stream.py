"""One Redis stream: entries in the order of their ids. An id `ms-seq` is held as the integer ms << 64 | seq.

Source: https://redis.io/docs/latest/develop/data-types/streams/
"""

from bisect import bisect_left, bisect_right

from p9.delivery.resp_server.command import CommandError, parse_int

MAX_PART = (1 << 64) - 1
MAX_ID = MAX_PART << 64 | MAX_PART
NODE_ENTRIES = 100  # what Redis drops at a time when a trim is approximate (stream-node-max-entries)
ENTRY_COST = 140
BAD_ID = "ERR Invalid stream ID specified as stream command argument"
TOO_SMALL = "ERR The ID specified in XADD is equal or smaller than the target stream top item"


def id_text(ident: int) -> bytes:
    return b"%d-%d" % (ident >> 64, ident & MAX_PART)


def parse_id(text: bytes, missing_seq: int = 0) -> int:
    """`ms-seq`, or `ms` with the sequence number given here. Raises CommandError."""
    ms, dash, seq = text.partition(b"-")
    return _part(ms) << 64 | (_part(seq) if dash else missing_seq)


def parse_new_id(text: bytes) -> tuple[int | None, int | None]:
    """XADD's `*`, `ms-*`, `ms` or `ms-seq` as (ms, seq), None for what the stream shall choose. Raises CommandError."""
    if text == b"*":
        return None, None
    ms, dash, seq = text.partition(b"-")
    if seq == b"*":
        return _part(ms), None
    wanted = _part(ms), _part(seq) if dash else 0
    if wanted == (0, 0):
        raise CommandError("ERR The ID specified in XADD must be greater than 0-0")
    return wanted


def _part(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20 or (value := int(text)) > MAX_PART:
        raise CommandError(BAD_ID)
    return value


class Stream:
    """ids and entries run side by side; what lies before `_first` is trimmed and waits for the next clean-up."""

    kind = "stream"

    def __init__(self) -> None:
        self.last_id = 0
        self.max_deleted_id = 0
        self.n_added = 0
        self.n_bytes, self.counted = 400, 0
        self._ids: list[int] = []
        self._entries: list[bytes | None] = []  # each entry as it is sent: [id, [field, value, …]]
        self._first = 0

    def __len__(self) -> int:
        return len(self._ids) - self._first

    def first_id(self) -> int:
        return self._ids[self._first] if len(self) else 0

    def next_id(self, wanted: tuple[int | None, int | None], now_ms: int) -> int:
        """The id that parse_new_id()'s answer asks for. Raises CommandError when it would not rise."""
        if self.last_id >= MAX_ID:
            raise CommandError("ERR The stream has exhausted the last possible ID, unable to add more items")
        ms, seq = wanted
        if ms is None:
            return max(now_ms << 64, self.last_id + 1)
        if seq is None:
            last_ms, last_seq = self.last_id >> 64, self.last_id & MAX_PART
            if ms < last_ms or (ms == last_ms and last_seq == MAX_PART):
                raise CommandError(TOO_SMALL)
            return ms << 64 | (last_seq + 1 if ms == last_ms else 0)
        ident = ms << 64 | seq
        if ident <= self.last_id:
            raise CommandError(TOO_SMALL)
        return ident

    def add(self, ident: int, fields: list[bytes]) -> bytes:
        """Append; ident comes from next_id(). The id's text."""
        text = b"%d-%d" % (ident >> 64, ident & MAX_PART)
        head = b"*2\r\n$%d\r\n%b\r\n*%d\r\n" % (len(text), text, len(fields))
        entry = head + b"".join([b"$%d\r\n%b\r\n" % (len(f), f) for f in fields])
        self._ids.append(ident)
        self._entries.append(entry)
        self.last_id = ident
        self.n_added += 1
        self.n_bytes += ENTRY_COST + len(entry)
        return text

    def between(self, low: int, high: int, count: int | None = None, *, newest_first: bool = False) -> list[bytes]:
        """Encoded entries with low <= id <= high."""
        first = bisect_left(self._ids, low, self._first)
        last = bisect_right(self._ids, high, self._first)
        if newest_first:
            if count is not None:
                first = max(first, last - count)
            return self._entries[first:last][::-1]
        if count is not None:
            last = min(last, first + count)
        return self._entries[first:last]

    def delete(self, ident: int) -> bool:
        at = bisect_left(self._ids, ident, self._first)
        if at == len(self._ids) or self._ids[at] != ident:
            return False
        self.n_bytes -= ENTRY_COST + len(self._entries[at])
        del self._ids[at], self._entries[at]
        self.max_deleted_id = max(self.max_deleted_id, ident)
        return True

    def trim(self, spec: "Trim") -> int:
        """How many entries went."""
        n = len(self) - spec.max_len if spec.max_len is not None else self._n_before(spec.min_id)
        if n <= 0:
            return 0
        if spec.approximate:
            if n < len(self):
                n -= n % NODE_ENTRIES  # whole nodes only
            if spec.limit:
                n = min(n, spec.limit)
        end = self._first + n
        for at in range(self._first, end):
            self.n_bytes -= ENTRY_COST + len(self._entries[at])
            self._entries[at] = None  # the ids stay until the clean-up: bisect needs them in order
        self._first = end
        if end > 512 and end > len(self._ids) // 2:
            del self._ids[:end], self._entries[:end]
            self._first = 0
        return n

    def _n_before(self, ident: int) -> int:
        return bisect_left(self._ids, ident, self._first) - self._first


class Trim:
    """MAXLEN|MINID [=|~] threshold [LIMIT count], as XADD and XTRIM write it."""

    __slots__ = ("approximate", "limit", "max_len", "min_id")

    def __init__(self) -> None:
        self.max_len: int | None = None
        self.min_id = 0
        self.approximate = False
        self.limit = 100 * NODE_ENTRIES  # Redis' own bound on the work of one approximate trim; 0 = none

    @classmethod
    def parse(cls, args: list[bytes], at: int) -> tuple["Trim", int]:
        """args[at] is MAXLEN or MINID. The trim, and the place behind it. Raises CommandError."""
        trim, by_length = cls(), args[at].upper() == b"MAXLEN"
        at += 1
        if at < len(args) - 1 and args[at] in (b"~", b"="):
            trim.approximate = args[at] == b"~"
            at += 1
        if at >= len(args):
            raise CommandError("ERR syntax error")
        if by_length:
            trim.max_len = parse_int(args[at])
            if trim.max_len < 0:
                raise CommandError("ERR The MAXLEN argument must be >= 0.")
        else:
            trim.min_id = parse_id(args[at])
        at += 1
        if at + 1 < len(args) and args[at].upper() == b"LIMIT":
            if not trim.approximate:
                raise CommandError("ERR syntax error, LIMIT cannot be used without the special ~ option")
            trim.limit = parse_int(args[at + 1])
            if trim.limit < 0:
                raise CommandError("ERR The LIMIT argument must be >= 0.")
            at += 2
        return trim, at

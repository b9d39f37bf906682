"""Bytes of one client -> its commands, as strict as Redis itself.

hiredis.Reader is not used here: it reads *replies*, so it takes integers, maps and nested arrays for arguments, cannot
read inline commands, and allocates whatever count a client announces. This one knows the shape a request may have.
Source: https://redis.io/docs/latest/develop/reference/protocol-spec/ ("Sending commands", "Inline commands").
"""

MAX_INLINE_BYTES = 64 << 10
MAX_ARGUMENTS = 1 << 20
MAX_BULK_BYTES = 512 << 20
MAX_ARGUMENTS_UNTRUSTED = 10  # before AUTH, as Redis has it
MAX_BULK_BYTES_UNTRUSTED = 16 << 10

# Headers of usual sizes, so that the common road is a dictionary look-up; the rest goes through _strict_int().
_COUNTS = {b"*%d" % n: n for n in range(1, 64)}
_LENGTHS = {b"$%d" % n: n for n in range(4096)}
_ESCAPES = {"n": 10, "r": 13, "t": 9, "b": 8, "a": 7}


class ProtocolError(Exception):
    """The client does not speak RESP. str() is what it is told before the connection is closed."""


class RequestReader:
    """Feed it what the socket gives, take whole commands: lists of at least one bytes object."""

    __slots__ = ("_args", "_buf", "_chunks", "_have", "_left", "_need", "_pos", "trusted")

    def __init__(self) -> None:
        self.trusted = True  # False until the client has authenticated: tighter bounds
        self._buf = b""
        self._pos = 0
        self._chunks: list[bytes] = []
        self._have = 0  # unread bytes, buffer and chunks together
        self._need = 0  # do not look again before so many are there (keeps a huge value from being joined per chunk)
        self._args: list[bytes] = []
        self._left = 0

    def feed(self, data: bytes) -> None:
        self._chunks.append(data)
        self._have += len(data)

    def take(self) -> list[bytes] | None:
        """The next whole command, or None until more bytes are fed. Raises ProtocolError."""
        if self._chunks:
            if self._have < self._need:
                return None
            rest = self._buf[self._pos :]
            self._buf = b"".join((rest, *self._chunks)) if rest or len(self._chunks) > 1 else self._chunks[0]
            self._pos = 0
            self._chunks.clear()
            self._need = 0
        buf, pos, size = self._buf, self._pos, len(self._buf)
        if not self._left:
            while True:
                if pos >= size:
                    return self._read_to(pos)
                if buf[pos] != 42:  # '*'
                    end = buf.find(b"\n", pos)
                    if end < 0:
                        if size - pos > MAX_INLINE_BYTES:
                            raise ProtocolError("too big inline request")
                        return self._read_to(pos)
                    args = split_inline(buf[pos:end].removesuffix(b"\r"))
                    pos = end + 1
                    if args:
                        self._read_to(pos)
                        return args
                    continue
                end = buf.find(b"\r\n", pos)
                if end < 0:
                    if size - pos > MAX_INLINE_BYTES:
                        raise ProtocolError("too big mbulk count string")
                    return self._read_to(pos)
                count = _COUNTS.get(buf[pos:end])
                if count is None:
                    count = _strict_int(buf[pos + 1 : end])
                    if count is None or count > MAX_ARGUMENTS:
                        raise ProtocolError("invalid multibulk length")
                if not self.trusted and count > MAX_ARGUMENTS_UNTRUSTED:
                    raise ProtocolError("unauthenticated multibulk length")
                pos = end + 2
                if count > 0:
                    self._left, self._args = count, []
                    break
        args, left = self._args, self._left
        while left:
            end = buf.find(b"\r\n", pos)
            if end < 0:
                if size - pos > MAX_INLINE_BYTES:
                    raise ProtocolError("too big bulk count string")
                break
            length = _LENGTHS.get(buf[pos:end])
            if length is None:
                if buf[pos] != 36:  # '$'
                    raise ProtocolError(f"expected '$', got '{chr(buf[pos])}'")
                length = _strict_int(buf[pos + 1 : end])
                if length is None or not 0 <= length <= MAX_BULK_BYTES:
                    raise ProtocolError("invalid bulk length")
            if length > MAX_BULK_BYTES_UNTRUSTED and not self.trusted:
                raise ProtocolError("unauthenticated bulk length")
            start = end + 2
            end = start + length
            if end + 2 > size:
                self._need = end + 2 - pos
                break
            args.append(buf[start:end])
            pos = end + 2
            left -= 1
        self._left = left
        self._read_to(pos)
        return None if left else args

    def _read_to(self, pos: int) -> None:
        self._have -= pos - self._pos
        self._pos = pos


def _strict_int(text: bytes) -> int | None:
    """Redis takes no sign but '-', no zero padding, no blanks; int() would take all of them."""
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit() or len(digits) > 19 or (len(digits) > 1 and digits[0] == 48):
        return None
    return int(text)


def split_inline(line: bytes) -> list[bytes]:
    """Words of an inline command; "…" with escapes, '…' with \\' only. Raises ProtocolError on unbalanced quotes."""
    if b'"' not in line and b"'" not in line:
        return line.split()
    text, args, at = line.decode("latin-1"), [], 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at >= len(text):
            return args
        word, quote = bytearray(), ""
        while True:
            if at >= len(text):
                if quote:
                    raise ProtocolError("unbalanced quotes in request")
                break
            char = text[at]
            if quote == '"' and char == "\\" and at + 1 < len(text):
                code = text[at + 2 : at + 4]
                if text[at + 1] == "x" and len(code) == 2 and all(c in "0123456789abcdefABCDEF" for c in code):
                    word.append(int(code, 16))
                    at += 4
                else:
                    word.append(_ESCAPES.get(text[at + 1], ord(text[at + 1])))
                    at += 2
                continue
            if quote == "'" and text.startswith("\\'", at):
                word.append(39)
                at += 2
                continue
            at += 1
            if quote and char == quote:
                if at < len(text) and not text[at].isspace():
                    raise ProtocolError("unbalanced quotes in request")
                break
            if quote:
                word.append(ord(char))
            elif char in "\"'":
                quote = char
            elif char.isspace():
                break
            else:
                word.append(ord(char))
        args.append(bytes(word))

"""JSON as a decoder may read it: strict in its structure, careless of what stands inside a text nobody asks for.

A string may hold any bytes and any escapes, a bare word may be any text without brackets, quotes, colons and commas. What of it is used is
checked where it is used; the structure around it is read by Python's json.
"""

import contextlib
import decimal
import json
import re

from tests.cext.venues.frames import NO_ID, Number, Refused, since_1970

TOKEN = re.compile(rb'[ \t\r\n]*(?:"((?:[^"\\]|\\.)*)"|([{}\[\],:])|([^ \t\r\n{}\[\],:"]+))', re.DOTALL)
BARE = {"true": True, "false": False, "null": None}
MAX_NESTING = 64
NOTHING = "\ufffe"  # what an escape that is none stands for: a text that means nothing to anybody
EXACT = decimal.Context(prec=3000, Emax=999999, Emin=-999999)


class Escaped(str):
    """A quoted text that holds a backslash on the wire. What must be a number or an id is not written so."""


class Object(dict):
    """An object whose keys may stand twice; `twice` names those."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.pairs = pairs
        self.twice = {key for i, (key, _) in enumerate(pairs) if any(key == other for other, _ in pairs[:i])} if len(self) < len(pairs) else set()


def _text(raw):
    text = raw.decode("utf-8", "surrogateescape")
    if b"\\" not in raw:
        return text
    try:
        return Escaped(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return Escaped(NOTHING)


def parse(frame):
    """The frame's value; Refused("malformed") where brackets, commas and colons do not stand as JSON has them."""
    if b"\\" not in frame:  # Python's own reading, where nothing odd stands in the frame
        with contextlib.suppress(ValueError, RecursionError):
            text = frame.decode("utf-8", "surrogateescape")
            return json.loads(text, strict=False, parse_int=Number, parse_float=Number, parse_constant=Number, object_pairs_hook=Object)
    tokens, skeleton, at = [], [], 0
    frame = frame.rstrip(b" \t\r\n")
    while at < len(frame):
        token = TOKEN.match(frame, at)
        if token is None:
            raise Refused("malformed")
        at = token.end()
        if token[2] is not None:
            skeleton.append(token[2].decode())
            continue
        if token[1] is not None:
            skeleton.append(f'"{len(tokens)}"')
            tokens.append(_text(token[1]))
        else:
            skeleton.append(f"{len(tokens)}")
            bare = token[3].decode("utf-8", "surrogateescape")
            tokens.append(BARE.get(bare, Number(bare)))

    def of(item):
        return tokens[int(item)] if isinstance(item, (str, int)) else item

    def pairs(items):
        return Object([(of(key), inner(value)) for key, value in items])

    def inner(value):
        return [inner(item) for item in value] if isinstance(value, list) else of(value)

    try:
        return inner(json.loads("".join(s if s in "{}[],:" else f" {s} " for s in skeleton), object_pairs_hook=pairs))
    except (ValueError, RecursionError):
        raise Refused("malformed") from None


def depth(value):
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def known(value, keys):
    """The object, with each of `keys` (names, split by blanks) at most once and nothing absurd under the others."""
    if not isinstance(value, dict) or value.twice & set(keys.split()):
        raise Refused("malformed")
    if any(key not in keys.split() and depth(item) > MAX_NESTING for key, item in value.items()):
        raise Refused("malformed")
    return value


def scaled(text, scale):
    """A decimal as an integer at `scale`."""
    if (
        not isinstance(text, str)
        or len(text) > 400
        or isinstance(text, Escaped)
        or not re.fullmatch(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text, re.ASCII)
    ):
        raise Refused("malformed")
    value = EXACT.scaleb(decimal.Decimal(text), scale)
    if value != value.to_integral_value(context=EXACT):
        raise Refused("finer")
    if abs(value) >= 2**63:
        raise Refused("overflow")
    if value < 0:
        raise Refused("malformed")
    return int(value)


def whole(text, otherwise=None):
    """A whole number, quoted or bare; `otherwise` where there is none."""
    if otherwise is not None and (text is None or text in ("", "null")) and not isinstance(text, Escaped):
        return otherwise
    if not isinstance(text, str) or isinstance(text, Escaped) or not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
        raise Refused("malformed")
    return int(text)


def an_id(text):
    n = whole(text, NO_ID)
    if n < NO_ID:
        raise Refused("malformed")
    return n


def ms(text):
    if text is None or text in ("", "null"):
        return whole(text, NO_ID)
    return since_1970(whole(text))


def flag(value):
    """true or false, quoted or bare; false where nothing is said."""
    if value is None or value in ("", "null", False, "false"):
        return False
    if value in (True, "true"):
        return True
    raise Refused("malformed")


def levels(rows, px_scale, qty_scale):
    """[price, quantity, whatever …] rows."""
    if not isinstance(rows, list):
        raise Refused("malformed")
    out = []
    for row in rows:
        if not isinstance(row, list) or len(row) < 2 or any(depth(item) > MAX_NESTING for item in row[2:]):
            raise Refused("malformed")
        out.append((scaled(row[0], px_scale), scaled(row[1], qty_scale)))
    return out


def trade_id(text):
    if not isinstance(text, str) or isinstance(text, Escaped) or not re.fullmatch(r"[!#-\[\]-~]{1,40}", text):
        raise Refused("malformed")
    return text


def text_of(row, key):
    """A string that must be there."""
    text = row.get(key)
    if not isinstance(text, str) or isinstance(text, Number):
        raise Refused("malformed")
    return text


SAMPLED, BANKRUPTCY, ORDERED = 64, 128, 256


def _places(text):
    """Decimals that a plain decimal needs; none, where it is no such text."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]*\.?[0-9]*", text, re.ASCII):
        return -1
    return len(text.partition(".")[2].rstrip("0"))


def _amount(value, scale):
    """A number at `scale`, 0 where there is none."""
    if value is None or (value in ("", "null") and not isinstance(value, Escaped)):
        return 0
    try:
        return scaled(value, scale)
    except Refused:
        raise Refused("malformed") from None


def forced(symbol, side, own_side, px, order_px, qty):
    """What a liquidation's numbers are as `explain` tells them: at scales that hold them, at least the instrument's."""
    instrument, px_scale, qty_scale = symbol
    px_scale = min(18, max(px_scale, _places(px), _places(order_px)))
    qty_scale = min(18, max(qty_scale, _places(qty)))
    told = {
        "instrument": instrument, "side": side, "px": _amount(px, px_scale), "order_px": _amount(order_px, px_scale), "px_scale": px_scale,
        "qty": _amount(qty, qty_scale), "qty_scale": qty_scale,
    }  # fmt: skip
    if not told["px"] or not told["qty"]:
        raise Refused("unknown_enum")
    return told | {"own_side": trade_id(own_side)}

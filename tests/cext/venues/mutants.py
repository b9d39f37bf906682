"""Frames that no venue sends: valid ones cut, crossed, spelled otherwise, and filled with what stands at the edge of a rule."""

import json
import random

from tests.cext.venues.frames import Number, Refused, parse

SPECIAL = b'"\\{}[],:.-+0123456789eE \t\n\x00\x1f\x7f\x80\xc3\xff' + b"ntfub"
PLAIN_NUMBERS = (
    "0 -0 00 1 -1 +1 .5 5. . - 0.0 00001.50 1e3 1E-2 1e+2 1e 1e1000 1e-999 0e999 1.5e1 -1e0 0x10 1_000 1,5 NaN nan Infinity -Infinity null true false "
    "2147483647 2147483648 -2147483648 -2147483649 4294967295 9007199254740993 999999999999999999 1000000000000000000 9223372036854775807 "
    "9223372036854775808 18446744073709551616 92233720368547758.07 92233720368547758.08 9223372036854 9223372036855 0.000000000000000001 "
    "1.0000000000000000000000000000000000000000001 100000000000000000000000000000e-28 0.1000000000000000000000000000000000000 123456789.12345678 "
    "99999999999999999999999999999999999999999999999999 1.000000000 12345678.00000000 1234567890123456 12345678901234567.0 000000000000000000001"
)
LONG_NUMBERS = ("9" * 400, "0" * 399 + "1", "0" * 400 + "1", "1" + "0" * 30 + "e-30")
NUMBERS = [*PLAIN_NUMBERS.split(), "", " ", " 1", "1 ", "1\n", "1\t", "\u0661", "\uff11", "1\x00", "1\u00a0", *LONG_NUMBERS]
PLAIN_WORDS = (
    "Buy Sell buy sell BUY None snapshot delta update replace COMMAND_RESP books books5 books-l2-tbt books50-l2-tbt bbo-tbt trades trades-all "
    "tickers orderbook publicTrade orderbook.1.BTCUSDT orderbook.50.BTCUSDT orderbook.50.BTCUSD orderbook.500.BTCUSDT orderbook.1000.BTCUSDT "
    "orderbook.50. orderbook. orderbook orderbook.50 publicTrade.BTCUSDT publicTrade.BTC publicTrade. publicTrade .. orderbook..BTCUSDT "
    "orderbook.rpi.BTCUSDT orderbook.50.BTCUSDT. BTCUSDT BTCUSD ETHUSDT SOL-USDT BTC-USD-SWAP SOL-USDT-SWAP BTC-26DEC26-90000-C pong ping error"
)
WORDS = [*PLAIN_WORDS.split(), "", "a" * 40, "a" * 41, "S\u00f6L", "\u4e2d\u6587", "\U0001f680", "a b", 'a"b', "a\\b", "\x01"]


class Pairs(list):
    """An object as (key, value) pairs, so that a key may stand twice."""


def copied(value):
    if isinstance(value, Pairs):
        return Pairs([key, copied(item)] for key, item in value)
    return [copied(item) for item in value] if isinstance(value, list) else value


def tree(value):
    """JSON with objects as Pairs, to be mutated in place."""
    if isinstance(value, dict):
        return Pairs([key, tree(item)] for key, item in value.items())
    return [tree(item) for item in value] if isinstance(value, list) else value


def spelled(text, rng, odd):
    """A string with quotes. `odd`: some letters as escapes."""
    quoted = json.dumps(text, ensure_ascii=rng.random() < 0.5)
    if not odd or not text:
        return quoted
    at = rng.randrange(len(text))
    escape = "\\/" if text[at] == "/" else "".join(f"\\u{unit:04{rng.choice('xX')}}" for unit in _units(text[at]))
    return json.dumps(text[:at])[:-1] + escape + json.dumps(text[at + 1 :])[1:]


def _units(letter):
    raw = letter.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]


def written(value, rng, gap=0.0, odd=0.0):
    """The text of a tree. `gap`, `odd`: how often white space and escapes stand where they may."""

    def space():
        return rng.choice(" \t\r\n") if gap and rng.random() < gap else ""

    def write(value):
        if isinstance(value, Pairs):
            return "{" + ",".join(f"{space()}{spelled(key, rng, rng.random() < odd)}{space()}:{write(item)}" for key, item in value) + space() + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(write, value)) + space() + "]"
        if isinstance(value, Number):
            return space() + value + space()
        return space() + (spelled(value, rng, rng.random() < odd) if isinstance(value, str) else json.dumps(value)) + space()

    return write(value)


def places(value, found=None):
    """(container, index) of every value in a tree; a pair counts as its value."""
    found = [] if found is None else found
    for index, item in enumerate(value):
        found.append((value, index))
        inner = item[1] if isinstance(value, Pairs) else item
        if isinstance(inner, list):
            places(inner, found)
    return found


def put(place, value):
    container, index = place
    if isinstance(container, Pairs):
        container[index][1] = value
    else:
        container[index] = value


def at(place):
    container, index = place
    return container[index][1] if isinstance(container, Pairs) else container[index]


def nested(rng):
    """Brackets far deeper than any venue's, mostly in pairs."""
    depth = rng.choice((1, 5, 20, 100, 3000))
    head, tail = rng.choice((("[", "]"), ('{"a":', "}"), ('{"s":[', "]}")))
    return Number(head * depth + "0" + tail * (depth if rng.random() < 0.9 else depth - 1))


def scalar(rng):
    kind = rng.random()
    if kind < 0.45:
        return rng.choice(NUMBERS)
    if kind < 0.6:
        return Number(rng.choice(NUMBERS))
    if kind < 0.85:
        return rng.choice(WORDS)
    if kind < 0.9:
        return nested(rng)
    return rng.choice((None, True, False, [], Pairs(), [[]], Pairs([["a", None]])))


def change_tree(root, rng, keys):
    """One change of what is said. `keys`: names worth a wrong place."""
    everywhere = places(root)
    if not everywhere:
        return
    here = rng.choice(everywhere)
    container, index = here
    chosen = rng.choice([root, *(at(place) for place in everywhere if isinstance(at(place), Pairs))])
    kind = rng.randrange(11)
    if kind <= 2:
        put(here, scalar(rng))
    elif kind == 3:
        put(here, copied(at(rng.choice(everywhere))))
    elif kind == 4:
        del container[index]
    elif kind == 5:
        container.insert(rng.randint(0, len(container)), copied(container[index]))
    elif kind == 6 and chosen:
        again = rng.choice(chosen)
        chosen.insert(rng.randint(0, len(chosen)), [again[0], rng.choice((copied(again[1]), scalar(rng)))])
    elif kind == 7:
        rng.shuffle(chosen)
    elif kind == 8:
        chosen.insert(rng.randint(0, len(chosen)), [rng.choice(keys), scalar(rng)])
    elif kind == 9 and chosen:
        rng.choice(chosen)[0] = rng.choice((rng.choice(keys), rng.choice(WORDS)))
    elif isinstance(at(here), str):
        text = at(here)
        cut = rng.randint(0, len(text))
        put(here, type(text)(text[:cut] + rng.choice((rng.choice(NUMBERS), rng.choice(WORDS), "0", "00", ".")) + text[cut + rng.randint(0, 1) :]))


def change_bytes(frame, rng, others):
    """One change of the bytes, whatever they mean."""
    if not frame:
        return frame
    i, j = sorted((rng.randrange(len(frame) + 1), rng.randrange(len(frame) + 1)))
    kind = rng.randrange(7)
    if kind == 0:
        return frame[:i] + bytes([frame[i] ^ (1 << rng.randrange(8))]) + frame[i + 1 :] if i < len(frame) else frame[:-1]
    if kind == 1:
        return frame[:i] + bytes([rng.choice(SPECIAL)]) + frame[i + 1 :]
    if kind == 2:
        return frame[:i] + bytes([rng.choice(SPECIAL)]) + frame[i:]
    if kind == 3:
        return frame[:i]
    if kind == 4:
        return frame[:i] + frame[min(i + rng.randint(1, 9), len(frame)) :]
    if kind == 5:
        return frame[:j] + frame[i : i + rng.randint(1, 40)] + frame[j:]
    other = rng.choice(others)
    k = rng.randrange(len(other) + 1)
    return frame[:i] + other[k:]


def mutants(frames, n, seed, keys):
    """`n` mutants of `frames`, the same for the same seed, by bytes, by meaning, by spelling. `keys`: names worth a wrong place, split by blanks."""
    rng, names = random.Random(f"{seed}"), keys.split()
    trees = []
    for frame in frames:
        try:
            said = parse(frame)
        except Refused:
            continue
        trees += [tree(said)] if isinstance(said, dict) else []
    for _ in range(n):
        kind = rng.random()
        if kind < 0.35:
            mutant = rng.choice(frames)
        else:
            root = copied(rng.choice(trees))
            for _ in range(rng.choice((0, 1, 1, 1, 2, 3)) if kind > 0.4 else 0):
                change_tree(root, rng, names)
            mutant = written(root, rng, rng.choice((0.0, 0.0, 0.0, 0.2)), rng.choice((0.0, 0.0, 0.0, 0.05))).encode("utf-8", "surrogatepass")
        for _ in range(rng.choice((1, 1, 1, 2, 4)) if kind < 0.35 or kind > 0.85 else 0):
            mutant = change_bytes(mutant, rng, frames)
        yield mutant


NAMES = "A BTC BTCUSDT BTC-USDT ETHUSDT-PERP 1000000MOGUSDT SIXTEENLETTERS-X BTC-25JUN27-106000-C-USDT A-NAME-LONGER-THAN-ANY-SYMBOL-SO-FAR-IS"


def number(rng, scale):
    """Digits with or without a point, of any length; mostly such as fit `scale` and int64."""
    if rng.random() < 0.01:
        return rng.choice(NUMBERS)
    whole = str(rng.randrange(10 ** rng.choice((1, 1, 2, 3, 5, 5, 7, 8, 9, 12, 18)[: 11 if rng.random() < 0.02 else 10 - scale // 2])))
    if rng.random() < 0.3:
        return whole
    places = rng.choice([places for places in (1, 1, 2, 2, 3, 5, 8, 8, 9, 11) if places <= scale] or [1])
    if rng.random() < 0.02:
        places = rng.choice((0, 1, 2, 3, 5, 8, 9, 11))
    return f"{whole}.{str(rng.randrange(10**places)).zfill(places) if places else ''}"


def whole(rng):
    """An id of any length."""
    if rng.random() < 0.9:
        return str(rng.randrange(10 ** rng.randint(1, 17)))
    return rng.choice((str(rng.randrange(10 ** rng.randint(1, 19))), str(10 ** rng.randint(0, 19) - rng.randint(0, 1)), "0", "00", "-1", "01"))


def milliseconds(rng):
    return str(1790000000000 + rng.randrange(10**9)) if rng.random() < 0.95 else str(rng.randrange(10**14))

"""A second reading of Binance's frames, written from the venue's pages with `json` and `Decimal` and sharing nothing with cext.

`Model.decode(frame)` and `Model.decode_snapshot(ix, body)` answer (outcome, events), events in the form of `Normalizer.explain`; outcome is
"events", or the reason why there are none.
"""

import re

from tests.cext.venues.frames import Number, Refused, since_1970
from tests.cext.venues.tolerant import MAX_NESTING, ORDERED, SAMPLED, Escaped, depth, forced, known, levels, parse, scaled, text_of, whole

IGNORED = {
    "kline", "continuousKline", "markPrice", "markPriceKline", "indexPriceKline", "indexPrice", "miniTicker", "ticker", "contractInfo",
    "compositeIndex", "assetIndex", "tradingSession", "avgPrice", "referencePrice", "rpiDepth", "optionTrade", "optionTicker",
    "optionMarkPrice", "optionSymbol", "openInterest", "index", "depth",
}
EVENTS = {"depthUpdate": "depth", "bookTicker": "bookTicker", "trade": "trade", "aggTrade": "aggTrade", "forceOrder": "forceOrder", "blockTrade": "blockTrade"}
OFF_BOOK, FROM_REST, BLOCK = 16, 1, 48


def fields(value, *known) -> dict:
    """The object's fields. A letter or a known word that stands twice is refused, and what is nested as no venue nests."""
    if not isinstance(value, dict):
        raise Refused("malformed")
    if any(key in known or (len(key) == 1 and "A" <= key <= "z") for key in value.twice):
        raise Refused("malformed")
    if any(key not in known and depth(item) > MAX_NESTING for key, item in value.pairs):
        raise Refused("malformed")
    return value


def at_least(value, least: int) -> int:
    if whole(value) < least:
        raise Refused("malformed")
    return whole(value)


def name(value) -> str:
    if not isinstance(value, str) or isinstance(value, Number):
        raise Refused("malformed")
    return value


def time_ns(f: dict) -> int:
    stamps = {key: whole(f[key]) for key in "TE" if key in f}
    stamp = stamps.get("T") or stamps.get("E") or 0
    return since_1970(stamp) if stamp else -1


class Model:
    def __init__(self, symbols: dict[str, tuple[int, int, int]], futures: bool):
        self.symbols = symbols      # name -> (index, px_scale, qty_scale)
        self.futures = futures

    def decode(self, frame: bytes):
        return self._answer(self._frame, frame)

    def decode_snapshot(self, ix: int, body: bytes):
        return self._answer(self._snapshot, ix, body)

    def _answer(self, read, *args):
        try:
            return "events", [read(*args)]
        except Refused as refused:
            return refused.args[0], []

    def symbol(self, f: dict, stream_symbol: str):
        text = name(f["s"]) if "s" in f else stream_symbol
        if text not in self.symbols:
            raise Refused("unknown_symbol")
        return self.symbols[text]

    def _frame(self, frame: bytes):
        root = parse(frame)
        if isinstance(root, list):
            raise Refused("ignored")
        f = fields(root, "stream", "data")
        said, stream_symbol, payload = None, "", f
        for key in {"stream", "e"} & f.keys():
            name(f[key])
        if "stream" in f and "data" not in f:
            raise Refused("malformed")
        if "data" in f:
            if "stream" in f:
                stream = name(f["stream"])
                head, at, rest = stream.partition("@")
                stream_symbol, rest = ("", head[1:] if head.startswith("!") else head) if head.startswith("!") or not at else (head, rest)
                said = rest.split("@")[0]
                if re.fullmatch("depth[0-9]+", said) or said.split("_")[0] in IGNORED - {"depth"}:
                    raise Refused("ignored")
                if said not in EVENTS.values() or (said == "depth" and not stream_symbol):
                    raise Refused("unknown_topic")
            payload = fields(f["data"], "pu")
        elif "pu" in f:
            payload = fields(root, "pu")
        event = name(payload["e"]) if "e" in payload else None
        if said is None:
            said = EVENTS.get(event)
            if event in (None, "") and "data" not in f:
                if {"result", "error", "code"} & payload.keys():
                    raise Refused("control")
                if "lastUpdateId" in payload:
                    raise Refused("ignored")
                if set("usbBaA") <= payload.keys():
                    said = "bookTicker"
        elif event is not None and EVENTS.get(event) != said:
            raise Refused("malformed")
        read = {"depth": self._depth, "bookTicker": self._bbo, "trade": self._trade, "aggTrade": self._trade, "forceOrder": self._liquidation, "blockTrade": self._trade}.get(said)
        if read is None:
            raise Refused("unknown_topic")
        return read(payload, stream_symbol, said)

    def _event(self, kind, row, f, **more):
        return {"kind": kind, "instrument": row[0], "flags": 0, "ts_event": time_ns(f), "first_id": -1, "last_id": -1, "prev_id": -1, "cross_id": -1} | more

    def _depth(self, f, stream_symbol, said):
        row = self.symbol(f, stream_symbol)
        prev = at_least(f["pu"], 0) if "pu" in f else None
        if not {"U", "u", "b", "a"} <= f.keys() or (self.futures and prev is None):
            raise Refused("malformed")
        first = at_least(f["U"], 0)
        last = at_least(f["u"], first)
        return self._event("depth", row, f, first_id=first, last_id=last, prev_id=prev if self.futures else -1, cross_id=last,
                           bids=levels(f["b"], *row[1:]), asks=levels(f["a"], *row[1:]), checksum=0)

    def _bbo(self, f, stream_symbol, said):
        row = self.symbol(f, stream_symbol)
        if not set("ubBaA") <= f.keys():
            raise Refused("malformed")
        last = at_least(f["u"], 0)
        sides = []
        for px, qty in ("bB", "aA"):
            level = (scaled(f[px], row[1]), scaled(f[qty], row[2]))
            sides.append([level] if all(level) else [])
        return self._event("bbo", row, f, last_id=last, cross_id=last, bids=sides[0], asks=sides[1], checksum=0)

    def _trade(self, f, stream_symbol, said):
        row = self.symbol(f, stream_symbol)
        own = "a" if said == "aggTrade" else "t"
        if not {own, "p", "q", "m"} <= f.keys():
            raise Refused("malformed")
        own_id = at_least(f[own], 0)
        if f["m"] not in (True, False, "true", "false"):
            raise Refused("malformed")
        if own == "a":
            first, last = (whole(f[k]) if k in f else -1 for k in "fl")
            if first < -1 or last < first or (first < 0) != (last < 0):
                raise Refused("malformed")
        else:
            first = last = own_id
        px, qty = scaled(f["p"], row[1]), scaled(f["q"], row[2])
        if px == 0 or qty == 0:
            raise Refused("unknown_enum")
        off_book = "X" in f and name(f["X"]) != "MARKET"
        block = said == "blockTrade"
        return self._event("block" if block else "trade", row, f, flags=BLOCK if block else OFF_BOOK if off_book else 0, first_id=first, last_id=last,
                           side=-1 if f["m"] in (True, "true") else 1, px=px, qty=qty, agg_id=own_id if own == "a" else -1, trade_id=str(f[own]))

    def _liquidation(self, f, stream_symbol, said):
        if "E" in f:
            whole(f["E"])
        o = known(f.get("o"), "s S p ap q z T")
        name, side = text_of(o, "s"), text_of(o, "S")
        if any(isinstance(o.get(key), (list, dict)) for key in ("p", "ap", "q", "z")):
            raise Refused("malformed")
        ts = time_ns({key: of[key] for key, of in (("E", f), ("T", o)) if key in of})
        if name not in self.symbols:
            raise Refused("unknown_symbol")
        if side not in ("SELL", "BUY"):
            raise Refused("unknown_enum")
        average, asked = o.get("ap"), o.get("p")
        flags = SAMPLED
        if average is None or (isinstance(average, str) and not isinstance(average, Escaped) and re.fullmatch(r"null|[0.]*", average)):
            average, asked, flags = asked, None, flags | ORDERED
        told = forced(self.symbols[name], -1 if side == "SELL" else 1, side, average, asked, o["z"] if "z" in o else o.get("q"))
        blank = {"kind": "liquidation", "first_id": -1, "last_id": -1, "prev_id": -1, "cross_id": -1}
        return blank | {"flags": flags, "ts_event": ts} | told

    def _snapshot(self, ix: int, body: bytes):
        f = fields(parse(body), "lastUpdateId", "bids", "asks", "symbol")
        row = next(row for row in self.symbols.values() if row[0] == ix)
        if not {"lastUpdateId", "bids", "asks"} <= f.keys():
            raise Refused("malformed")
        if "symbol" in f and self.symbols.get(name(f["symbol"])) != row:
            raise Refused("malformed")
        last = at_least(f["lastUpdateId"], 0)
        return self._event("snapshot", row, f, flags=FROM_REST, last_id=last, cross_id=last, bids=levels(f["bids"], *row[1:]),
                           asks=levels(f["asks"], *row[1:]), checksum=0)

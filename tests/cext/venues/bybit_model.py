"""Bybit frames read by json and Decimal, a line a rule: what the decoder must agree with. Only the docs are shared."""

import re

from tests.cext.venues.frames import NO_ID, Refused, event
from tests.cext.venues.tolerant import BANKRUPTCY, an_id, flag, forced, known, levels, ms, parse, scaled, text_of, trade_id

READ = re.compile(r"(?:orderbook\.(1|25|50|100|200|500|1000)|(publicTrade|allLiquidation))\.(.*)", re.DOTALL)
KNOWN = re.compile(
    r"(orderbook\.(rpi|full)|tickers|kline|liquidation|insurance|adlAlert|priceLimit|system)(\..*)?",
    re.DOTALL,
)
FROM_REST, OFF_BOOK, BLOCK = 1, 16, 32


class Model:
    """`known`: symbol -> (index, price scale, quantity scale)."""

    def __init__(self, known):
        self.known = known

    def decode(self, frame):
        """(outcome, events)"""
        try:
            return "events", self._push(parse(frame))
        except Refused as refused:
            return str(refused), []

    def decode_snapshot(self, instrument, body):
        """(outcome, events)"""
        try:
            return "events", self._answer(instrument, parse(body))
        except Refused as refused:
            return str(refused), []

    def _push(self, push):
        known(push, "topic type data ts cts")
        ts, cts = ms(push.get("ts")), ms(push.get("cts"))
        if "type" in push:
            text_of(push, "type")
        if "topic" not in push:
            reply = "op" in push or "success" in push or "ret_msg" in push or push.get("type") == "COMMAND_RESP"
            raise Refused("control" if reply else "unknown_topic" if push else "malformed")
        topic = READ.fullmatch(text_of(push, "topic"))
        if topic is None:
            raise Refused("ignored" if KNOWN.fullmatch(push["topic"]) else "unknown_topic")
        depth, rows, name = topic.groups()
        if rows:
            return self._rows(push, name, self._trade if rows == "publicTrade" else self._liquidation)
        if name not in self.known:
            raise Refused("unknown_symbol")
        if depth == "1" and push.get("type") == "delta":
            raise Refused("ignored")
        text_of(push, "type")
        book = self._book(push.get("data"), self.known[name])
        if push["type"] not in ("snapshot", "delta"):
            raise Refused("unknown_enum")
        book["ts_event"] = cts if cts >= 0 else ts
        if depth != "1":
            return [event("snapshot" if push["type"] == "snapshot" else "depth", **book)]
        if len(book["bids"]) > 1 or len(book["asks"]) > 1:
            raise Refused("malformed")
        for side in ("bids", "asks"):
            book[side] = [level for level in book[side] if level[1] > 0]
        return [event("bbo", **book)]

    def _book(self, data, symbol):
        instrument, px_scale, qty_scale = symbol
        known(data, "s b a u seq ts cts")
        ms(data.get("ts")), ms(data.get("cts"))
        if "s" in data and self.known.get(text_of(data, "s")) != symbol:
            raise Refused("malformed")
        u = an_id(data.get("u"))
        if u == NO_ID:
            raise Refused("malformed")
        return {
            "instrument": instrument,
            "first_id": u,
            "last_id": u,
            "cross_id": an_id(data.get("seq")),
            "bids": levels(data.get("b"), px_scale, qty_scale),
            "asks": levels(data.get("a"), px_scale, qty_scale),
        }

    def _rows(self, push, name, read):
        if not isinstance(push.get("data"), list):
            raise Refused("malformed")
        events, left_out = [], []
        for row in push["data"]:
            try:
                events.append(read(row, name))
            except Refused as refused:
                if str(refused) not in ("unknown_symbol", "unknown_enum"):
                    raise
                left_out.append(str(refused))
        if left_out and not events:
            raise Refused("unknown_enum" if "unknown_enum" in left_out else "unknown_symbol")
        return events

    def _liquidation(self, row, name):
        known(row, "T s S v p")
        ts, side = ms(row.get("T")), text_of(row, "S")
        if any(key not in row or isinstance(row[key], (list, dict)) for key in "vp"):
            raise Refused("malformed")
        symbol = text_of(row, "s") if "s" in row else name
        if symbol not in self.known:
            raise Refused("unknown_symbol")
        if side not in ("Buy", "Sell"):
            raise Refused("unknown_enum")
        # `Buy`: the position was bought, so it is sold now
        told = forced(self.known[symbol], -1 if side == "Buy" else 1, side, row["p"], None, row["v"])
        return event("liquidation", flags=BANKRUPTCY, ts_event=ts, **told)

    def _trade(self, row, name):
        known(row, "T s S v p i BT RPI seq")
        block, rpi = flag(row.get("BT")), flag(row.get("RPI"))
        flags = BLOCK | OFF_BOOK if block else OFF_BOOK if rpi else 0
        ts, seq, side = ms(row.get("T")), an_id(row.get("seq")), text_of(row, "S")
        text_of(row, "i")
        if "p" not in row or "v" not in row or isinstance(row["p"], (list, dict)) or isinstance(row["v"], (list, dict)):
            raise Refused("malformed")
        symbol = text_of(row, "s") if "s" in row else name
        if symbol not in self.known:
            raise Refused("unknown_symbol")
        if side not in ("Buy", "Sell"):
            raise Refused("unknown_enum")
        instrument, px_scale, qty_scale = self.known[symbol]
        px, qty = scaled(row["p"], px_scale), scaled(row["v"], qty_scale)
        number = int(row["i"]) if re.fullmatch(r"\d{1,19}", row["i"], re.ASCII) and int(row["i"]) < 2**63 else NO_ID
        return event(
            "trade",
            instrument,
            flags=flags,
            ts_event=ts,
            first_id=number,
            last_id=number,
            cross_id=seq,
            side=1 if side == "Buy" else -1,
            px=px,
            qty=qty,
            trade_id=trade_id(row["i"]),
        )

    def _answer(self, instrument, answer):
        if known(answer, "retCode result").get("retCode") != "0":
            raise Refused("malformed")
        symbol = next(symbol for symbol in self.known.values() if symbol[0] == instrument)
        result = answer.get("result")
        book = self._book(result, symbol)
        ts, cts = ms(result.get("ts")), ms(result.get("cts"))
        if ts <= 0 or book["last_id"] == 0:
            raise Refused("malformed")
        return [event("snapshot", **book, flags=FROM_REST, ts_event=cts if cts >= 0 else ts)]

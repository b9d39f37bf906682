"""OKX frames read by json and Decimal, a line a rule: what the decoder must agree with. Only the docs are shared."""

import re

from tests.cext.venues.frames import NO_ID, Refused, event
from tests.cext.venues.tolerant import (
    BANKRUPTCY,
    MAX_NESTING,
    SAMPLED,
    an_id,
    depth,
    forced,
    known,
    levels,
    ms,
    parse,
    scaled,
    text_of,
    trade_id,
    whole,
)

KINDS = {
    "books": "book",
    "books-l2-tbt": "book",
    "books50-l2-tbt": "book",
    "bbo-tbt": "bbo",
    "trades": "trade",
    "trades-all": "trade",
    "liquidation-orders": "liquidation",
}
KNOWN = re.compile(
    "tickers|books5|books-rpi|books-elp|index-tickers|mark-price|funding-rate|open-interest|price-limit|liquidations|"
    "adl-warning|instruments|status|opt-summary|option-trades|estimated-price|call-auction-details|public-block-trades|"
    "public-struc-block-trades|block-tickers|candle.*|index-candle.*|mark-price-candle.*|sprd-.*",
    re.DOTALL,
)
FROM_REST, HAS_CHECKSUM, OFF_BOOK = 1, 2, 16


class Model:
    """`known`: instId -> (index, price scale, quantity scale)."""

    def __init__(self, known):
        self.known = known

    def decode(self, frame):
        """(outcome, events)"""
        if frame.strip(b" \t\r\n") == b"pong":
            return "control", []
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
        known(push, "arg action data event")
        if "action" in push:
            text_of(push, "action")
        arg = known(push["arg"], "channel instId") if "arg" in push else {}
        if "arg" in push and "channel" not in arg:
            raise Refused("malformed")
        for key in ("channel", "instId"):
            if key in arg:
                text_of(arg, key)
        if "event" in push:
            raise Refused("control")
        if "arg" not in push:
            raise Refused("unknown_topic")
        kind = KINDS.get(arg["channel"])
        if kind is None:
            raise Refused("ignored" if KNOWN.fullmatch(arg["channel"]) else "unknown_topic")
        if kind == "liquidation":
            return self._liquidations(push.get("data"))
        if arg.get("instId", "") not in self.known:
            raise Refused("unknown_symbol")
        if not isinstance(push.get("data"), list):
            raise Refused("malformed")
        if kind == "trade":
            return self._trades(push["data"], arg["instId"])
        books = [self._book(row, self.known[arg["instId"]]) for row in push["data"]]
        if kind == "book":
            action = text_of(push, "action")
            if action not in ("snapshot", "update"):
                raise Refused("unknown_enum")
            return [event("snapshot" if action == "snapshot" else "depth", **book) for book in books]
        for book in books:
            if len(book["bids"]) > 1 or len(book["asks"]) > 1:
                raise Refused("malformed")
            for side in ("bids", "asks"):
                book[side] = [level for level in book[side] if level[1] > 0]
        return [event("bbo", **book) for book in books]

    def _book(self, row, symbol):
        instrument, px_scale, qty_scale = symbol
        known(row, "asks bids ts seqId prevSeqId checksum instId")
        if "instId" in row and self.known.get(text_of(row, "instId")) != symbol:
            raise Refused("malformed")
        checksum = whole(row.get("checksum"), 0)
        if not -(2**31) <= checksum < 2**31:
            raise Refused("malformed")
        seq = an_id(row.get("seqId"))
        return {
            "instrument": instrument,
            "ts_event": ms(row.get("ts")),
            "last_id": seq,
            "cross_id": seq,
            "prev_id": an_id(row.get("prevSeqId")),
            "bids": levels(row.get("bids"), px_scale, qty_scale),
            "asks": levels(row.get("asks"), px_scale, qty_scale),
            "checksum": checksum,
            "flags": HAS_CHECKSUM if checksum else 0,
        }

    def _liquidations(self, rows):
        """Of all instruments of a type: those that nobody asked for are passed over."""
        if not isinstance(rows, list):
            raise Refused("malformed")
        events, left_out = [], 0
        for row in rows:
            known(row, "instId details")
            name = text_of(row, "instId")
            if "details" not in row or depth(row["details"]) > MAX_NESTING:
                raise Refused("malformed")
            if name not in self.known:
                continue
            if not isinstance(row["details"], list):
                raise Refused("malformed")
            for detail in row["details"]:
                try:
                    events.append(self._liquidation(detail, self.known[name]))
                except Refused as refused:
                    if str(refused) != "unknown_enum":
                        raise
                    left_out += 1
        if not events:
            raise Refused("unknown_enum" if left_out else "ignored")
        return events

    def _liquidation(self, detail, symbol):
        known(detail, "bkPx sz side posSide ts")
        side, position, ts = text_of(detail, "side"), text_of(detail, "posSide") if "posSide" in detail else "net", ms(detail.get("ts"))
        if any(key not in detail or isinstance(detail[key], (list, dict)) for key in ("bkPx", "sz")):
            raise Refused("malformed")
        if side not in ("buy", "sell") or (side, position) in (("sell", "short"), ("buy", "long")):
            raise Refused("unknown_enum")
        told = forced(symbol, 1 if side == "buy" else -1, side, detail["bkPx"], None, detail["sz"])
        return event("liquidation", flags=BANKRUPTCY | SAMPLED, ts_event=ts, **told)

    def _trades(self, rows, name):
        events, left_out = [], []
        for row in rows:
            try:
                events.append(self._trade(row, name))
            except Refused as refused:
                if str(refused) not in ("unknown_symbol", "unknown_enum"):
                    raise
                left_out.append(str(refused))
        if left_out and not events:
            raise Refused("unknown_enum" if "unknown_enum" in left_out else "unknown_symbol")
        return events

    def _trade(self, row, name):
        known(row, "instId tradeId px sz side ts count source seqId")
        if isinstance(row.get("source"), (list, dict)):
            raise Refused("malformed")
        for key in ("px", "sz", "tradeId"):
            if key not in row or isinstance(row[key], (list, dict)):
                raise Refused("malformed")
        side, ts, seq, count = (
            text_of(row, "side"),
            ms(row.get("ts")),
            an_id(row.get("seqId")),
            whole(row.get("count"), 1),
        )
        if count < 1:
            raise Refused("malformed")
        symbol = text_of(row, "instId") if "instId" in row else name
        if symbol not in self.known:
            raise Refused("unknown_symbol")
        if side not in ("buy", "sell"):
            raise Refused("unknown_enum")
        if not re.fullmatch(r"\d{1,19}", trade_id(row["tradeId"]), re.ASCII) or not count - 1 <= int(row["tradeId"]) < 2**63:
            raise Refused("malformed")
        last = int(row["tradeId"])
        instrument, px_scale, qty_scale = self.known[symbol]
        return event(
            "trade",
            instrument,
            flags=0 if row.get("source") in (None, "", "null", "0") else OFF_BOOK,
            ts_event=ts,
            first_id=last - count + 1,
            last_id=last,
            cross_id=seq,
            side=1 if side == "buy" else -1,
            px=scaled(row["px"], px_scale),
            qty=scaled(row["sz"], qty_scale),
            trade_id=trade_id(row["tradeId"]),
        )

    def _answer(self, instrument, answer):
        if known(answer, "code data").get("code") != "0" or not isinstance(answer.get("data"), list):
            raise Refused("malformed")
        symbol = next(symbol for symbol in self.known.values() if symbol[0] == instrument)
        books = [self._book(row, symbol) for row in answer["data"]]
        if len(books) != 1 or books[0]["last_id"] == NO_ID:
            raise Refused("malformed")
        return [event("snapshot", **books[0] | {"flags": FROM_REST})]

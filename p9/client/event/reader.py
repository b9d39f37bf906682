"""The types of events, and what reads them."""

from typing import Any, ClassVar

import msgspec

from p9.client.event.book import BookTicker, Depth, Snapshot
from p9.client.event.candle import Candle, Cvd, OpenCandle
from p9.client.event.envelope import Event, Other
from p9.client.event.flow import Flow, Momentum
from p9.client.event.integrity import Audit, Gap, Integrity
from p9.client.event.liquidity import Liquidity, Spoofing
from p9.client.event.market import Funding, InsuranceAlert, InsuranceFund, MarkPrice, OpenInterest, Reference
from p9.client.event.options import OptionsIv
from p9.client.event.signal import Signal
from p9.client.event.trade import Adl, BlockTrade, Liquidation, StopTrigger, Trade

TYPES: dict[str, type[Event]] = {
    "insurance_fund": InsuranceFund, "insurance_alerts": InsuranceAlert, "reference": Reference,
    "book_ticker": BookTicker, "depth": Depth, "snapshots": Snapshot, "trades": Trade, "candles": Candle, "candles_open": OpenCandle,
    "block_trades": BlockTrade, "liquidations": Liquidation, "stop_triggers": StopTrigger, "adl": Adl, "cvd": Cvd, "flow": Flow,
    "liquidity": Liquidity, "spoofing": Spoofing, "momentum": Momentum, "signals": Signal,
    "mark_price": MarkPrice, "funding": Funding, "open_interest": OpenInterest, "options_iv": OptionsIv, "gaps": Gap, "audits": Audit, "integrity": Integrity,
}  # fmt: skip
KINDS: list[type[Event]] = [*TYPES.values(), Other]


class _Named(msgspec.Struct):
    type: str


class EventReader:
    """Payloads of one channel into events. A channel has one type, so it is looked up once."""

    _decoders: ClassVar[dict[type[Event], msgspec.json.Decoder[Any]]] = {kind: msgspec.json.Decoder(kind) for kind in KINDS}
    _named: ClassVar[msgspec.json.Decoder[_Named]] = msgspec.json.Decoder(_Named)

    def __init__(self, channel: str):
        self.channel = channel
        self.kind: type[Event] | None = None

    def read(self, payload: bytes | str) -> Event:
        """Raises msgspec.MsgspecError on what is no event."""
        if self.kind is None:
            self.kind = TYPES.get(self._named.decode(payload).type, Other)
        event: Event = self._decoders[self.kind].decode(payload)
        if self.kind is Other:
            event.fields = msgspec.json.decode(payload, type=dict[str, Any])  # type: ignore[attr-defined]
        event.channel = self.channel
        return event

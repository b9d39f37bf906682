"""The events of docs/events.md as typed structs, and what reads them. Prices and quantities are exact Decimals, times whole nanoseconds.

A field that the contract says may be null, or that not every market sends, is None. What a later version adds is not lost on the way: an
event of a type that is not known here is an `Other` with all of its fields.
"""

from p9.client.event.book import BookTicker, Depth, Snapshot, VenueTop
from p9.client.event.candle import Candle, Cvd, OpenCandle
from p9.client.event.envelope import Event, Level, Origin, Other, Side, Stress
from p9.client.event.flow import ClassFlow, Cluster, Flow, Horizon, Jumps, LargePrint, Momentum, Move, OfiWindow, PrintSizes
from p9.client.event.integrity import Audit, Gap, Integrity
from p9.client.event.liquidity import DepthProfile, Liquidity, PostingFeatures, Spoofing, Wall
from p9.client.event.market import Funding, InsuranceAlert, InsuranceFund, InsurancePool, MarkPrice, OpenInterest, Reference
from p9.client.event.options import Expiry, Maturity, OptionsIv, Worst
from p9.client.event.reader import KINDS, TYPES, EventReader
from p9.client.event.signal import Signal, SignalPart
from p9.client.event.trade import Adl, BlockTrade, Liquidation, StopTrigger, Trade

__all__ = [
    "KINDS", "TYPES", "Adl", "Audit", "BlockTrade", "BookTicker", "Candle", "ClassFlow", "Cluster", "Cvd", "Depth", "DepthProfile", "Event",
    "EventReader", "Expiry", "Flow", "Funding", "Gap", "Horizon", "InsuranceAlert", "InsuranceFund", "InsurancePool", "Integrity", "Jumps",
    "LargePrint", "Level", "Liquidation", "Liquidity", "MarkPrice", "Maturity", "Momentum", "Move", "OfiWindow", "OpenCandle", "OpenInterest",
    "OptionsIv", "Origin", "Other", "PostingFeatures", "PrintSizes", "Reference", "Side", "Signal", "SignalPart", "Snapshot", "Spoofing",
    "StopTrigger", "Stress", "Trade", "VenueTop", "Wall", "Worst",
]  # fmt: skip

"""The whole of config.yaml as one frozen struct."""

from typing import Annotated

from p9.config.appliance import Http, Log
from p9.config.capture import Capture, Monitors
from p9.config.delivery import Confirmer, Redis
from p9.config.facts import Adl, Boards, Funding, InsuranceFundMonitor, MarkPrice, OpenInterest, Reference
from p9.config.options import OptionsIv
from p9.config.section import Section, text
from p9.config.streams import (
    Audits,
    BlockTrades,
    BookTicker,
    Candles,
    Cvd,
    Flow,
    Liquidity,
    Momentum,
    Signals,
    Snapshots,
    Spoofing,
    StopTriggers,
    Stream,
)
from p9.config.venues import Venues


class Analytics(Section):
    """What is published. Section names are those that users of the reference know."""

    book_ticker_aggregator: BookTicker = BookTicker()
    depth: Stream = Stream()
    trades: Stream = Stream()
    block_trades: BlockTrades = BlockTrades()
    liquidations: Stream = Stream()
    stop_triggers: StopTriggers = StopTriggers()
    adl: Adl = Adl()
    candles: Candles = Candles()
    cvd: Cvd = Cvd()
    flow: Flow = Flow()
    liquidity: Liquidity = Liquidity()
    spoofing: Spoofing = Spoofing()
    momentum: Momentum = Momentum()
    signals: Signals = Signals()
    periodic_snapshots: Snapshots = Snapshots()
    funding: Funding = Funding()
    mark_price: MarkPrice = MarkPrice()
    open_interest: OpenInterest = OpenInterest()
    options_iv_monitor: OptionsIv = OptionsIv()
    insurance_fund_monitor: InsuranceFundMonitor = InsuranceFundMonitor()
    reference: Reference = Reference()
    integrity: Stream = Stream()
    gaps: Stream = Stream()
    audits: Audits = Audits()
    redis_publish_confirmer: Confirmer = Confirmer()


class Config(Section):
    """The whole file."""

    data_dir: Annotated[
        str, text("state, spool, snapshots and audit trail; empty: beside this file if that can be written, else the system's place")
    ] = ""
    redis: Redis = Redis()
    http: Http = Http()
    log: Log = Log()
    venues: Venues = Venues()
    capture: Capture = Capture()
    monitors: Monitors = Monitors()
    boards: Boards = Boards()
    analytics: Analytics = Analytics()

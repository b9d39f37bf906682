"""What was traded within a time."""

from decimal import Decimal

from p9.client.event.envelope import Event


class Candle(Event, kw_only=True):
    streamed = True
    open_time: int
    close_time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None
    quote_volume: Decimal | None
    buy_volume: Decimal | None
    buy_quote_volume: Decimal | None
    contracts: Decimal | None = None
    buy_contracts: Decimal | None = None
    trades: int | None
    vwap: Decimal | None
    revision: int
    final: bool
    complete: bool = True


class OpenCandle(Candle, kw_only=True):
    """The forming one."""

    streamed = False


class Cvd(Event, kw_only=True):
    """Bought less sold: of the forming interval, the one before, a sliding span and the session."""

    streamed = False
    open_time: int
    close_time: int
    delta: Decimal | None
    quote_delta: Decimal | None
    previous_delta: Decimal | None
    previous_quote_delta: Decimal | None
    rolling: Decimal | None
    quote_rolling: Decimal | None
    rolling_since: int
    session: Decimal | None
    quote_session: Decimal | None
    since: int | None
    contracts_delta: Decimal | None = None
    contracts_previous: Decimal | None = None
    contracts_rolling: Decimal | None = None
    contracts_session: Decimal | None = None
    complete: bool
    previous_complete: bool
    rolling_complete: bool
    session_complete: bool

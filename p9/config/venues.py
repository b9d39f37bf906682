"""Which markets are captured, and what of them."""

from typing import Annotated, ClassVar, Literal

from p9.config.account import Account
from p9.config.options import OptionLine
from p9.config.section import Section, between, text


class Market(Section):
    """One product line of a venue."""

    enabled: Annotated[bool, text("capture this market")] = True
    symbols: Annotated[tuple[str, ...], text("our symbols (BTC-USDT-PERP) or the venue's own; empty: BTC and ETH")] = ()
    depth: Annotated[int, between(1, 5000, "levels a side of the book")] = 1000
    speed: Annotated[str, text("cadence of the depth stream, where the venue offers several; empty: the venue row's own")] = ""
    trades: Annotated[
        Literal["default", "aggregated", "raw"],
        text("default: what REST can back-fill; raw: one event a fill, where the venue offers it"),
    ] = "default"
    rest_url: Annotated[str, text("another address of the venue's REST; empty: the venue's")] = ""
    ws_url: Annotated[str, text("another address of the venue's WebSocket; empty: the venue's")] = ""
    archive_url: Annotated[str, text("another address of the venue's files of whole days; empty: the venue's, unless rest_url is another one")] = ""


class OkxMarket(Market):
    """A market whose books have 400 levels a side in the stream and no more."""

    depth: Annotated[int, between(1, 400, "levels a side of the book")] = 400


class BinanceAccount(Account):
    optional: ClassVar[tuple[str, ...]] = ("secret",)

    key_env: Annotated[str, text("name of the environment variable that holds the key")] = "P9_BINANCE_KEY"
    secret_env: Annotated[str, text("and of the one that holds its secret; without it, spot tells nothing, and what was triggered while the line was lost is not asked for")] = "P9_BINANCE_SECRET"


class BybitAccount(Account):
    key_env: Annotated[str, text("name of the environment variable that holds the key")] = "P9_BYBIT_KEY"
    secret_env: Annotated[str, text("and of the one that holds its secret")] = "P9_BYBIT_SECRET"


class OkxAccount(Account):
    key_env: Annotated[str, text("name of the environment variable that holds the key")] = "P9_OKX_KEY"
    secret_env: Annotated[str, text("and of the one that holds its secret")] = "P9_OKX_SECRET"
    passphrase_env: Annotated[str, text("and of the one that holds its passphrase")] = "P9_OKX_PASSPHRASE"


Exchange = Literal["binance", "bybit", "okx"]


class Binance(Section):
    spot: Market = Market()
    usdm: Market = Market()
    coinm: Market = Market()
    option: OptionLine = OptionLine()
    account: BinanceAccount = BinanceAccount()


class Bybit(Section):
    spot: Market = Market()
    linear: Market = Market()
    inverse: Market = Market()
    option: OptionLine = OptionLine()
    account: BybitAccount = BybitAccount()


class Okx(Section):
    spot: OkxMarket = OkxMarket()
    swap: OkxMarket = OkxMarket()
    futures: OkxMarket = OkxMarket()
    option: OptionLine = OptionLine()
    account: OkxAccount = OkxAccount()


class Venues(Section):
    """Which markets are captured. A venue without an entry is captured with its defaults; `enabled: false` leaves a market out."""

    binance: Binance = Binance()
    bybit: Bybit = Bybit()
    okx: Okx = Okx()

    def markets(self) -> dict[str, Market]:
        """{market name: its section}, the enabled ones."""
        return {
            f"{venue}_{line}": market
            for venue in self.__struct_fields__
            for line, market in ((name, getattr(getattr(self, venue), name)) for name in getattr(self, venue).__struct_fields__)
            if isinstance(market, Market) and market.enabled
        }

    def options(self) -> dict[str, OptionLine]:
        """{exchange: its options}, the enabled ones."""
        return {venue: line for venue in self.__struct_fields__ if (line := getattr(self, venue).option).enabled}

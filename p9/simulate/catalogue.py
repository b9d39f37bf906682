"""Which instruments each market lists: bitcoin and ether first, their dated contracts, then further coins."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

# Coin: price in dollars, tick and lot as the derivatives markets write them, decimals of the spot lot.
COINS: dict[str, tuple[str, str, str, int]] = {
    "BTC": ("86000", "0.10", "0.001", 5),
    "ETH": ("2900", "0.01", "0.001", 4),
    "SOL": ("180.5", "0.0010", "0.01", 3),
    "XRP": ("2.35", "0.0001", "0.1", 1),
    "BNB": ("880", "0.010", "0.01", 3),
    "DOGE": ("0.2112", "0.000010", "1", 0),
    "ADA": ("0.6721", "0.00001", "1", 1),
    "LINK": ("17.85", "0.0001", "0.01", 2),
    "AVAX": ("21.40", "0.0010", "0.1", 2),
    "LTC": ("96.5", "0.001", "0.001", 3),
    "SUI": ("2.71", "0.00010", "0.1", 1),
    "TRX": ("0.31452", "0.00001", "1", 1),
    "DOT": ("4.215", "0.0001", "0.1", 2),
    "BCH": ("512.3", "0.01", "0.001", 3),
    "NEAR": ("2.954", "0.0001", "1", 1),
    "UNI": ("8.412", "0.0001", "0.1", 2),
    "APT": ("5.113", "0.0001", "0.1", 2),
    "1000PEPE": ("0.0094521", "0.0000001", "1", 0),
    "FIL": ("2.317", "0.0001", "0.1", 2),
    "ETC": ("19.85", "0.001", "0.01", 2),
}
PERPETUAL_MS = 4_133_404_800_000


@dataclass(frozen=True)
class Listing:
    """One row of a venue's reference data. `kind` is spot, linear or inverse; `lot` and `tick` are padded as the
    venue pads them; `contract_value` is one unit of quantity in base coins (linear) or dollars (inverse)."""

    market: str
    symbol: str
    base: str
    quote: str
    settle: str
    kind: str
    tick: str
    lot: str
    price: str
    contract_value: Decimal = Decimal(1)
    expiry_ms: int | None = None
    pair: str = ""
    contract: str = ""  # PERPETUAL, CURRENT_QUARTER, NEXT_QUARTER; empty on spot

    def median_lots(self) -> int:
        """About 2,500 dollars an order."""
        unit = Decimal(self.lot) * self.contract_value
        worth = unit if self.kind == "inverse" else unit * Decimal(self.price)
        return max(2, int(Decimal(2500) / worth))


def quarters(start_ms: int) -> list[int]:
    """The next two quarterly expiries that are more than five days away: last Fridays at 08:00 UTC, in ms."""
    found, day = [], datetime.fromtimestamp(start_ms / 1000, UTC)
    year, month = day.year, (day.month - 1) // 3 * 3 + 3
    while len(found) < 2:
        after = datetime(year + (month == 12), month % 12 + 1, 1, 8, tzinfo=UTC)
        friday = after - timedelta(days=(after.weekday() - 5) % 7 + 1)
        if friday.timestamp() * 1000 > start_ms + 5 * 86_400_000:
            found.append(int(friday.timestamp() * 1000))
        year, month = (year + 1, 3) if month == 12 else (year, month + 3)
    return found


def _coins(n: int) -> list[str]:
    """`n` coins: the known ones, then invented ones."""
    names = list(COINS)
    for number in range(len(names), n):
        name = f"COIN{number}"
        COINS.setdefault(name, (f"{1 + number % 7}.{number:03d}", "0.0001", "0.1", 1))
        names.append(name)
    return names[:n]


def _date(ms: int, text: str) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(text)


def _with_dated(n: int, dated: int) -> list[tuple[str, int | None]]:
    """(coin, which quarter or None): BTC and ETH perpetuals, then their quarters, then other perpetuals."""
    rows: list[tuple[str, int | None]] = [("BTC", None), ("ETH", None)]
    rows += [(coin, quarter) for quarter in range(dated) for coin in ("BTC", "ETH")]
    rows += [(coin, None) for coin in _coins(n + 2)[2:]]
    return rows[:n]


def listings(market: str, n: int, start_ms: int) -> list[Listing]:
    """The first `n` instruments of a market, as they stand at `start_ms`."""
    return _BUILDERS[market](market, n, quarters(start_ms))


def _binance_spot(market: str, n: int, ends: list[int]) -> list[Listing]:
    rows = []
    for coin in _coins(n):
        price, tick, _, lot = COINS[coin]
        tick8 = f"{Decimal(tick) / (10 if coin == 'BTC' else 1):.8f}"
        rows.append(
            Listing(market, f"{coin}USDT", coin, "USDT", "", "spot", tick8, f"{Decimal(1).scaleb(-lot):.8f}", price)
        )
    return rows


def _binance_usdm(market: str, n: int, ends: list[int]) -> list[Listing]:
    rows = []
    for coin, quarter in _with_dated(n, 2):
        price, tick, lot, _ = COINS[coin]
        symbol, expiry, contract = f"{coin}USDT", None, "PERPETUAL"
        if quarter is not None:
            expiry = ends[quarter]
            contract = ("CURRENT_QUARTER", "NEXT_QUARTER")[quarter]
            symbol += "_" + _date(expiry, "%y%m%d")
        pair = f"{coin}USDT"
        rows.append(
            Listing(
                market, symbol, coin, "USDT", "USDT", "linear", tick, lot, price, Decimal(1), expiry, pair, contract
            )
        )
    return rows


def _binance_coinm(market: str, n: int, ends: list[int]) -> list[Listing]:
    rows = []
    for coin, quarter in _with_dated(n, 2):
        price, tick, _, _ = COINS[coin]
        tick = "0.1" if coin == "BTC" else tick
        symbol, expiry, contract = f"{coin}USD_PERP", None, "PERPETUAL"
        if quarter is not None:
            expiry = ends[quarter]
            contract = ("CURRENT_QUARTER", "NEXT_QUARTER")[quarter]
            symbol = f"{coin}USD_" + _date(expiry, "%y%m%d")
        value, pair = Decimal(100 if coin == "BTC" else 10), f"{coin}USD"
        rows.append(
            Listing(market, symbol, coin, "USD", coin, "inverse", tick, "1", price, value, expiry, pair, contract)
        )
    return rows


def _bybit_spot(market: str, n: int, ends: list[int]) -> list[Listing]:
    rows = []
    for coin in _coins(n):
        price, tick, _, lot = COINS[coin]
        tick = str(Decimal(tick).normalize())
        step = f"{Decimal(1).scaleb(-lot - 1):f}"
        rows.append(Listing(market, f"{coin}USDT", coin, "USDT", "", "spot", tick, step, price))
    return rows


def _bybit_linear(market: str, n: int, ends: list[int]) -> list[Listing]:
    rows = []
    for coin, quarter in _with_dated(n, 1):
        price, tick, lot, _ = COINS[coin]
        symbol, expiry, contract = f"{coin}USDT", None, "LinearPerpetual"
        if quarter is not None:
            expiry, contract = ends[quarter], "LinearFutures"
            symbol += _date(expiry, "-%d%b%y").upper()
        rows.append(
            Listing(
                market, symbol, coin, "USDT", "USDT", "linear", tick, lot, price, Decimal(1), expiry, symbol, contract
            )
        )
    return rows


def _bybit_inverse(market: str, n: int, ends: list[int]) -> list[Listing]:
    rows = []
    for coin, quarter in _with_dated(n, 2):
        price, tick, _, _ = COINS[coin]
        symbol, expiry, contract = f"{coin}USD", None, "InversePerpetual"
        if quarter is not None:
            expiry, contract = ends[quarter], "InverseFutures"
            symbol += "HMUZ"[int(_date(expiry, "%m")) // 3 - 1] + _date(expiry, "%y")
        rows.append(
            Listing(
                market, symbol, coin, "USD", coin, "inverse", tick, "1", price, Decimal(1), expiry, symbol, contract
            )
        )
    return rows


def _okx_spot(market: str, n: int, ends: list[int]) -> list[Listing]:
    rows = []
    for coin in _coins(n):
        price, tick, _, _ = COINS[coin]
        tick = str(Decimal(tick).normalize())
        rows.append(Listing(market, f"{coin}-USDT", coin, "USDT", "", "spot", tick, "0.00000001", price))
    return rows


def _okx_contract(market: str, coin: str, quote: str, expiry: int | None, contract: str) -> Listing:
    price, tick, _, _ = COINS[coin]
    tick = str(Decimal(tick).normalize())
    family = f"{coin}-{quote}"
    symbol = f"{family}-SWAP" if expiry is None else family + _date(expiry, "-%y%m%d")
    if quote == "USD":
        value, lot, settle, kind = Decimal(100 if coin == "BTC" else 10), "0.1", coin, "inverse"
    else:
        value = {"BTC": Decimal("0.01"), "ETH": Decimal("0.1")}.get(coin)
        if value is None:
            value = Decimal(1) if Decimal(price) > 10 else Decimal(10)
        lot, settle, kind = "0.01", quote, "linear"
    return Listing(market, symbol, coin, quote, settle, kind, tick, lot, price, value, expiry, family, contract)


def _okx_swap(market: str, n: int, ends: list[int]) -> list[Listing]:
    rows = [("BTC", "USDT"), ("ETH", "USDT"), ("BTC", "USD"), ("ETH", "USD")]
    rows += [(coin, "USDT") for coin in _coins(n + 2)[2:]]
    return [_okx_contract(market, coin, quote, None, "") for coin, quote in rows[:n]]


def _okx_futures(market: str, n: int, ends: list[int]) -> list[Listing]:
    rows = [
        (coin, quote, end, alias)
        for end, alias in zip(ends, ("quarter", "next_quarter"), strict=True)
        for quote in ("USDT", "USD")
        for coin in ("BTC", "ETH")
    ]
    rows += [(coin, "USDT", ends[0], "quarter") for coin in _coins(n)[2:]]
    return [_okx_contract(market, *row) for row in rows[:n]]


_BUILDERS = {
    "binance_spot": _binance_spot,
    "binance_usdm": _binance_usdm,
    "binance_coinm": _binance_coinm,
    "bybit_spot": _bybit_spot,
    "bybit_linear": _bybit_linear,
    "bybit_inverse": _bybit_inverse,
    "okx_spot": _okx_spot,
    "okx_swap": _okx_swap,
    "okx_futures": _okx_futures,
}
MARKETS = tuple(_BUILDERS)
OPTION_MARKETS = ("binance_option", "bybit_option", "okx_option")  # their instruments: p9.simulate.option_chain

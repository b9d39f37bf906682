"""Options: what is captured of them, and what is read off their volatilities."""

from typing import Annotated

from p9.config.section import Seconds, Section, between, text
from p9.config.streams import Stream


class OptionLine(Section):
    """The options of a venue; which of them, analytics.options_iv_monitor says."""

    enabled: Annotated[bool, text("capture this venue's options")] = True
    rest_url: Annotated[str, text("another address of their REST; empty: the venue's")] = ""
    ws_url: Annotated[str, text("another address of their WebSocket; empty: the venue's")] = ""


class OptionsIv(Stream):
    """Implied volatilities by strike, expiry and constant maturity, once a second."""

    underlyings: Annotated[tuple[str, ...], text("coins (all chains of BTC) or single chains (BTC-USDT)")] = ("BTC", "ETH")
    interval: Annotated[Seconds, text("between two events of one chain")] = Seconds("1s")
    poll_interval: Annotated[Seconds, text("between two questions by REST for what no stream tells")] = Seconds("10s")
    instruments_interval: Annotated[Seconds, text("between two looks for new options; after an expiry and for an unknown option it is looked at once")] = Seconds("10m")
    maturities: Annotated[tuple[Annotated[int, between(1, 3650, "")], ...], text("constant maturities, in days (1 to 3650)")] = (7, 30, 90)
    max_spread_percent: Annotated[float, between(0.0, 200.0, "of the middle of bid and ask volatility: a strike whose quotes stand farther apart is not used")] = 25.0
    min_life: Annotated[Seconds, text("an expiry that ends sooner has rows and no figures")] = Seconds("12h")
    stale: Annotated[Seconds, text("a quote that is older is not used, and not told")] = Seconds("90s")
    disagreement: Annotated[float, between(0.0, 1.0, "of a mark volatility with its mark price, as a volatility: more is counted as a disagreement")] = 0.01
    arbitrage_tolerance: Annotated[float, between(0.0, 1.0, "error of each volatility that is no arbitrage yet")] = 0.0005
    max_rows: Annotated[int, between(10, 5000, "options in one event; of each expiry those nearest to the forward stay")] = 1000

    _bounds = {
        "interval": (Seconds("250ms"), Seconds("1m")), "poll_interval": (Seconds("1s"), Seconds("1h")),
        "instruments_interval": (Seconds("30s"), Seconds("24h")), "min_life": (Seconds("0s"), Seconds("30d")), "stale": (Seconds("5s"), Seconds("1h")),
    }  # fmt: skip

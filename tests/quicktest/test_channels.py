"""What a full run asks for is every channel of docs/events.md, on every market that has it by the coverage table."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from p9 import coverage
from p9.config import Config
from p9.option import options_of
from p9.quicktest import channels
from p9.quicktest.trial import FULL_S, Trial
from p9.venue import market

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
MARKETS = [row.name for row in coverage.rows()]
EXCUSED: dict[str, str] = {}  # channels that not even a full run asks for, and why: there are none


def patterns_of_the_page() -> set[str]:
    """The channels that docs/events.md promises, as it writes them."""
    text = PAGE.read_text(encoding="utf-8").partition("\n## Channels\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_:{}-]+)` \|", text, re.M))


class Oracle:
    async def get(self, path: str):
        assert path == "/oracle/insurance"
        return [{"venue": venue, "asset": "USDT"} for venue in ("binance", "bybit", "okx")]


def trial_of(seconds: float, simulated: bool = True) -> Trial:
    """Of one perpetual and one other instrument on each market, nothing of which runs."""
    captures = {}
    for name in MARKETS:
        row = market(name)
        kind = "spot" if name.endswith("spot") else "future" if name.endswith("futures") else "perpetual"
        rows = {ix: SimpleNamespace(exchange=row.exchange, market=name, symbol=f"{base}-{kind}", kind=kind) for ix, base in enumerate(("BTC", "ETH"))}
        captures[name] = SimpleNamespace(market=row, instruments=rows)
    options = SimpleNamespace(rows=lambda: [SimpleNamespace(exchange=row.exchange, underlyings=("BTC-USDT",)) for row in map(_options, ("binance", "bybit", "okx"))])
    appliance = SimpleNamespace(captures=captures, config=Config(), markets=SimpleNamespace(options=options))
    return Trial(appliance, Oracle() if simulated else None, seconds)


def _options(exchange: str):
    return options_of(exchange).market


async def test_a_full_run_asks_for_every_channel_of_the_page():
    asked = {one.pattern for one in await channels.wanted(trial_of(120.0))}
    assert asked == patterns_of_the_page() - EXCUSED.keys(), "a channel that is new has to be planted, if it needs a cause, and be in the coverage table"


@pytest.mark.parametrize("name", MARKETS)
async def test_a_full_run_asks_for_each_of_them_on_every_market_that_has_it(name):
    trial = trial_of(120.0)
    some = await channels.wanted(trial)
    row = trial.appliance.captures[name].market
    symbols = [one.symbol for one in trial.appliance.captures[name].instruments.values()]
    for occasions in (False, True):
        for kind in coverage.kinds_of(row, occasions=occasions):
            its = [one for one in some if one.kind == kind and one.exchange == row.exchange and any(one.symbol.startswith(symbol) for symbol in symbols)]
            of_venue = [one for one in some if one.kind == kind and one.exchange == row.exchange and one.symbol in ("", "-", "USDT")]
            dated = kind == "funding" and name.endswith("futures")  # which pay none
            assert its or dated or (of_venue and kind in channels.OF_VENUE), kind


async def test_a_shorter_run_says_what_it_does_not_ask_for_and_asks_for_the_rest():
    trial = trial_of(FULL_S - 1)
    left_out = channels.not_asked(trial)
    asked = {one.pattern for one in await channels.wanted(trial)}
    caused = {"adl", "block_trades", "insurance_alerts", "liquidations"}  # once it was planted
    assert left_out.keys() <= patterns_of_the_page() and all(left_out.values())
    assert asked | left_out.keys() | caused == patterns_of_the_page()
    assert channels.not_asked(trial_of(FULL_S)) == {} == channels.not_asked(trial_of(20.0, simulated=False))


async def test_longer_candles_are_asked_of_longer_runs_alone():
    def longest(some):
        return {one.symbol.rpartition(":")[2] for one in some if one.kind == "candles"}

    assert longest(await channels.wanted(trial_of(8.0))) == {"1s"}
    assert longest(await channels.wanted(trial_of(20.0))) == {"1s", "5s"}
    assert longest(await channels.wanted(trial_of(120.0))) == {"1s", "5s", "10s", "15s", "30s", "1m"}
    assert len({one.symbol for one in await channels.wanted(trial_of(8.0)) if one.kind == "cvd" and one.symbol.startswith("BTC-spot:")}) == 15

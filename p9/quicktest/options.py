"""Every option's row of the newest event, against the texts that the simulated venue sends while its surface stands still."""

from decimal import Decimal
from typing import Any

from p9.quicktest.trial import Trial

SETTLED_S = 30.0
# our column: the simulated venue's own text; those that every venue streams
TEXTS = {"mark_iv": "vol", "delta": "delta", "gamma": "gamma", "vega": "vega", "theta": "theta"}


async def check(trial: Trial) -> None:
    """While the simulator is frozen."""
    if not trial.appliance.config.analytics.options_iv_monitor.enabled or trial.appliance.markets is None:
        return
    n = 0
    wrong: list[str] = []
    for exchange, capture in trial.appliance.markets.options.captures.items():
        for underlying, chain in capture.chains.items():
            options = {symbol: quote.instrument for symbol, quote in chain.options.items()}

            async def look(exchange: str = exchange, underlying: str = underlying, options: dict[str, Any] = options) -> list[str]:
                nonlocal n
                event = await trial.last(f"{trial.word('options_iv')}:{exchange}:{underlying}")
                if event is None:
                    return ["nobody told it"]
                assert trial.simulator is not None
                truth = await trial.simulator.get(f"/oracle/options/{event['market']}/{event['venue_symbol']}?at={trial.frozen_ms}")
                n, different = n + len(options), _compare(event, truth["options"], options)
                return different

            wrong += [f"{exchange} {underlying}: {text}" for text in await trial.settled(look, SETTLED_S)]
    trial.note("every option is the venue's", n and not wrong, "; ".join(wrong[:3]) or f"{n:,} rows")


def _compare(event: dict[str, Any], texts: dict[str, dict[str, str]], options: dict[str, Any]) -> list[str]:
    rows = {(expiry["expiry"], row[0], row[1]): dict(zip(event["columns"], row, strict=True)) for expiry in event["expiries"] for row in expiry["rows"]}
    if set(options) != set(texts) or len(rows) != len(texts):
        return [f"{len(rows)} rows of {len(options)} options, not {len(texts)}"]
    found = []
    for symbol, one in options.items():
        row, sent = rows[one.expires_ns, one.strike, one.option_type], texts[symbol]
        found += [
            f"{symbol}: {column} is {row[column]}, not {sent[key]}"
            for column, key in TEXTS.items()
            if key in sent and (row[column] is None or Decimal(row[column]) != Decimal(sent[key]))
        ]
    return found

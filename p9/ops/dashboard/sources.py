"""What the views read: the appliance's own parts, at the moment that they are looked at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from p9.capture.capture import Capture
from p9.capture.ledger import Ledger
from p9.instrument import Instrument
from p9.ops.dashboard.history import History
from p9.ops.dashboard.watch import Watch


@dataclass(frozen=True)
class Sources:
    """`captures` by market name; `status` and `not_ready` the appliance's; `config` the configuration in force, as plain data without secrets."""

    captures: Callable[[], dict[str, Capture]]
    status: Callable[[], dict[str, Any]]
    not_ready: Callable[[], list[str]]
    config: Callable[[], dict[str, Any]]
    budgets: Callable[[], dict[str, Any]]
    ledger: Ledger
    watch: Watch
    history: History

    def instruments(self) -> Iterator[tuple[Capture, int, Instrument]]:
        """Every captured instrument with its capture and its index there."""
        for capture in self.captures().values():
            for ix, row in capture.instruments.items():
                yield capture, ix, row

    def find(self, exchange: str, symbol: str) -> tuple[Capture, int, Instrument] | None:
        for capture, ix, row in self.instruments():
            if row.exchange == exchange and row.symbol == symbol:
                return capture, ix, row
        return None

"""How long a test waits for what must come. It costs nothing where it comes, and a machine full of other work may be slow: only what never comes takes it."""

import asyncio
import time
from collections.abc import Callable

PATIENCE_S = 90.0


async def until(condition: Callable[[], object], pause_s: float = 0.01) -> None:
    """Wait for `condition()`."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, "it did not come to pass in time"
        await asyncio.sleep(pause_s)

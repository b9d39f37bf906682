"""What a client's process and its test say to each other: lines of JSON, one word back.

    client: {"ready": true}     test: frozen     client: {"instruments": ..., ...}     test: (closes)
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable

READY_WITHIN_S = 60.0
DRAIN_S = 0.7  # after the simulator has stopped: what is still on its way arrives


def endpoints() -> dict[str, dict[str, str]]:
    """{market: {"rest": base, "ws": base}}, the first argument."""
    return json.loads(sys.argv[1])


async def _heard() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def until_frozen(ready: Callable[[], bool]) -> None:
    """Tell that there is enough of everything, wait for the test's word, and for what was under way."""
    async with asyncio.timeout(READY_WITHIN_S):
        while not ready():
            await asyncio.sleep(0.05)
    print('{"ready": true}', flush=True)
    await _heard()
    await asyncio.sleep(DRAIN_S)


async def tell(**fields: object) -> None:
    """The result; the subscriptions stay until the test has looked at the other side of them."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(fields), flush=True)
        await _heard()

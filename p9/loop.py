"""The event loop: uvloop, its Windows sibling winloop, or asyncio where neither is installed."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any


def _factory() -> tuple[str, Any]:
    name = "winloop" if sys.platform == "win32" else "uvloop"
    try:
        module = __import__(name)
    except ImportError:
        return "asyncio", None
    return name, module.new_event_loop


NAME, _new_event_loop = _factory()


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run `main` to its end on a loop of its own; its result."""
    with asyncio.Runner(loop_factory=_new_event_loop) as runner:
        return runner.run(main)

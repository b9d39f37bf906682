"""Structured logs: one event a line, stable names, JSON where no person is watching."""

import logging
import sys
from collections import deque
from typing import Any

import structlog

KEPT = 500
MOST_TEXT = 2000  # of one line's value that is kept


class Recent:
    """The last lines, for who looks at them later, each with its number `n`, which only grows. A processor of structlog."""

    def __init__(self) -> None:
        self.lines: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.n = 0

    def __call__(self, logger: Any, method: str, line: Any) -> Any:
        self.n += 1
        self.lines.append({"n": self.n, **{key: value if isinstance(value, int | float) else str(value)[:MOST_TEXT] for key, value in line.items()}})
        return line


RECENT = Recent()


def configure(level: str = "info", format: str = "auto") -> None:
    """`format`: "text" for people, "json" for machines, "auto" by whether standard error is a terminal."""
    as_text = format == "text" or (format == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            RECENT,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def get(name: str) -> Any:
    """A logger whose lines say which part speaks."""
    return structlog.get_logger(part=name)

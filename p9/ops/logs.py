"""Structured logs: one event a line, stable names, JSON where no person is watching."""

import logging
import sys
from typing import Any

import structlog


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
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def get(name: str) -> Any:
    """A logger whose lines say which part speaks."""
    return structlog.get_logger(part=name)

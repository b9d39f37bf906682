"""Structured logs: one event a line, stable names, JSON where no person is watching, and in a file beside the state.

A part that repeats itself is cut short: of one event, so many lines in ten seconds; the next one says how many were left out.
"""

import logging
import sys
import time
from pathlib import Path
from typing import Any

import structlog

from p9.ops.log_file import LogFile
from p9.records import Records
from p9.secret import censored

KEPT, KEPT_BYTES = 500, 200_000
MOST_TEXT = 2000  # of one line's value that is kept
MOST_LINES = 50
SPAN_S = 10.0


def cover(logger: Any, method: str, line: Any) -> Any:
    """What is secret is covered, whoever says it. A processor of structlog."""
    for key, value in line.items():
        text = value if isinstance(value, str) else None if isinstance(value, int | float | None) else str(value)
        if text is not None and (covered := censored(text)) != text:
            line[key] = covered
    return line


class Recent:
    """The last lines, for who looks at them later, each with its number `n`, which only grows. A processor of structlog."""

    def __init__(self) -> None:
        self.lines = Records(KEPT, KEPT_BYTES)
        self.n = 0

    def __call__(self, logger: Any, method: str, line: Any) -> Any:
        self.n += 1
        self.lines.append({"n": self.n, **{key: value if isinstance(value, int | float) else str(value)[:MOST_TEXT] for key, value in line.items()}})
        return line


class Sparing:
    """At most MOST_LINES of one event of one part in SPAN_S. A processor of structlog."""

    def __init__(self) -> None:
        self.suppressed = 0
        self._seen: dict[tuple[str, str], list[float]] = {}  # {(part, event): [when the span began, lines in it, left out since the last one]}

    def __call__(self, logger: Any, method: str, line: Any) -> Any:
        now_s = time.monotonic()
        seen = self._seen.setdefault((str(line.get("part")), str(line.get("event"))), [now_s, 0, 0])
        if now_s - seen[0] >= SPAN_S:
            seen[0], seen[1] = now_s, 0
        seen[1] += 1
        if seen[1] > MOST_LINES:
            seen[2] += 1
            self.suppressed += 1
            raise structlog.DropEvent
        if seen[2]:
            line["suppressed"], seen[2] = int(seen[2]), 0
        return line


class Output:
    """Where lines go that people read: standard error, or what stands before it for now (a view at the foot of a terminal)."""

    def __init__(self) -> None:
        self.through: Any = None

    def write(self, text: str) -> int:
        return (self.through or sys.stderr).write(text)

    def flush(self) -> None:
        (self.through or sys.stderr).flush()


RECENT = Recent()
SPARING = Sparing()
FILE = LogFile()
OUTPUT = Output()


def configure(level: str = "info", format: str = "auto") -> None:
    """`format`: "text" for people, "json" for machines, "auto" by whether standard error is a terminal."""
    as_text = format == "text" or (format == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            SPARING,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            cover,
            RECENT,
            FILE,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(OUTPUT),  # type: ignore[arg-type]
    )


def write_file(path: Path, max_bytes: int, files: int) -> None:
    """JSON lines into `path` too, until `close_file`. A place that cannot be written is said, and costs nothing else."""
    try:
        FILE.open(path, max_bytes, files)
    except OSError as error:
        get("logs").warning("no log file", file=str(path), reason=str(error))


def close_file() -> None:
    FILE.close()


def get(name: str) -> Any:
    """A logger whose lines say which part speaks."""
    return structlog.get_logger(part=name)

"""The log on disk: JSON lines in the data directory, rotated by size, written by a thread of its own. A full or slow disk delays nothing: what does not
fit is left out and counted."""

import logging
import queue
from logging.handlers import QueueListener, RotatingFileHandler
from pathlib import Path
from typing import Any

import msgspec

MOST_WAITING = 10_000


class LogFile:
    """A processor of structlog, once `open` was called; before that and after `close` it does nothing."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.left_out = 0
        self._queue: queue.Queue[Any] = queue.Queue(MOST_WAITING)
        self._listener: QueueListener | None = None

    def open(self, path: Path, max_bytes: int, files: int) -> None:
        """Write to `path`, with `files` older ones beside it. Raises OSError."""
        self.close()
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=max_bytes, backupCount=files, encoding="utf-8", delay=False)
        handler.handleError = self._refused  # type: ignore[method-assign]
        self._listener = QueueListener(self._queue, handler)
        self._listener.start()
        self.path = path

    def close(self) -> None:
        """Write what waits, and end."""
        if self._listener is not None:
            listener, self._listener, self.path = self._listener, None, None
            listener.stop()
            for handler in listener.handlers:
                handler.close()

    def _refused(self, record: logging.LogRecord) -> None:
        self.left_out += 1

    def __call__(self, logger: Any, method: str, line: Any) -> Any:
        if self._listener is not None:
            text = msgspec.json.encode(dict(line), enc_hook=str).decode()
            try:
                self._queue.put_nowait(logging.makeLogRecord({"msg": text}))
            except queue.Full:
                self.left_out += 1
        return line

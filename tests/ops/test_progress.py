"""A bar on a terminal, plain lines elsewhere."""

import io

from p9.ops.progress import BAR, PLAIN_EVERY_S, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_a_bar_that_is_rewritten():
    stream, now = Terminal(), [0.0]
    progress = Progress(stream, clock_s=lambda: now[0])
    progress.show(0.0, "BTC-USDT trades 2026-11-01T00:00:00Z", "0 rows")
    now[0] = 30.0
    progress.show(0.25, "BTC-USDT trades 2026-11-01T06:00:00Z", "1,440 rows")
    first, second = stream.getvalue().split("\r\x1b[2K")[1:]
    assert first.startswith("[" + "." * BAR + "]   0%  BTC-USDT trades 2026-11-01T00:00:00Z  0 rows") and "to go" not in first
    assert second.startswith("[######" + "." * (BAR - 6) + "]") and ", 90 s to go" in second
    progress.clear()
    assert stream.getvalue().endswith("\r\x1b[2K") and "\n" not in stream.getvalue()


def test_where_there_is_none_a_line_comes_now_and_then():
    stream, now = io.StringIO(), [0.0]
    progress = Progress(stream, clock_s=lambda: now[0])
    for second in range(25):
        now[0] = float(second)
        progress.show(second / 100, f"A-B candles at {second}", f"{second} rows")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2 and lines[0].startswith(f" 10%, 90 s to go  A-B candles at {PLAIN_EVERY_S:.0f}  10 rows")
    progress.clear()
    assert "\x1b" not in stream.getvalue() and "\r" not in stream.getvalue()

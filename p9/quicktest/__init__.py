"""--quick-test: the whole pipeline for a while, then a table of checks with figures.

On simulated venues every book, candle, trade and polled figure is held against the simulator's truth, and faults are planted on the way; on live venues
against what the venues themselves tell. Ends with one line of JSON; the exit code is 0 only if every check passed.
"""

from p9.quicktest.quicktest import QuickTest

__all__ = ["QuickTest"]

"""The coverage table is what the code's rows say, and no market is silently without a feed."""

from pathlib import Path

import pytest

from p9.coverage import FEEDS, HISTORY, render, rows

PAGE = Path(__file__).parents[1] / "docs" / "coverage.md"


def test_the_page_is_written_from_the_rows():
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m p9.coverage > docs/coverage.md"


@pytest.mark.parametrize("feed", [*FEEDS, *HISTORY], ids=lambda feed: feed.name)
def test_every_market_has_a_feed_or_says_why_not(feed):
    silent = [row.name for row in rows() if (cell := feed.cell(row)).sign == "–" and not cell.why]
    assert not silent, f"{feed.name}: {silent} have not got it and do not say why"
    told_both = [row.name for row in rows() if (cell := feed.cell(row)).sign != "–" and cell.why]
    assert not told_both


def test_what_the_design_asks_of_every_venue_is_there():
    """One market of each venue at least."""
    wanted = ("Order book", "Best bid and ask", "Trades", "Liquidations", "Mark and index price", "Funding", "Open interest", "Insurance fund", "Reference: instruments",
              "Reference: risk and fees", "Reference: status and calendar")  # fmt: skip
    for feed in FEEDS:
        if feed.name in wanted:
            assert {row.exchange for row in rows() if feed.cell(row).sign != "–"} == {row.exchange for row in rows()}, feed.name
    assert {feed.name for feed in FEEDS} >= set(wanted)

"""The report of an evaluation in a real Chromium: light, dark and on a phone; nothing is asked of anybody. Pictures are left in build/screenshots."""

import pytest

from p9.evaluation.report import page
from tests.evaluation.test_report import made
from tests.web.browser import CHECKER, browser, watched


@pytest.mark.parametrize("instruments", [1, 3])
def test_the_report_is_shown_as_it_is_without_asking_anybody(tmp_path, instruments):
    panel, scopes = made(instruments)
    path = tmp_path / "report.html"
    path.write_text(page(panel, scopes, ["a_recording_with_a_name_that_is_longer_than_a_phone_is_wide.jsonl.gz"], 1), encoding="utf-8")
    with browser() as one:
        seen = {}
        for scheme, width in (("light", 1280), ("dark", 1280), ("light", 420)):
            shown = watched(one, path.as_uri(), color_scheme=scheme, viewport={"width": width, "height": 900})
            shown.page.goto(path.as_uri())
            seen[scheme] = shown.page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert shown.page.evaluate("document.documentElement.scrollWidth") <= width, "nothing is cut off or hangs out"
            assert shown.page.locator("svg").count() > 5
            shown.shoot(f"report-{instruments}-{scheme}-{width}", whole=True)
            if CHECKER.exists():
                assert shown.barriers() == []
            assert shown.complaints == []
        assert seen["light"] != seen["dark"]

"""The dashboard in a real Chromium, as a person uses it: on the whole appliance with its simulated venues."""

import itertools
import json
import random
import re
import urllib.request

import pytest

from p9.packaging import charts
from tests.web.appliance import Appliance
from tests.web.browser import CHECKER, browser, chromium, watched

VIEWS = ("overview", "desk", "boards", "options", "timeline", "system")


@pytest.fixture(scope="module")
def appliance(tmp_path_factory):
    chromium()
    charts.fetch(tests=True)
    with Appliance(tmp_path_factory.mktemp("dashboard"), "--faults", "drop:0.001") as one:
        yield one


@pytest.fixture(scope="module")
def chrome():
    with browser() as one:
        yield one


# How many rows of a canvas are written on: there is more than a bar's one colour
INK = """([within, height]) => {
    const canvas = document.querySelector(`${within} canvas, canvas${within}`), {width, data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const points = new Uint32Array(data.buffer), each = width * Math.round(height * canvas.width / canvas.clientWidth);
    return Array.from({length: Math.floor(points.length / each)}, (_, n) => new Set(points.subarray(n * each, (n + 1) * each)).size).filter(colours => colours > 8).length;
}"""


def test_a_person_walks_through_it(appliance, chrome):
    """Figures that move, every view by key and by click, search, themes, timeframes; nothing complains and nobody else is asked."""
    page = watched(chrome, appliance.url)
    page.go("")
    page.until("() => document.querySelector('#link').innerText === 'live'")
    page.until("() => document.querySelectorAll('.tile').length === 8 && /18 \\/ 18/.test(document.querySelector('.tiles').innerText)")
    page.changes(".tiles")
    assert page.page.locator("table[aria-label=Markets] tbody tr").count() == 9
    assert page.page.locator("table[aria-label=Instruments] tbody tr").count() == 18
    page.shoot("overview-dark")

    page.page.keyboard.press("/")
    page.page.locator("#search input").fill("perp btc")
    assert page.page.locator("#search li").count() >= 3
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("ArrowUp")
    page.page.keyboard.press("Enter")
    page.until("() => /desk/.test(location.hash) && document.querySelector('.head h1 button')?.innerText === 'BTC-USDT-PERP'")
    page.until("() => document.querySelectorAll('.tape li').length > 3")
    page.changes(".ladder table")
    page.changes(".tape ol")
    told = page.page.eval_on_selector_all(".ladder tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.replaceAll(',', '')))")
    sides, prices = [side.split()[0] for side, *_ in told], [float(price) for _, price, *_ in told]
    assert len(prices) >= 20 and prices == sorted(set(prices), reverse=True)  # from the highest ask down to the lowest bid
    assert sides == sorted(sides) and set(sides) == {"ask", "bid"}
    for rows, height in ((".ladder", 17), (".tape", 18)):
        assert page.page.evaluate(INK, [rows, height]) >= 20  # what is told is drawn as well
    if charts.fetched():
        page.until("() => document.querySelectorAll('.candles canvas').length >= 2")
    page.until("() => document.querySelector('.heat .note').innerText.includes('a row')")

    page.page.get_by_role("button", name="1s", exact=True).click()
    page.until("() => /1s$/.test(location.hash) && document.querySelector('.candles .note')?.innerText.startsWith('1s')")
    page.page.keyboard.press(".")
    page.until("() => /5s$/.test(location.hash)")
    page.page.keyboard.press("]")
    page.until("() => document.querySelector('.head h1 button')?.innerText !== 'BTC-USDT-PERP'")
    page.until("() => document.querySelectorAll('.tape li').length > 3")

    for n, view in enumerate(VIEWS, 1):
        page.page.keyboard.press(str(n))
        page.until(f"() => location.hash.startsWith('#/{view}') && document.querySelector('nav a[aria-current=page]')?.dataset.view === '{view}'")
    page.page.get_by_label("Find a configuration key").fill("max_viewers")
    page.until("() => [...document.querySelectorAll('.tree .leaf')].filter(leaf => leaf.checkVisibility()).map(leaf => leaf.innerText).join() === 'max_viewers\\n32'")
    page.page.keyboard.press("Escape")
    page.page.locator("nav a", has_text="Integrity").click()
    page.until("() => /of 18 synced/.test(document.querySelector('.lanes .note').innerText)")
    page.until("() => document.querySelectorAll('.events li').length > 3")
    page.shoot("timeline-dark")

    page.page.keyboard.press("?")
    assert page.page.locator("#help").is_visible()
    page.page.keyboard.press("2")  # a dialog is open: keys are its own
    page.page.keyboard.press("Escape")
    assert not page.page.locator("#help").is_visible() and "#/timeline" in page.page.url
    page.page.keyboard.press("t")
    page.page.reload()
    assert page.page.evaluate("document.documentElement.dataset.theme") == "light"  # it is remembered
    page.go("desk/absent/GONE")
    page.until("() => /no such view/i.test(document.querySelector('main').innerText)")
    assert page.complaints == []


LOOKS = {
    "dark": ({"color_scheme": "dark", "viewport": {"width": 1600, "height": 1000}}, VIEWS),
    "light": ({"color_scheme": "light", "viewport": {"width": 1280, "height": 900}}, ("desk", "overview", "timeline")),
    "phone": ({"color_scheme": "light", "viewport": {"width": 390, "height": 844}}, ("desk", "overview")),
}


@pytest.mark.parametrize("name", LOOKS)
def test_everybody_can_use_it(appliance, chrome, name):
    """axe finds no barrier, nothing is wider than the screen, and what is drawn is told as well."""
    charts.fetch(tests=True)
    if not CHECKER.exists():
        pytest.skip("axe-core cannot be fetched here: there is no npm")
    settings, views = LOOKS[name]
    page, barriers = watched(chrome, appliance.url, **settings), {}
    for view in VIEWS:
        page.go(view)
        page.until(f"() => document.querySelector('main').className === '{view}' && document.querySelectorAll('main .panel').length > 1")
        if view == "desk":
            page.until("() => document.querySelectorAll('.tape li').length > 3")
            told = page.told()
            assert any(role == "table" and name.startswith("Book of") for role, name in told) and ("list", "Trades, newest first") in told
        if view in views:
            barriers[view] = page.barriers()
        assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{view} is wider than the screen"
        page.shoot(f"{view}-{name}", whole=name == "phone")
    assert not any(barriers.values()), json.dumps(barriers, indent=1)
    assert page.complaints == []


def test_it_comes_back_after_the_appliance_was_started_again(appliance, chrome):
    page = watched(chrome, appliance.url)
    page.go("desk")
    page.until("() => document.querySelectorAll('.tape li').length > 3")
    instrument, complaints = page.text(".head h1 button"), page.complaints
    appliance.stop()
    page.until("() => document.querySelector('#link').innerText === 'no connection' && !document.querySelector('#banner').hidden")
    assert "from before" in page.text("#banner") and page.page.locator("body.stale").count() == 1
    page.shoot("lost")
    appliance.start()
    page.until("() => document.querySelector('#link').innerText === 'live' && document.querySelector('#banner').hidden")
    page.changes(".ladder table")
    page.changes(".tape ol")
    assert page.text(".head h1 button") == instrument and page.page.locator("body.stale").count() == 0
    assert [each for each in complaints if "ERR_CONNECTION_REFUSED" not in each and "WebSocket" not in each] == []


def test_a_hostile_page_reads_nothing(appliance, chrome):
    """On another origin of the same machine: no fetch, no WebSocket, no frame."""
    other = appliance.url.replace("127.0.0.1", "localhost")
    page = chrome.new_context().new_page()
    page.goto(f"{other}/livez")  # "localhost" is another site than 127.0.0.1 to a browser
    tried = page.evaluate(
        """async (base) => {
            const answers = {};
            for (const path of ["/status", "/config", "/gaps"]) answers[path] = await fetch(base + path).then(() => "read", () => "refused");
            answers.socket = await new Promise((resolve) => {
                const socket = new WebSocket(base.replace("http", "ws") + "/live");
                socket.onopen = () => resolve("open");
                socket.onerror = () => resolve("refused");
            });
            return answers;
        }""",
        appliance.url,
    )
    assert set(tried.values()) == {"refused"}
    with urllib.request.urlopen(appliance.url) as answer:
        assert re.search(r"frame-ancestors 'none'", answer.headers["Content-Security-Policy"])


CANDLES = """async (updates) => {
    const { Candles } = await import("/static/js/candles.js");
    const candles = new Candles(true), box = document.body.appendChild(document.createElement("div")), shown = [];
    box.append(candles.node);
    while (!candles.chart) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const update of updates) {
        candles.render({lists: {}, added: {}, whole: false, ...update, state: {timeframe: "1s", instrument: {tick: "0.1"}, ...update.state}});
        const prices = candles.price.data(), sums = candles.cvd.data();
        shown.push(prices.map((bar, n) => [bar.time, bar.open, bar.close, sums[n].value]));
    }
    candles.destroy();
    box.remove();
    return shown;
}"""


def test_candles_are_those_that_came_whatever_their_order(appliance, chrome):
    """Closed ones late, again, out of order, where there was none before, or none at all; the forming one before or after them."""
    page, draw = watched(chrome, appliance.url), random.Random(7)
    page.go("system")
    page.until("() => document.querySelectorAll('main .panel').length > 1")

    def candle(at):
        volume = draw.randrange(1, 50)
        return [at, *(draw.randrange(100, 120) for _ in range(4)), volume, draw.randrange(volume + 1), 3, False]

    updates, expected, there = [{"whole": True, "lists": {"candles": [candle(at) for at in range(1000, 1500)]}}], [], {}
    for at in range(1500, 1760):
        late = [candle(at - draw.choice((0, 0, 1, 1, 2, 5, 40))) for _ in range(draw.choice((0, 1, 1, 2)))]
        none = [[at, *[None] * 7, False]] if draw.random() < 0.05 else []
        updates.append({"added": {"candles": late + none}, "state": {"forming": candle(at + draw.choice((0, 1, 1)))}})
    closed_to = 0
    for update in updates:
        came = update.get("lists", update.get("added"))["candles"]
        closed_to = max([closed_to, *(row[0] for row in came)])
        forming = update.get("state", {}).get("forming")
        there.update({row[0]: row for row in came if row[1] is not None})
        if forming and forming[0] > closed_to:
            there[forming[0]] = forming
        if len(there) > 700:
            there = dict(sorted(there.items())[-600:])
        rows = [row for _, row in sorted(there.items())]
        sums = itertools.accumulate(2 * row[6] - row[5] for row in rows)
        expected.append([[row[0], row[1], row[4], total] for row, total in zip(rows, sums, strict=True)])
    assert page.page.evaluate(CANDLES, updates) == expected
    assert page.complaints == []

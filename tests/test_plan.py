"""The plan of --check-config, held against what the appliance then really opens, and against weights counted by hand."""

import re

import pytest

from p9.config import parse
from p9.plan import BASE_BYTES, BOOK_BYTES, lines_of, memory_of, report
from p9.storage import names_of
from tests.test_hot_reload import Run

ALONE = "analytics: {options_iv_monitor: {enabled: false}}\nvenues: {binance: {spot: {enabled: false}, coinm: {enabled: false}}, bybit: {spot: {enabled: false}, linear: {enabled: false}, inverse: {enabled: false}}, okx: {spot: {enabled: false}, swap: {enabled: false}, futures: {enabled: false}}}"


def weights(found):
    return {budget.name: round(n, 3) for budget, n in found.items()}


async def test_as_many_sockets_are_opened_as_were_planned(tmp_path):
    async with Run(tmp_path) as run:
        markets = run.appliance.markets
        await run.until(lambda: all(part.poller is not None for part in markets.boards.markets.values()))
        opened = {name: len(capture.feeds) for name, capture in markets.captures.items()}
        for name, part in markets.boards.markets.items():
            opened[name] += len(part.live.feeds) if part.live is not None else 0
        assert len(opened) == 3 and sum(opened.values()) > 6
        assert {line.name: line.sockets for line in lines_of(run.appliance.config) if line.books} == opened


def test_weights_of_one_market_counted_by_hand():
    (line,) = lines_of(parse(ALONE))
    # exchangeInfo 1, two images of 1000 levels at 20
    assert weights(line.weights) == {"binance futures weight": 41}
    # in a minute: all premiums (10) six times for marks and twice for funding, interest (1 a symbol) four times, deleveraging (1) once, insurance (1) every
    # 5 minutes, risk (1) every half an hour, trading hours (5) once an hour
    assert weights(line.polled)["binance futures weight"] == pytest.approx(60 + 20 + 8 + 1 + 1 / 5 + 1 / 30 + 5 / 60, abs=0.001)


def test_each_kind_that_is_left_out_is_planned_no_more():
    text = ALONE.replace("analytics: {", "analytics: {funding: {enabled: false}, mark_price: {enabled: false}, open_interest: {enabled: false}, adl: {enabled: false}, insurance_fund_monitor: {enabled: false}, reference: {enabled: false}, ")
    (line,) = lines_of(parse(text))
    (whole,) = lines_of(parse(ALONE))
    assert not line.polled and line.sockets == whole.sockets - 1 and line.frames_a_second < whole.frames_a_second


def test_names_for_patterns_are_as_many_as_they_are_counted_and_all_different():
    names = names_of(("BTC-USDT", "*-USDT", "ETH-USDT-2*"))
    assert len(names) == len(set(names)) == 1 + 100 + 6 and names[0] == "BTC-USDT" and not re.search(r"[*?\[\]]", "".join(names))


def test_what_does_not_fit_is_said():
    text = ALONE.replace("analytics: {", "capture: {rest_share: 0.1}\nanalytics: {open_interest: {poll_interval: 1s}, ").replace("spot: {enabled: false}, coinm", "usdm: {symbols: ['*-USDT-PERP']}, spot: {enabled: false}, coinm", 1)
    config = parse(text)
    said = "\n".join(report(config))
    # 100 symbols asked each second are 6000 a minute, of 240; the images of 100 books 2000
    assert re.search(r"futures weight: 2,001 at the start, then 6,\d\d\d\.\d in 60 s, of 240 .*the start takes 500 s; warning: the polls alone are more", said)
    assert memory_of(config, lines_of(config)) == BASE_BYTES + 100 * BOOK_BYTES

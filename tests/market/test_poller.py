"""The poller against a real server that answers as venues do when they are unwell: every failure counted, said once, and nothing else disturbed."""

import asyncio
import itertools
import json
import time

import pytest

from p9.budget import Budget
from p9.fact import Roster
from p9.market.poller import Poller
from p9.market.rest import RestClient, RestSettings
from p9.venue import Poll, Request, market
from tests.patience import until
from tests.venues.facts import instrument

POOL = Budget("polls", 10_000, 60.0)
QUICK = RestSettings(share=0.9, timeout_s=0.5, retry_first_s=0.01, retry_most_s=0.02)


def asks(path, kind="mark_price", read=lambda row, reading, answer: reading.facts.append(answer), **more):
    return Poll(kind, lambda row, roster: [Request(path, POOL)], read, **more)


class Desk:
    def __init__(self, server, name, polls, **every_s):
        self.row = market(name).at(server.url, "ws://127.0.0.1:1")
        self.taken, self.logged = [], []
        self.client = RestClient("x", settings=QUICK)
        self.poller = Poller(
            self.row, self.client, Roster([instrument(name, "BTCUSDT")]), polls=polls, every_s=every_s or {"mark_price": 0.05}, now_ns=time.time_ns,
            take=lambda poll, reading, recv_ns: self.taken.append((poll.kind, reading.facts, recv_ns)), log=lambda event, **more: self.logged.append((event, more)),
        )  # fmt: skip

    async def __aenter__(self):
        await self.client.start()
        self.task = asyncio.create_task(self.poller.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.client.stop()


async def test_each_kind_has_its_interval_and_a_kind_without_one_is_not_asked(server):
    polls = [asks("/fast", "mark_price"), asks("/slow", "funding"), asks("/never", "open_interest"), asks("/rare", "mark_price", every=1000)]
    async with Desk(server, "binance_usdm", polls, mark_price=0.05, funding=0.4) as desk:
        await until(lambda: desk.poller.counts["funding", "answered"] >= 4)
        asked = [path for _, path in server.asked]
        assert asked.count("/fast") > 2 * asked.count("/slow") and asked.count("/rare") <= 1 and "/never" not in asked
        state = {row["kind"]: row for row in desk.poller.status()["rows"]}
        assert set(state) == {"mark_price", "funding"} and state["funding"]["reason"] == ""


async def test_failures_of_every_kind_are_counted_told_once_a_state_and_the_next_round_is_asked_all_the_same(server):
    server.answers = [
        (200, {"Content-Type": "text/html"}, "<html>maintenance</html>"), (200, {"Content-Type": "text/html"}, "<html>maintenance</html>"),
        (503, {}, "<html>busy</html>"), (503, {}, "<html>busy</html>"),
        (400, {}, '{"code":-1121,"msg":"Invalid symbol."}'),
        (200, {}, '{"cut":'),
        (200, {}, '{"good":1}'),
    ]  # fmt: skip
    async with Desk(server, "binance_usdm", [asks("/x")]) as desk:
        await until(lambda: len(desk.taken) >= 3)
        counts = desk.poller.status()["counts"]["mark_price"]
        assert (counts["RestError"], counts["RestRefused"], counts["ValueError"]) == (2, 1, 1)
        assert desk.taken[0][1] == [{"good": 1}]
        told = [(event, more["reason"][:60]) for event, more in desk.logged]
        assert [event for event, _ in told] == ["poll failed"] * 4 + ["poll is back"], told


async def test_retry_after_is_honoured_and_the_other_questions_of_the_round_wait_too(server):
    server.answers = [(429, {"Retry-After": "1"}, '{"code":-1003,"msg":"Too much request weight used"}')] * 3
    poll = Poll("mark_price", lambda row, roster: [Request(f"/{n}", POOL) for n in range(5)], lambda row, reading, answer: None)
    async with Desk(server, "binance_usdm", [poll]) as desk:
        await until(lambda: desk.poller.counts["mark_price", "answered"] >= 5)
        assert {path for _, path in server.asked[:3]} == {"/0", "/1", "/2"}, "what was on its way"
        assert server.asked[3][0] - server.asked[2][0] >= 1.0, "and then nothing for as long as the venue wants"
        assert {path for _, path in server.asked[3:8]} == {f"/{n}" for n in range(5)}


async def test_a_ban_silences_every_poll_of_the_address(server):
    server.answers = [(418, {"Retry-After": "1"}, '{"code":-1003,"msg":"banned"}')] * 1
    async with Desk(server, "binance_usdm", [asks("/a"), asks("/b", "funding")], mark_price=0.05, funding=0.05) as desk:
        await until(lambda: len(desk.taken) >= 4)
        times = [at_s for at_s, _ in server.asked]
        assert max(b - a for a, b in itertools.pairwise(times)) >= 0.9, "a second of silence"
        assert {path for _, path in server.asked[2:]} == {"/a", "/b"}


async def test_pages_are_followed_and_pages_that_repeat_end(server):
    def page(n, cursor):
        return (200, {}, json.dumps({"retCode": 0, "retMsg": "OK", "result": {"list": [n], "nextPageCursor": cursor}}))

    server.answers = [page(1, "a%3D1"), page(2, "b"), page(3, ""), page(4, "x"), page(5, "x")]
    read = lambda row, reading, answer: reading.facts.append(answer["result"]["list"][0] if "result" in answer else None)  # noqa: E731
    async with Desk(server, "bybit_linear", [asks("/v5/market/risk-limit", read=read)]) as desk:
        await until(lambda: "poll failed" in dict(desk.logged))
        assert desk.poller.counts["mark_price", "endless_pages"] == 1
        assert [facts[0] for _, facts, _ in desk.taken[:5]] == [1, 2, 3, 4, 5]
        assert [path.partition("cursor=")[2] for _, path in server.asked[:5]] == ["", "a%3D1", "b", "", "x"], "sent as it came"
        assert "come to no end" in dict(desk.logged)["poll failed"]["reason"]


async def test_a_mistake_of_a_reader_costs_its_answer_alone(server):
    def broken(row, reading, answer):
        raise KeyError("a field")

    async with Desk(server, "binance_usdm", [asks("/a", read=broken), asks("/b", "funding")], mark_price=0.05, funding=0.05) as desk:
        await until(lambda: desk.poller.counts["mark_price", "fault"] >= 2 and desk.poller.counts["funding", "answered"] >= 2)
        assert {kind for kind, *_ in desk.taken} == {"funding"} and not desk.task.done()


async def test_bad_values_are_counted_by_kind_and_said_once(server):
    row = '[{"symbol":"BTCUSDT","markPrice":"0","indexPrice":"x","time":1597370495002}]'
    server.answers = [(200, {}, row)] * 3
    poll = next(poll for poll in market("binance_usdm").polls if poll.kind == "mark_price")
    async with Desk(server, "binance_usdm", [poll]) as desk:
        await until(lambda: desk.poller.counts["mark_price", "answered"] >= 3)
        bad = desk.poller.status()["bad"]["mark_price"]
        assert bad["placeholder_zero"] == bad["no_number"] == 3
        said = [more for event, more in desk.logged if event == "value refused"]
        assert [(more["reason"], more["found"]) for more in said if more["reason"] == "no_number"] == [("no_number", "\"indexPrice: 'x'\"")]


async def test_open_interest_of_each_symbol_is_asked_alone_where_there_is_no_batch(server):
    row = market("binance_usdm")
    some = Roster([instrument("binance_usdm", name, symbol=f"S-{name}") for name in ("BTCUSDT", "ETHUSDT", "1000PEPEUSDT")])
    poll = next(poll for poll in row.polls if poll.kind == "open_interest")
    requests = poll.requests(row, some)
    assert [request.params for request in requests] == [(("symbol", name),) for name in ("BTCUSDT", "ETHUSDT", "1000PEPEUSDT")]
    assert all(request.weight == 1 for request in requests)


@pytest.mark.parametrize("name", ["binance_usdm", "binance_coinm", "bybit_linear", "bybit_inverse", "okx_swap", "okx_futures"])
def test_a_hundred_instruments_at_the_default_intervals_use_little_of_the_budget(name):
    """The share of polls is 0.6 of our half of what the venue allows."""
    row = market(name)
    some = Roster([instrument(name, f"S{n}", symbol=f"S-{n}", index=f"BASE{n}-USDT" if row.exchange == "okx" else "") for n in range(100)])
    every_s = {"mark_price": 10, "funding": 30, "open_interest": 15, "insurance_fund_monitor": 300, "reference": 60, "adl": 60}
    spent: dict[str, tuple[float, Budget]] = {}
    for poll in row.polls:
        for request in poll.requests(row, some):
            per_s = request.weight / (every_s[poll.kind] * poll.every)
            spent[request.budget.name] = (spent.get(request.budget.name, (0.0, request.budget))[0] + per_s, request.budget)
    for per_s, budget in spent.values():
        assert per_s * budget.span_s <= 0.6 * 0.5 * budget.limit, f"{budget.name}: {per_s * budget.span_s:.0f} of {budget.limit}"

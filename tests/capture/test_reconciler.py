"""What was triggered while the private stream was lost, from the simulated venues' REST: all of it once and as it was, or a gap that stays lost."""

import asyncio
import json
import re
import time
from decimal import Decimal
from itertools import pairwise

import pytest
from cext.streams.stop_triggers import StopTriggers

from p9.capture import orders as orders_of_ours
from p9.key import Key
from p9.market.rest import RestSettings
from p9.simulate.account import KEY, SECRET, Account
from p9.simulate.faults import Scope
from p9.venues import binance_signed, bybit_orders, okx_orders
from tests.capture.test_orders import gaps, listening, place, told
from tests.patience import until

DAY_NS = 86_400 * 10**9
TOLD = [lambda names: StopTriggers(names, inferred=False)]


@pytest.fixture(autouse=True)
def still(monkeypatch):
    monkeypatch.setattr(Account, "hums", False)
    monkeypatch.setattr(orders_of_ours, "LOOK_S", 0.02)


def first(now):
    return next(one for (name, _), one in now.simulator.instruments.items() if name == now.name)


async def ready(now, orders):
    """It is live, knows what rests, and has heard something since: an order that is placed far away."""
    await until(lambda: orders.feed.state == "live" and orders.status()["reconciles"])
    n = orders.feed.connection.listener.frames
    now.simulator.account.place(first(now), is_buy=True, distance=900_000)
    await until(lambda: orders.feed.connection.listener.frames > n)


async def trigger(now, order):
    """It rests far away; now it is moved to where the next large order gets."""
    order.tick = order.one.candles.last_tick + 1
    while order.state != "filled":
        now.simulator.plants.plant("whale", order.one, side="buy", orders=1, every_ms=0, quote=4e5)
        await asyncio.sleep(0.2)


async def deaf(now, orders):
    """The line breaks, and the key is not known any more."""
    now.simulator.account.key = "another-key-9876543210"
    now.simulator.inject("disconnect", Scope(now.row.exchange))
    refused = orders.feed.counts["login_refused"]
    await until(lambda: orders.feed.counts["login_refused"] > refused and gaps(now, "open"))


async def heard_again(now, orders, state):
    now.simulator.account.key = KEY
    await until(lambda: len(gaps(now, state)) == len(now.capture.instruments))
    assert orders.status()["gaps"] == 0 and orders.feed.state == "live"


def check(now, order):
    """What was told of an order, once, against what the simulator knows of it."""
    now.hear()
    (event,) = [event for event in now.events["stop_triggers"] if event["client_id"] == order.client_id]
    truth = order.truth()
    assert event["flags"].count("backfill") == 1 and event["symbol"] == next(one.symbol for one in now.capture.instruments.values() if one.venue_symbol == truth["symbol"])
    assert (event["market"], event["side"], Decimal(event["trigger_price"])) == (truth["market"], truth["side"], Decimal(truth["trigger_price"]))
    assert Decimal(event.get("contracts", event["quantity"])) == Decimal(truth["quantity"]) 
    assert event["trigger_price_type"] == ("last" if truth["market"] == "binance_spot" else truth["price_type"])
    # the second venue's history tells when an order changed last, and not when it was triggered
    assert event["ts_event"] == (None if truth["market"].startswith("bybit") else truth["triggered_ms"] * 1_000_000)
    assert event["placed_order_id"] == (None if truth["market"].startswith(("bybit", "binance_spot")) else truth["placed_id"]) and event["failure"] is None


@pytest.mark.parametrize("name", ["okx_swap", "binance_spot", "binance_usdm", "binance_coinm", "bybit_spot"])
async def test_what_was_triggered_while_nobody_listened_is_asked_for_and_told_once(run, name, monkeypatch):
    monkeypatch.setattr(okx_orders, "PAGE", 2)
    now = await run(name, also=TOLD)
    now.client.tune(RestSettings(share=1.0))
    account = now.simulator.account
    rested = account.place(first(now), is_buy=True, distance=900_000)
    rested.placed_ns -= 20 * DAY_NS
    earlier = place(now)
    await until(lambda: earlier.state == "filled")  # before anybody listened: nobody's business
    half = account.place(first(now), is_buy=True, distance=900_000)  # so was this one, and what it placed rests still
    half.state, half.triggered_ns, half.changed_ns = "placed", time.time_ns() - 60 * 10**9, time.time_ns() - 60 * 10**9
    await asyncio.sleep(0.2)
    async with listening(now, earlier_ns=0) as orders:
        await until(lambda: orders.feed.state == "live" and orders.status()["reconciles"])
        heard = place(now)
        await until(lambda: told(now) == [heard.client_id])
        await deaf(now, orders)
        await trigger(now, rested)
        half.state = "filled"
        account._tell(half)
        missed = [place(now, price_type="mark"), place(now)]
        await until(lambda: all(order.state == "filled" for order in missed))
        account.cancel(account.place(first(now), is_buy=True, distance=900_000))
        account.place(first(now), is_buy=True, distance=900_000)
        await heard_again(now, orders, "filled")
        for order in (rested, *missed):
            check(now, order)
        assert sorted(told(now)) == sorted(order.client_id for order in (heard, rested, *missed))
        assert [event["fetched"] for event in gaps(now, "filled")] == [3] + [0] * (len(now.capture.instruments) - 1)
        assert orders.losses == {"fetched": 3, "filled": 1} and not orders.status()["bad"]
        assert len({path.split("?")[0] for path in now.simulator.order_history.asked}) >= 2
        again = place(now)
        await until(lambda: again.client_id in told(now))
        now.hear()
        assert all("flags" not in event or "backfill" not in event["flags"] for event in now.events["stop_triggers"] if event["client_id"] in (heard.client_id, again.client_id))
        assert not [path for path in now.simulator.order_history.asked if SECRET in path]
        assert KEY not in json.dumps([orders.logged, orders.status()], default=str)


async def once_more(now, orders, state):
    """The line is lost for a moment; the answers come to `state`."""
    n = len(gaps(now, state))
    orders.feed.recycle("the test wants it")
    await until(lambda: len(gaps(now, state)) == n + len(now.capture.instruments))


def without(body, keys, value):
    return re.sub(rf'"({keys})":("[^"]*"|\d+|true|false)', rf'"\1":{value}', body)


REFUSALS = {"binance": '{"code":-2015,"msg":"Invalid API-key"}', "bybit": '{"retCode":10005,"retMsg":"Permission denied","result":{}}', "okx": '{"code":"50113","msg":"Invalid Sign","data":[]}'}
SPOILS = {  # {what the venue does to its answer: what is counted}
    "a page of HTML": (lambda body: "<html><body>maintenance</body></html>", "RestError"),
    "another form": (lambda body: '{"data":{"list":1},"result":{"category":"linear","list":1}}', ""),
    "no side": (lambda body: without(body, "side", "null"), "no_order"),
    "no number of the order": (lambda body: without(body, "algoId|orderId", "null"), ""),
    "an unknown state": (lambda body: without(body, "algoStatus|orderStatus|state", '"Floating"'), "unknown_state"),
    "rows that are none": (lambda body: re.sub(r"\[\{.*?\}\]", "[null,7]", body), ""),
    "a refusal": (None, "RestRefused"),
    "a price that is none": (lambda body: without(body, "triggerPrice|triggerPx", '"NaN"'), "no_number"),
}


@pytest.mark.parametrize("name", ["binance_usdm", "bybit_linear", "okx_swap"])
async def test_an_answer_that_cannot_be_used_tells_nothing_wrong_and_the_gap_stays_lost(run, name, monkeypatch):
    monkeypatch.setattr(okx_orders, "TYPES", ("trigger",))  # which is enough, and quicker
    now = await run(name, also=TOLD)
    now.client.tune(RestSettings(share=1.0, attempts=2, retry_first_s=0.05))
    history, exchange = now.simulator.order_history, now.row.exchange
    missed = place(now)
    await until(lambda: missed.state == "filled")
    await asyncio.sleep(0.2)
    async with listening(now, earlier_ns=3600 * 10**9) as orders:  # so that it is of each loss
        await ready(now, orders)
        for what, (spoil, counted) in SPOILS.items():
            before, history.spoil = sum(orders.status()["bad"].values()), spoil or (lambda body: REFUSALS[exchange])
            await once_more(now, orders, "lost")
            assert sum(orders.status()["bad"].values()) > before and (counted in ("", *orders.status()["bad"]) or exchange == "binance"), (what, orders.status())
            now.hear()
            events = now.events["stop_triggers"]
            assert not events or what == "a price that is none", what
        for event in now.events["stop_triggers"]:  # what is good of a row is told
            assert (event["client_id"], event["trigger_price"], event["quote_quantity"]) == (missed.client_id, None, None)
        history.spoil, history.repeats = None, True
        for _ in range(2):
            place(now)
        await until(lambda: now.simulator.account.orders[-1].state == "filled")
        await asyncio.sleep(0.2)
        for module, size in ((binance_signed, 1), (bybit_orders, ("limit", "1")), (okx_orders, 1)):
            monkeypatch.setattr(module, "PAGE", size)
        await once_more(now, orders, "lost")
        said = [more["reason"] for event, more in orders.logged if event == "stop orders not reconciled"]
        assert any(word in said[-1] for word in ("pages repeat", "pages do not end", "a page is full")), said
        assert len(said) >= 6 and all(one != other for one, other in pairwise(said)), "each state is said once"
        history.repeats = False
        if exchange != "binance":  # whose pages cannot be of one order
            await once_more(now, orders, "filled")
            assert sorted(told(now)) == sorted(order.client_id for order in now.simulator.account.orders if order.state == "filled")


async def test_a_line_that_is_lost_again_while_the_venue_is_asked_stays_one_gap(run):
    now = await run("bybit_linear", also=TOLD)
    async with listening(now) as orders:
        await ready(now, orders)
        await deaf(now, orders)
        missed = place(now)
        await until(lambda: missed.state == "filled")
        now.simulator.account.key = KEY
        await until(lambda: orders.feed.state == "live")
        await deaf(now, orders)
        assert not orders.losses["filled"]
        again = place(now)
        await until(lambda: again.state == "filled")
        await heard_again(now, orders, "filled")
        check(now, missed)
        check(now, again)
        assert len(gaps(now, "open")) == len(now.capture.instruments) == len(gaps(now, "filled")) and not gaps(now, "lost")
        assert [event["since"] for event in gaps(now, "open")] == [event["since"] for event in gaps(now, "filled")]
        assert all(order.triggered_ns // 10**6 * 10**6 < gaps(now, "filled")[0]["until"] for order in (missed, again))


async def test_as_long_as_it_is_not_known_what_rested_nothing_is_said_to_be_whole(run, monkeypatch):
    monkeypatch.setattr(orders_of_ours, "RETRY_S", 0.3)
    now = await run("binance_usdm", also=TOLD)
    now.simulator.order_history.spoil = lambda body: "[7]"
    async with listening(now) as orders:
        await until(lambda: orders.feed.state == "live" and orders.status()["bad"])
        assert not orders.status()["reconciles"]
        await once_more(now, orders, "lost")
        assert orders.losses["lost"] == 1
        now.simulator.order_history.spoil = None
        await until(lambda: orders.status()["reconciles"])
        await once_more(now, orders, "lost")  # since it was live nothing was heard: whether the line was there when what rests was listed, nobody knows
        assert "what rested was listed only after the line was lost" in [more.get("reason") for _, more in orders.logged]
        await once_more(now, orders, "filled")


async def test_a_key_without_a_secret_hears_and_does_not_ask(run):
    now = await run("binance_usdm", also=TOLD)
    async with listening(now, key=Key(KEY)) as orders:
        await until(lambda: orders.feed.state == "live")
        await once_more(now, orders, "lost")
        await once_more(now, orders, "lost")
        made = place(now)
        await until(lambda: told(now) == [made.client_id])
        assert [more["reason"] for event, more in orders.logged if event == "stop orders not reconciled"] == ["the key has no secret to sign with"]
        assert now.simulator.order_history.asked == []

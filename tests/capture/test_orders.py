"""The private stream of an account against the simulated venues: listen keys that end, lost and replaced sockets, clocks, frames that nobody foresaw."""

import asyncio
import contextlib
import json
import time

import msgspec
import pytest
from cext.clock import Clock
from cext.streams.gaps import Gaps
from cext.streams.stop_triggers import StopTriggers

from p9.capture.absence import Absence, Concerned
from p9.capture.connection import ConnectionSettings
from p9.capture.ledger import Ledger
from p9.capture.line import Connects, FeedSettings
from p9.capture.orders import Orders, told_of
from p9.client.event import StopTrigger
from p9.key import Key
from p9.market.rest import RestClient
from p9.simulate.account import KEY, PASSPHRASE, SECRET, Account
from p9.simulate.faults import Scope
from p9.stop_order import StopOrder, accounts_of
from p9.venue import market
from tests.patience import until
from tests.venues.facts import instrument

QUICK = FeedSettings(
    connection=ConnectionSettings(connect_s=5.0, ack_s=5.0), tick_s=0.02, backoff_first_s=0.02, backoff_most_s=0.2, settle_s=0.1, rotate_pause_s=0.1
)


@pytest.fixture(autouse=True)
def still(monkeypatch):
    monkeypatch.setattr(Account, "hums", False)


@contextlib.asynccontextmanager
async def listening(now, *, clock=None, offset_ns=lambda: 0, every_s=None, settings=QUICK, earlier_ns=10**10, key=None):
    """The account's stream beside a captured market."""
    account = next(account for account in accounts_of(now.row.exchange) if now.name in account.markets)
    if every_s is not None:
        account = msgspec.structs.replace(account, listen_key=msgspec.structs.replace(account.listen_key, every_s=every_s))

    if account.reconcile is not None:
        account = msgspec.structs.replace(account, reconcile=msgspec.structs.replace(account.reconcile, settle_s=0.1, earlier_ns=earlier_ns))

    def find(market, venue_symbol):
        for ix, one in now.capture.instruments.items():
            if (market, venue_symbol) == (one.market, one.venue_symbol):
                return one, next(stream for stream in now.pipeline.streams(ix) if isinstance(stream, StopTriggers))
        return None

    def concerned():
        for ix, one in now.capture.instruments.items():
            yield Concerned(one, next(stream for stream in now.pipeline.streams(ix) if isinstance(stream, Gaps)))

    logged, absence = [], Absence(now.ledger, concerned)
    orders = Orders(
        account, now.row, now.client, Connects(now.row.limits.connects), key=lambda: key or Key(KEY, SECRET, PASSPHRASE), find=find, clock=clock or Clock(),
        offset_ns=offset_ns, absence=absence, settings=settings, log=lambda event, **more: logged.append((event, more)),
    )  # fmt: skip
    orders.logged = logged
    task = asyncio.create_task(orders.run())
    try:
        yield orders
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def place(now, **more):
    """An order of the first instrument that is triggered at once."""
    one = next(one for (name, _), one in now.simulator.instruments.items() if name == now.name)
    made = now.simulator.account.place(one, is_buy=True, distance=1, **more)
    now.simulator.plants.plant("whale", one, side="buy", orders=1, every_ms=0, quote=4e5)
    return made


def gaps(now, state):
    now.hear()
    return [event for event in now.events["gaps"] if event["kind"] == "stop_triggers" and event["state"] == state]


def told(now):
    now.hear()
    return [event["client_id"] for event in now.events["stop_triggers"]]


async def test_a_listen_key_that_ends_told_or_in_silence_is_replaced_and_no_order_is_told_twice(run):
    now = await run("binance_usdm", also=[lambda names: StopTriggers(names, inferred=False)])
    account = now.simulator.account
    async with listening(now, every_s=0.2) as orders:
        await until(lambda: orders.feed.state == "live")
        made = [place(now)]
        await until(lambda: told(now) == [made[0].client_id])
        first = account.listen_keys[now.name]
        now.simulator.binance[now.name].orders.expire()  # the event says so
        await until(lambda: account.listen_keys.get(now.name) not in (None, first) and orders.feed.state == "live")
        assert orders.feed.last_loss == "its listen key is over" and first not in json.dumps(orders.logged, default=str)
        made.append(place(now))
        await until(lambda: told(now) == [order.client_id for order in made])
        losses = orders.feed.losses
        del account.listen_keys[now.name]  # nothing says so: only who prolongs it hears of another one
        await until(lambda: orders.feed.losses > losses and orders.feed.state == "live")
        made.append(place(now))
        await until(lambda: told(now) == [order.client_id for order in made])
        await until(lambda: orders.counts["repeated"] >= 2)  # each is told thrice, as far as its socket lives
        assert orders.counts["told"] == 3 and not orders.bad


async def test_a_stream_that_is_replaced_or_lost_tells_each_order_once(run):
    now = await run("bybit_linear", also=[lambda names: StopTriggers(names, inferred=False)])
    async with listening(now, settings=msgspec.structs.replace(QUICK, rotate_s=1.0)) as orders:
        await until(lambda: orders.feed.state == "live" and orders.status()["reconciles"])
        made = []
        while orders.feed.rotations < 2:
            made.append(place(now))
            await until(lambda: set(told(now)) >= {order.client_id for order in made})
        assert orders.feed.losses == 0
        now.hear()
        assert not [event for event in now.events["gaps"] if event["kind"] == "stop_triggers"], "who is replaced in time leaves none"
        before_ns = time.time_ns()
        now.simulator.inject("disconnect", Scope("bybit"))
        await until(lambda: orders.feed.losses == 1 and orders.feed.state == "live")
        await until(lambda: orders.status()["gaps"] == 0 and gaps(now, "filled"))
        for state in ("open", "filled"):
            found = gaps(now, state)
            assert {event["symbol"] for event in found} == {one.symbol for one in now.capture.instruments.values()} and len(found) == len(now.capture.instruments)
            assert all(event["reason"] == "disconnect" and event["gap"] == 1 and event["since"] <= before_ns + 10**9 for event in found)
        assert all(event["until"] > event["since"] for event in gaps(now, "filled"))
        assert now.ledger.counts["stop_triggers_filled"] == len(now.capture.instruments)
        made.append(place(now))
        await until(lambda: len(told(now)) >= len(made))
        assert sorted(told(now)) == sorted(order.client_id for order in made)
        assert now.simulator.account.logins >= 4 and orders.feed.counts["login_refused"] == 0


async def test_a_login_is_timed_by_the_venue_s_clock(run):
    now = await run("okx_swap", also=[lambda names: StopTriggers(names, inferred=False)])
    behind = Clock(time.time_ns() - 3600 * 10**9)  # ours is an hour behind
    async with listening(now, clock=behind) as orders:
        await until(lambda: orders.feed.counts["login_refused"] >= 2)
        assert "60006 Timestamp request expired" in orders.feed.last_loss
        assert [more["reason"] for event, more in orders.logged if event == "socket lost"] == [orders.feed.last_loss], "said once"
    async with listening(now, clock=behind, offset_ns=lambda: time.time_ns() - behind.now()) as orders:
        await until(lambda: orders.feed.state == "live")
        made = place(now)
        await until(lambda: told(now) == [made.client_id])


async def test_frames_that_nobody_foresaw_are_counted_and_never_shown(run):
    now = await run("bybit_linear", also=[lambda names: StopTriggers(names, inferred=False)])
    async with listening(now) as orders:
        await until(lambda: orders.feed.state == "live")
        (connection,) = now.simulator.bybit.orders.open
        order = {"category": "linear", "symbol": "NOBODY", "orderId": "my-order-1", "side": "Sell", "stopOrderType": "Stop", "orderStatus": "Triggered", "qty": "1"}
        for rows in ([order], ["my-order-2"], [order | {"orderStatus": "Floating", "orderId": "my-order-3"}], [order | {"side": "my-order-4"}], "my-order-5"):
            connection.send(json.dumps({"topic": "order", "data": rows}))
        connection.send('{"topic":"order","data":[{"my-order-6":' + "[" * 5000 + "]" * 5000 + "}]}")
        connection.send('{"topic":"order","data":[1e999999999,"my-order-7"]}')
        made = place(now)
        await until(lambda: told(now) == [made.client_id])
        assert orders.counts["not_captured"] == 1
        assert {"no_object", "unknown_state", "no_order", "no_list"} <= set(orders.bad) and sum(orders.bad.values()) >= 4
        assert "my-order" not in json.dumps([orders.logged, orders.status()], default=str)
        assert orders.feed.losses == 0


def test_amounts_are_worked_out_at_the_trigger_price():
    """By hand: 3 contracts of 100 dollars at 60,000; 2.9 of 0.01 coins at 84,388.6; an order that spends 250; one of a whole position."""
    order = StopOrder(market="m", venue_symbol="S", order_id="1", side="sell", kind="stop", order_type="STOP", trigger_price="60000", quantity="3")
    inverse = instrument("binance_coinm", "BTCUSD_PERP", contract="inverse", contract_value="100")
    fields, is_rounded = told_of(inverse, order)
    assert set(fields) <= set(StopTrigger.__struct_fields__), "the typed event has all of them"
    assert (fields["quantity"], fields["quote_quantity"], fields["contracts"], fields["contract_unit"], is_rounded) == ("0.005", "300", "3", "quote", True)
    linear = instrument("okx_swap", "BTC-USDT-SWAP", contract="linear", contract_value="0.01")
    fields, is_rounded = told_of(linear, msgspec.structs.replace(order, quantity="2.9", trigger_price="84388.6"))
    assert (fields["quantity"], fields["quote_quantity"], fields["contracts"], is_rounded) == ("0.029", "2447.2694", "2.9", False)
    spot = instrument("okx_spot", "BTC-USDT", kind="spot")
    fields, _ = told_of(spot, msgspec.structs.replace(order, quantity=None, quote_quantity="250"))
    assert (fields["quantity"], fields["quote_quantity"]) == (None, "250") and "contracts" not in fields
    fields, is_rounded = told_of(inverse, msgspec.structs.replace(order, quantity=None))
    assert (fields["quantity"], fields["quote_quantity"], fields["contracts"], is_rounded) == (None, None, None, False)
    fields, is_rounded = told_of(inverse, msgspec.structs.replace(order, trigger_price=None))
    assert (fields["quantity"], fields["quote_quantity"], is_rounded) == (None, "300", False), "at no price"


async def test_a_stream_that_the_venue_ends_is_opened_anew(run):
    """On the one socket that answers questions too: an order that works, is filled, and is told twice; the end of the subscription, and of the socket."""
    now = await run("binance_spot", also=[lambda names: StopTriggers(names, inferred=False)])
    account, user_data = now.simulator.account, now.simulator.binance["binance_spot"].user_data
    one = next(one for (name, _), one in now.simulator.instruments.items() if name == now.name)
    async with listening(now, settings=msgspec.structs.replace(QUICK, standby_most_s=0.5)) as orders:
        await until(lambda: orders.feed.state == "live" and orders.status()["reconciles"])
        made = [account.place(one, is_buy=False, kind="take_profit", distance=1), place(now)]
        await until(lambda: sorted(told(now)) == [order.client_id for order in made] and orders.counts["repeated"] == 1)
        user_data.terminate()
        await until(lambda: orders.feed.losses == 1 and len(gaps(now, "filled")) == len(now.capture.instruments))
        assert orders.feed.last_loss == "the venue ended the stream"
        made.append(place(now))
        await until(lambda: sorted(told(now)) == [order.client_id for order in made])
        now.simulator.binance["binance_spot"].shut_down()
        await until(lambda: orders.feed.rotations == 1)
        made.append(place(now))
        await until(lambda: sorted(told(now)) == [order.client_id for order in made])
        assert orders.feed.losses == 1 and not orders.status()["bad"] and orders.feed.counts["login_refused"] == 0


def test_a_host_of_its_own_is_asked_as_long_as_the_addresses_are_the_venue_s():
    (account,) = (account for account in accounts_of("binance") if account.name == "binance_spot")

    def url(row):
        absence = Absence(Ledger(None, epoch=1), lambda: ())
        return Orders(
            account, row, RestClient("binance"), Connects(row.limits.connects), key=lambda: Key(KEY, SECRET), find=lambda *_: None, clock=Clock(),
            offset_ns=lambda: 0, absence=absence,
        ).feed.url  # fmt: skip

    assert url(market("binance_spot")) == "wss://ws-api.binance.com:443/ws-api/v3"
    assert url(market("binance_spot").at("", "ws://127.0.0.1:7")) == "ws://127.0.0.1:7/ws-api/v3"

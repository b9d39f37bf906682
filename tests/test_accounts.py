"""One's own stop orders from the private streams of all three venues into a real Redis, and the keys, which no output has. The appliance has its keys from
the environment and from a file, as it would at the venues themselves; the simulated ones check every login by a computation of their own."""

import json
import sys
from decimal import Decimal
from types import SimpleNamespace

import aiohttp
import pytest
from cext.clock import Clock

from p9 import secret
from p9.__main__ import main
from p9.accounts import Accounts, in_the_clear, keys_of
from p9.config import load, parse
from p9.errors import ConfigError
from p9.ops import logs
from p9.simulate.account import KEY, PASSPHRASE, SECRET, Account
from p9.venue import market
from tests.test_hot_reload import EVERY, Run

ENVIRONMENT = {"P9_BINANCE_KEY": KEY, "P9_BINANCE_SECRET": SECRET, "P9_OKX_KEY": KEY, "P9_OKX_SECRET": SECRET, "P9_OKX_PASSPHRASE": PASSPHRASE}
STREAMS = ("binance_spot", "binance_usdm", "binance_coinm", "bybit", "okx")
MARKETS = ("binance_usdm", "binance_coinm", "bybit_linear", "bybit_inverse", "bybit_spot", "okx_swap", "okx_futures", "okx_spot", "binance_spot")


class Told(Run):
    """All markets of the three venues; Bybit's key is in a file."""

    def __init__(self, folder):
        super().__init__(folder, seed=21, instruments=1)
        self.key_file = folder / "bybit.key"
        self.key_file.write_text(f"key={KEY}\nsecret={SECRET}\n")
        self.key_file.chmod(0o600)

    def _section(self, venue, line):
        if line == "option":
            return {"enabled": False}
        place = self.simulator.endpoints[f"{venue}_{line}"]
        return {"symbols": ["*"], "rest_url": place["rest"], "ws_url": place["ws"]}

    def write(self, text=None):
        if text is None:
            self.tree["venues"]["bybit"].setdefault("account", {"file": str(self.key_file)})
        super().write(text)

    def streams(self):
        return self.appliance.status()["accounts"]["streams"]

    def states(self):
        return {name: state["feed"]["state"] for name, state in self.streams().items()}

    def refused(self):
        return {name: state["feed"]["errors"].get("login_refused", 0) for name, state in self.streams().items()}

    def told(self):
        """{the order's client id: its events}, of those whom a venue told of, from Redis."""
        found = {}
        client = self.redis.client()
        for key in client.keys("stream:{stop_triggers:*"):
            for _, entry in client.xrange(key):
                event = json.loads(entry[b"e"])
                if event["kind"] == "stop_order_triggered":
                    found.setdefault(event["client_id"], []).append(event)
        return found

    def rows(self, one):
        return [row for capture in self.appliance.captures.values() for row in capture.instruments.values() if (row.market, row.venue_symbol) == (one.market, one.symbol)]

    def gaps(self, row):
        """The states of what was not heard of an instrument's stop orders, from Redis."""
        events = [json.loads(entry[b"e"]) for _, entry in self.redis.client().xrange(f"stream:{{gaps:{row.exchange}:{row.symbol}}}")]
        return [event["state"] for event in events if event["kind"] == "stop_triggers"]

    async def pages(self):
        found = {}
        async with aiohttp.ClientSession() as session:
            for path in ("/status", "/config", "/metrics", "/readyz?verbose", "/gaps", "/"):
                async with session.get(self.appliance.pages.url + path) as answer:
                    found[path] = await answer.text()
        return found


@pytest.fixture
def logged(tmp_path, monkeypatch):
    """The log as it is in production, on standard error and in a file, with every level."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(secret, "_known", {})
    monkeypatch.setattr(Account, "hums", False)
    logs.configure("debug", "json")
    logs.write_file(tmp_path / "log.jsonl", 1 << 24, 1)
    yield tmp_path / "log.jsonl"
    logs.close_file()
    logs.structlog.reset_defaults()


def check(simulator, order, event):
    """An event against what the simulator knows of the order, and the instrument's own figures."""
    truth, one = order.truth(), order.one
    value = one.listing.contract_value
    price, amount = Decimal(truth["trigger_price"]), Decimal(truth["quantity"])
    assert (event["market"], event["venue_symbol"], event["side"]) == (truth["market"], truth["symbol"], truth["side"])
    assert event["order_kind"] == ("other" if truth["market"] == "bybit_spot" else truth["kind"])
    assert event["ts_event"] == truth["triggered_ms"] * 1_000_000 and event["ts_recv"] >= order.triggered_ns - 50_000_000
    assert Decimal(event["trigger_price"]) == price and event["trigger_price_type"] == ("last" if truth["market"] == "binance_spot" else truth["price_type"]) and event["order_price"] is None
    if one.is_inverse:
        assert Decimal(event["quote_quantity"]) == amount * value and abs(Decimal(event["quantity"]) - amount * value / price) <= Decimal("0.000000005")
        assert event["flags"] == ["rounded"] and event["contract_unit"] == "quote"
    else:
        assert Decimal(event["quantity"]) == amount * value and Decimal(event["quote_quantity"]) == amount * value * price
    if "contracts" in event:
        assert (Decimal(event["contracts"]), Decimal(event["contract_value"])) == (amount, value)
    assert event["placed_order_id"] in (None, truth["placed_id"]) and event["position"] is event["failure"] is None


async def test_pain_23_stop_orders_of_ones_own_are_told_as_they_were_and_keys_to_nobody(tmp_path, logged, capfd):
    async with Told(tmp_path) as run:
        account, appliance = run.simulator.account, run.appliance
        await run.until(lambda: run.states() == dict.fromkeys(STREAMS, "live"))
        assert account.logins >= 5 and not account.refused, "each of them was checked"

        # every market, both sides, every kind; and one that was taken back
        wishes = [{}, {"kind": "take_profit"}, {"kind": "trailing"}, {"kind": "stop", "price_type": "mark"}]
        ones = [run.simulator.instruments[name, next(symbol for market, symbol in run.simulator.instruments if market == name)] for name in MARKETS]
        orders = [account.place(one, is_buy=n % 2 == 0, distance=1, **wish) for one in ones for n, wish in enumerate(wishes)]
        taken_back = [account.place(one, is_buy=True, distance=900_000) for one in ones[:1] + ones[2:3] + ones[5:6] + ones[8:]]
        for order in taken_back:
            account.cancel(order)
        for one in ones:
            for side in ("buy", "sell"):
                run.simulator.plants.plant("whale", one, side=side, orders=1, every_ms=0, quote=4e5)
        await run.until(lambda: all(order.state == "filled" for order in orders))
        await run.until(lambda: sum(sum(state["counts"].values()) for state in run.streams().values()) == 5 * 4 * 3 + 3 * 4 + 5)  # OKX tells a trigger once, Binance's spot one that takes a profit twice, the others thrice
        await run.until(lambda: len(run.told()) >= len(orders))
        told = run.told()
        assert set(told) == {order.client_id for order in orders} and all(len(events) == 1 for events in told.values()), "each once"
        for order in orders:
            check(run.simulator, order, told[order.client_id][0])
        assert not any(state["bad"] for state in run.streams().values())

        # a key that the venues do not know any more: said, counted, tried again; nothing else notices
        books = {name: capture.books() for name, capture in appliance.captures.items()}
        account.key = "another-key-9876543210"
        run.simulator.account.listen_keys.clear()
        for orders_of in appliance.markets.accounts.orders.values():
            orders_of.feed.recycle("the test wants a new login")
        await run.until(lambda: all(n >= 2 for n in run.refused().values()) and set(run.refused()) == set(STREAMS))
        assert not appliance.not_ready() and {name: capture.books() for name, capture in appliance.captures.items()} == books
        reasons = {name: state["feed"]["last_loss"] for name, state in run.streams().items()}
        assert all("login refused" in reason and "check the key" in reason for reason in reasons.values()), reasons
        assert "login refused: Invalid apikey ***" in reasons["bybit"], "a refusal that repeats the key has it covered"
        pages = await run.pages()
        assert 'p9_account_up{account="okx"} 0.0' in pages["/metrics"] and 'p9_account_logins_refused_total{account="bybit"}' in pages["/metrics"]
        account.key, account.secret = KEY, "another-secret-987"
        await run.until(lambda: "check your signature" in run.streams()["bybit"]["feed"]["last_loss"] and "60007 Invalid sign" in run.streams()["okx"]["feed"]["last_loss"])
        account.secret = SECRET
        await run.until(lambda: run.states() == dict.fromkeys(STREAMS, "live"))

        # what was not heard meanwhile is asked for, of every instrument that the streams tell of, and written down
        await run.until(lambda: all(run.gaps(row) == ["open", "filled"] for one in ones for row in run.rows(one)))
        rows = [json.loads(line) for line in (tmp_path / "data" / "gaps.jsonl").read_text().splitlines()]
        assert {row["market"] for row in rows if row["kind"] == "stop_triggers"} <= set(MARKETS)

        # nothing that anybody can read has a key
        pages |= {f"{path} again": text for path, text in (await run.pages()).items()}
        listen_keys = [key for key in secret._known if len(key) == 64]
        assert len(listen_keys) >= 2
        hidden = [KEY, SECRET, PASSPHRASE, *listen_keys, *account.listen_keys.values()]
        client = run.redis.client()
        bus = b"".join(client.dump(key) or b"" for key in client.keys("*"))
        lines = json.dumps(list(logs.RECENT.lines))
    logs.close_file()
    out, err = capfd.readouterr()
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != run.key_file}
    assert "socket lost" in err and "login refused" in logged.read_text(), "what is searched is what was written"
    for one in hidden:
        found = [name for name, text in {**pages, "bus": bus.decode("latin-1"), "recent": lines, "out": out, "err": err}.items() if one in text]
        found += [str(path) for path, text in files.items() if one.encode() in text]
        assert not found, f"{one[:10]}... stands in {found}"


async def test_keys_come_and_go_while_it_runs_and_a_file_that_others_can_read_changes_nothing(tmp_path, logged):
    async with Told(tmp_path) as run:
        await run.until(lambda: run.states() == dict.fromkeys(STREAMS, "live"))
        sockets = run.sockets()
        run.tree["venues"]["okx"]["account"] = {"enabled": False}
        assert (await run.reload())["successful"]
        await run.until(lambda: run.states() == dict.fromkeys(STREAMS[:-1], "live"))
        run.key_file.chmod(0o644)
        run.tree["venues"]["okx"]["account"] = {"enabled": True}
        said = await run.reload()
        assert not said["successful"] and f"chmod 600 {run.key_file}" in json.dumps(said)
        await run.until(lambda: run.states() == dict.fromkeys(STREAMS[:-1], "live"))
        run.key_file.chmod(0o600)
        assert (await run.reload(run.path.read_text() + "\n"))["successful"]
        await run.until(lambda: run.states() == dict.fromkeys(STREAMS, "live"))
        run.tree["analytics"] = {"stop_triggers": {"enabled": False}}
        assert (await run.reload())["successful"]
        await run.until(lambda: run.states() == {})
        assert run.sockets() == sockets, "no socket of the books noticed"


def test_no_key_goes_out_in_the_clear(monkeypatch):
    for url in ("https://api.example.com", "wss://stream.example.com:9443/x", "http://127.0.0.1:1/a", "ws://[::1]:80", "ws://localhost/b"):
        assert not in_the_clear(url), url
    for url in ("http://api.example.com", "ws://10.0.0.5:80", "ws://127.0.0.1.example.com", "ftp://x", ""):
        assert in_the_clear(url), url
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    lines = {name: SimpleNamespace(market=market(name)) for name in ("binance_spot", "binance_usdm")}
    assert [account.name for account, _ in Accounts(parse(""), Clock(), lines).wanted()] == ["binance_spot", "binance_usdm"]
    monkeypatch.delenv("P9_BINANCE_SECRET")
    assert [account.name for account, _ in Accounts(parse(""), Clock(), lines).wanted()] == ["binance_usdm"], "the other one needs a signature"
    row = market("okx_swap")
    assert [account.name for account, _ in Accounts(parse(""), Clock(), {"okx_swap": SimpleNamespace(market=row)}).wanted()] == ["okx"]
    with pytest.raises(ConfigError, match=r"venues.okx.swap: a key would go to ws://elsewhere.example"):
        Accounts(parse(""), Clock(), {"okx_swap": SimpleNamespace(market=row.at("", "ws://elsewhere.example"))}).wanted()


def test_a_key_file_that_others_can_read_is_refused_before_anything_starts(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["p9_microstream", "--config", str(tmp_path / "config.yaml"), "--check-config"])
    path, keys = tmp_path / "config.yaml", tmp_path / "keys"
    keys.write_text(f"key={KEY}\nsecret={SECRET}\n")
    keys.chmod(0o640)
    off = "".join(f"  {venue}: {{{', '.join(f'{line}: {{enabled: false}}' for line in lines.split())}}}\n" for venue, lines in EVERY.items() if venue != "bybit")
    path.write_text(f"data_dir: {tmp_path}\nvenues:\n  bybit: {{account: {{file: {keys}}}}}\n{off}")
    with pytest.raises(ConfigError, match="chmod 600"):
        keys_of(load(path))
    assert main() == 2
    said = "".join(capsys.readouterr())
    assert f"others can read or write {keys} (mode 0640) (chmod 600 {keys})" in said and SECRET not in said
    keys.chmod(0o600)
    assert main() == 0
    said = "".join(capsys.readouterr())
    assert "keys of one's own: bybit" in said and KEY not in said and SECRET not in said

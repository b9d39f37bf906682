"""Clients that others wrote for the real venues, unchanged but for their base URLs, end with the simulator's own book, trades and candles."""

import json
import select
import subprocess
import sys
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest

from .clients import environment

pytestmark = pytest.mark.timeout(300)  # the first one may have to make their environment

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "clients"
PATIENCE_S = 75.0  # of a client that has not said a word; it gives itself 60 s
CCXT = ("BTC/USDT", "ETH/USDT:USDT", "BTC/USD:BTC")


class Venues:
    """The command `simulate` in a process of its own."""

    def __init__(self, *options: str):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "p9", "simulate", *options], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        told = json.loads(self.process.stdout.readline())
        self.url, self.endpoints = told["url"], told["endpoints"]

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path) as answer:
            return json.load(answer)

    def post(self, path: str):
        with urllib.request.urlopen(urllib.request.Request(self.url + path, method="POST")) as answer:
            return json.load(answer)

    def stop(self) -> int:
        self.process.terminate()
        self.process.stdout.close()
        return self.process.wait(10)


@pytest.fixture
def venues():
    running = Venues("--instruments", "4", "--seed", "11")
    yield running
    assert running.stop() == 0


@pytest.fixture
def converse(venues):
    """converse(script, *arguments) -> what the client has, with the simulator frozen and the client still subscribed."""
    clients = []

    def start(script: str, *arguments: str) -> subprocess.Popen:
        command = [environment.python(), SCRIPTS / f"{script}.py", json.dumps(venues.endpoints), *arguments]
        clients.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return clients[-1]

    def run(script: str, *arguments: str) -> dict:
        client = start(script, *arguments)
        if not select.select([client.stdout], [], [], PATIENCE_S)[0]:  # pybit waits for ever for a socket that it lost before it had subscribed
            client.kill()
            client = start(script, *arguments)
        assert client.stdout.readline(), client.stderr.read()
        venues.post("/oracle/freeze")
        client.stdin.write("frozen\n")
        client.stdin.flush()
        told = client.stdout.readline()
        assert told, client.stderr.read()
        return json.loads(told)

    yield run
    for client in clients:
        client.stdin.close()
        client.kill()
        client.wait(10)
        client.stdout.close()
        client.stderr.close()


def numbers(rows) -> list[tuple[Decimal, Decimal]]:
    """Levels as numbers: some clients keep floats, whose shortest text is the venue's."""
    return [(Decimal(str(price)), Decimal(str(quantity))) for price, quantity in rows]


def trade_key(row) -> tuple:
    return (str(row[0]), Decimal(str(row[1])), Decimal(str(row[2])), row[3])


def check_books(venues, row: dict, levels: int | None = None) -> dict:
    """The client's own book, its REST book, at the oracle's ids."""
    truth = venues.get(f"/oracle/{row['market']}/{row['venue_symbol']}")
    assert truth["frozen"]
    for side in ("bids", "asks"):
        if side in row:
            mine = numbers(row[side])[:levels]
            assert len(mine) >= 10 and mine == numbers(truth[side])[: len(mine)], f"{row['market']} {side}"
        rest = numbers(row[f"rest_{side}"])
        assert len(rest) >= 50 and rest == numbers(truth[side])[: len(rest)]
    if "rest_id" in row:
        assert row["rest_id"] == truth["id"]
    return truth


def check_rest(venues, row: dict) -> None:
    """Trades by REST, the forming candle, the day's figures, tick and lot."""
    path = f"/oracle/{row['market']}/{row['venue_symbol']}"
    fills = venues.get(f"{path}/trades")
    if "rest_trades" in row:
        mine = sorted(trade_key(trade) for trade in row["rest_trades"])  # one client sorts those of one time by their ids, which are random
        assert mine == sorted(trade_key(fill) for fill in fills[-len(mine) :])
    mine = row["candles"][-1]
    bar = next(bar for bar in venues.get(f"{path}/klines?interval=1m") if bar["open_ms"] == mine[0])
    assert len(row["candles"]) == 3
    assert [Decimal(str(value)) for value in mine[1:5]] == [Decimal(bar[name]) for name in ("open", "high", "low", "close")]
    ticker = {name: Decimal(str(value)) for name, value in row["ticker"].items()}
    assert ticker["last"] == Decimal(fills[-1][1]) and ticker["low"] <= Decimal(bar["low"]) and ticker["high"] >= Decimal(bar["high"])
    tick, lot = Decimal(str(row["tick"])), Decimal(str(row["lot"]))
    assert all(price % tick == 0 and quantity % lot == 0 for price, quantity in numbers(row["rest_bids"]))


def check_trades(venues, row: dict) -> None:
    """Every fill since the first that the client heard, each once, in order."""
    fills = [trade_key(fill) for fill in venues.get(f"/oracle/{row['market']}/{row['venue_symbol']}/trades?limit=20000")]
    mine = [trade_key(trade) for trade in row["trades"]]
    first = min(fills.index(mine[0]), fills.index(mine[1]))
    assert sorted(mine) == sorted(fills[first:])


def folded(fills: list) -> list[tuple]:
    """(id of the last fill, price, side) of runs of one order's fills at one price: what one venue sends as one trade."""
    runs: list[tuple] = []
    for number, price, _, side, at_ns in fills:
        if runs and runs[-1][1:] == (price, side, at_ns):
            runs.pop()
        runs.append((number, price, side, at_ns))
    return [(number, Decimal(price), side) for number, price, side, _ in runs]


@pytest.mark.parametrize("venue", ["binance", "bybit", "okx"])
def test_ccxt(converse, venues, venue):
    told = converse("ccxt_client", venue, *CCXT)
    assert not told["errors"] and told["markets"] >= 12 and len(told["instruments"]) == 3
    for row in told["instruments"]:
        # a book begun with the best 1,000 levels knows nothing of what lay beyond them
        truth = check_books(venues, row, levels=800 if venue == "binance" else None)
        if venue == "binance":
            assert row["id"] == truth["u"]
        elif venue == "okx":
            assert row["id"] <= truth["seqId"]
        if venue == "binance":
            del row["rest_trades"]  # aggregates: python-binance's test reads them
            check_trades(venues, row)
        elif venue == "bybit":
            check_trades(venues, row)
        else:
            fills = folded(venues.get(f"/oracle/{row['market']}/{row['venue_symbol']}/trades?limit=20000"))
            mine = [(trade[0], Decimal(str(trade[1])), trade[3]) for trade in row["trades"]]
            assert mine == fills[fills.index(mine[0]) :]
        check_rest(venues, row)


def test_pybit(converse, venues):
    """Its books refuse to delete what they do not hold: each window must be exact."""
    told = converse("pybit_client")
    assert {row["depth"] for row in told["instruments"]} == {50, 200, 1000}
    for row in told["instruments"]:
        truth = check_books(venues, row)
        assert len(row["bids"]) == len(row["asks"]) == row["depth"] and row["id"] == truth["u"][str(row["depth"])]
        check_trades(venues, row)
        check_rest(venues, row)


def test_python_binance(converse, venues):
    told = converse("python_binance_client")
    for row in told["instruments"]:
        truth = check_books(venues, row, levels=800)
        check_rest(venues, row)
        aggregates = row["rest_aggregates"]
        assert aggregates[-1][0] == truth["last_aggregate_id"]
        assert [one[0] for one in aggregates] == list(range(aggregates[0][0], aggregates[-1][0] + 1))
        if row["market"] == "binance_spot":
            assert row["id"] == truth["u"]
            check_trades(venues, row)
        elif row["market"] == "binance_usdm":
            heard = {trade[0]: trade for trade in row["trades"]}
            assert len(heard) == len(row["trades"]) and [heard.get(one[0], one) for one in aggregates] == aggregates
            assert row["trades"][-1] == aggregates[-1]


def test_python_okx(converse, venues):
    told = converse("python_okx_client")
    assert [row["market"] for row in told["instruments"]] == ["okx_spot", "okx_swap", "okx_futures"]
    for row in told["instruments"]:
        check_books(venues, row)
        check_rest(venues, row)

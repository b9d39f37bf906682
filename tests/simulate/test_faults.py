"""A fault spec is read strictly, said at once where it is wrong, and does what it says."""

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p9.simulate.faults import Faults, FaultSpecError, Rule, Scope, parse

ROOT = Path(__file__).parents[2]


def test_a_spec_is_read_item_by_item():
    assert parse("drop:0.01, mute:1m/500ms@okx,http_429:0.1/2s@binance_spot/BTCUSDT") == [
        Rule("drop", 0.01, 0.0, Scope()),
        Rule("mute", 60.0, 0.5, Scope("okx")),
        Rule("http_429", 0.1, 2.0, Scope("binance_spot", "BTCUSDT")),
    ]


@pytest.mark.parametrize(
    "spec, said",
    [
        ("dropp:0.1", "did you mean 'drop'"),
        ("drop", "a value is missing"),
        ("drop:1.5", "not a share between 0 and 1"),
        ("drop:nan", "not a share between 0 and 1"),
        ("mute:5", "write 500ms, 5s or 2m"),
        ("disconnect:0s", "not a time"),
        ("disconnect:-3s", "not a time"),
        ("disconnect:infs", "not a time"),
        ("drop:0.1/3s", "takes one value"),
        ("drop:0.1@binanc_spot", "did you mean 'binance_spot'"),
        ("drop:0.1@bybit/BTCUSDD", "did you mean 'BTCUSD'"),
        ("drop:0.1@okx/BTC-USDT/boook", "did you mean 'book'"),
        ("disconnect:3s@okx/BTC-USDT", "whole sockets"),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(spec, said):
    with pytest.raises(FaultSpecError) as told:
        parse(f"duplicate:0.1,{spec}", instruments=2)
    assert said in str(told.value) and repr(spec) in str(told.value)


@pytest.mark.parametrize(
    "spec", ["disconnect:-5s", "disconnect:0s", "disconnect:nans", "mute:infs", "mute:60s/-1s", "mute:60s/0s", "disconnect:1e308m", "drop:nan", "drop:inf", "drop:1.1"]
)
def test_what_no_clock_and_no_dice_can_do_is_refused(spec):
    """A negative time between two disconnects was once taken."""
    with pytest.raises(FaultSpecError):
        parse(spec)


def test_times_and_shares():
    rules = parse("disconnect:500ms, mute:2m/5s@okx_swap, drop:0.25@*/BTCUSDT/book")
    assert [(rule.name, rule.value, rule.for_s) for rule in rules] == [("disconnect", 0.5, 0.0), ("mute", 120.0, 5.0), ("drop", 0.25, 0.0)]
    assert rules[2].scope.covers("bybit_spot", "BTCUSDT", "book") and not rules[1].scope.covers("okx_spot", "x", "book")


@given(st.text(alphabet="drop:0.15sm/@*,_ bybitokx", max_size=40))
def test_any_text_is_rules_or_a_named_mistake(spec):
    with contextlib.suppress(FaultSpecError):
        assert all(isinstance(rule, Rule) for rule in parse(spec))


@pytest.mark.parametrize("words", [("simulate", "--faults", "dropp:1"), ("--simulate", "--faults", "dropp:1")])
def test_the_command_refuses_it_before_anything_starts(words):
    ran = subprocess.run([sys.executable, "-m", "p9", *words], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and ran.stdout == "" and "did you mean 'drop'" in ran.stderr and "Traceback" not in ran.stderr


@pytest.mark.parametrize("words", [("--port", "x"), ("--port", "70000"), ("--instruments", "0"), ("--rate", "-1")])
def test_other_words_of_the_command_are_bounded_too(words):
    ran = subprocess.run([sys.executable, "-m", "p9", "simulate", *words], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and words[0] in ran.stderr and words[1] in ran.stderr and "Traceback" not in ran.stderr


async def test_a_port_that_is_taken_is_said():
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = str(server.sockets[0].getsockname()[1])
    ran = await asyncio.create_subprocess_exec(sys.executable, "-m", "p9", "simulate", "--port", port, cwd=ROOT, stderr=subprocess.PIPE)
    _, errors = await ran.communicate()
    server.close()
    assert ran.returncode == 2 and port.encode() in errors and b"in use" in errors and b"Traceback" not in errors


def test_a_venue_s_name_means_its_markets_and_its_shared_sockets():
    for scope, market, covered in [
        ("okx", "okx_swap", True), ("okx_swap", "okx", True), ("okx_swap", "okx_spot", False), ("bybit", "bybit_linear", True),
        ("bybit_linear", "bybit_spot", False), ("*", "okx", True), ("binance", "okx", False),
    ]:  # fmt: skip
        assert Scope(scope).covers_market(market) is covered, (scope, market)


def test_shares_are_what_the_spec_says_and_one_seed_decides_the_same():
    def decisions(seed: int) -> list:
        faults = Faults("drop:0.2@bybit_linear,duplicate:0.1", seed)
        return [faults.of_frame("bybit_linear", "BTCUSDT", "book") for _ in range(20_000)]

    one = decisions(1)
    assert one == decisions(1) != decisions(2)
    assert abs(one.count("drop") / len(one) - 0.2) < 0.02 and abs(one.count("duplicate") / len(one) - 0.08) < 0.015


async def test_faults_are_changed_counted_and_ended_while_it_runs(probe):
    socket = await probe.connect("bybit_linear", "/v5/public/linear")
    await socket.send_json({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]})
    await probe.next_json(socket, lambda frame: frame.get("type") == "delta")
    await probe.post("/oracle/faults", {"spec": "drop:1@bybit_linear/BTCUSDT/book"})
    await probe.rest_of(socket, 0.3)
    async with probe.session.get(probe.simulator.url + "/oracle/faults") as answer:
        assert (await answer.json())["total"]["drop"] >= 3
    report = await probe.post("/oracle/faults", {"spec": ""})
    assert report["by_market"]["bybit_linear"]["drop"] >= 3
    await probe.next_json(socket, lambda frame: frame.get("type") == "delta")
    async with probe.session.post(probe.simulator.url + "/oracle/faults", data=json.dumps({"spec": "drop:7"})) as answer:
        assert answer.status == 400 and "'drop:7'" in await answer.text()


async def test_a_refusal_may_name_its_patience(start):
    probe = await start(faults="http_429:1/2s@binance_spot/BTCUSDT/book")
    status, headers, text = await probe.get_raw("binance_spot", "/api/v3/depth", symbol="BTCUSDT")
    assert status == 429 and headers["Retry-After"] == "2" and json.loads(text)["code"] == -1003
    assert (await probe.get_raw("binance_spot", "/api/v3/depth", symbol="ETHUSDT"))[0] == 200


@pytest.mark.parametrize(
    "path", ["klines?start=abc", "klines?end=-1", "klines?interval=7m", "trades?limit=x", "trades?limit=nan"],
)  # fmt: skip
async def test_the_oracle_says_what_it_cannot_read(probe, path):
    async with probe.session.get(f"{probe.simulator.url}/oracle/okx_swap/BTC-USDT-SWAP/{path}") as answer:
        assert answer.status == 400 and path.split("?")[1].split("=")[0] in await answer.text()


async def test_a_parameter_that_is_no_number_gets_the_venue_s_own_refusal(probe):
    status, _, text = await probe.get_raw("okx_swap", "/api/v5/market/history-trades", instId="BTC-USDT-SWAP", after="x")
    assert status == 400 and json.loads(text)["code"] == "51000"
    status, _, text = await probe.get_raw("bybit_linear", "/v5/market/risk-limit", category="linear", cursor="x")
    assert status == 200 and json.loads(text)["retCode"] == 10001
    status, _, text = await probe.get_raw("binance_usdm", "/fapi/v1/klines", symbol="BTCUSDT", interval="1M", endTime="9" * 30)
    assert status in (200, 400) and json.loads(text)
    async with probe.session.post(probe.simulator.url + "/oracle/fault", json={"fault": "drop", "market": "bybit_lin"}) as answer:
        assert answer.status == 400 and "bybit_linear" in await answer.text()

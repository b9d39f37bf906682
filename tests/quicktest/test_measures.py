"""What is made of frames, prints and figures is held against formulas; the vectors are the design's (analytics 4.2) and worked out by hand, and each lie is seen."""

import math
from array import array
from decimal import Decimal
from types import SimpleNamespace

import msgspec
import pytest
import ujson

from p9.quicktest import deleveraging, flow, frames, momentum, signals
from p9.quicktest.bus_watcher import Frame
from p9.quicktest.frames import NS, Frames
from tests.quicktest.test_views import OTHER, ROW, Desk

START = 1_000 * NS  # a whole second, and a whole minute less 20 s
TENTH = NS // 10
MS = NS // 1000
NAME = "okx:BTC-USDT-PERP"
PATH = "/oracle/okx_swap/BTC-USDT-SWAP"
# bid price, quantity, ask price, quantity; 100x10 / 101x10 -> bid 14 (+4) -> ask 7 (+3) -> ask lifts to 102x5 (+7) -> bid 101x6 (+6) -> bid back to 100x14 (-6): 14
TOUCHES = [(100, 10, 101, 10), (100, 14, 101, 10), (100, 14, 101, 7), (100, 14, 102, 5), (101, 6, 102, 5), (100, 14, 102, 5)]
FLOWS = [0, 4, 3, 7, 6, -6]
DEPTHS = [0, 12, 10.5, 9.5, 5.5, 9.5]


def levels(bid: float, bids: float, ask: float, asks: float) -> tuple[list[list[str]], list[list[str]]]:
    """Below the touch nothing ever changes."""
    return [[str(bid), str(bids)], *([str(90 - n), "1"] for n in range(9))], [[str(ask), str(asks)], *([str(110 + n), "1"] for n in range(9))]


def top(*touch: float) -> array:
    return array("d", [float(text) for side in levels(*touch) for level in side for text in level])


def frames_at(touches=TOUCHES, *, every_ns=TENTH, linked=None, begins=None, unit=1.0) -> Frames:
    n = len(touches)
    return Frames(
        [START + i * every_ns for i in range(n)], [None if touch is None else top(*touch) for touch in touches], linked or [i > 0 for i in range(n)],
        begins or [i == 0 for i in range(n)], unit,
    )  # fmt: skip


def test_the_designs_vector_of_flows():
    made = frames_at(unit=0.01)
    sums = [made.flow(1, end).flow[0] for end in range(1, 7)]
    assert sums == pytest.approx([0, 0.04, 0.07, 0.14, 0.20, 0.14])
    told = made.flow(1, 6)
    assert (told.changes, told.depth[0], told.size) == (5, pytest.approx(0.01 * sum(DEPTHS) / 5), pytest.approx(0.26))
    assert told.flow[1] == 0 and told.depth[1] == pytest.approx(0.01)


def test_what_is_not_known_is_not_compared():
    made = frames_at(linked=[False, True, True, False, True, True])
    assert made.known(1, 3) and made.known(4, 6) and not made.known(3, 6) and not made.known(1, 6) and not made.whole
    made = frames_at(linked=[False, True, True, False, True, True], begins=[True, False, False, True, False, False])
    assert made.whole and made.image(START + 3 * TENTH) == 3 and made.image(START + 4 * TENTH) == 0
    assert made.flow(1, 6).flow[0] == 4 + 3 + 6 - 6, "an image is no flow"
    assert not frames_at([TOUCHES[0], None, *TOUCHES[2:]]).known(1, 6)


async def test_frames_are_what_was_heard_with_what_the_simulator_says_stood_there():
    tops = [["", 7, 0, *levels(*TOUCHES[0])], ["books", 8, 0, *levels(*TOUCHES[1])], ["books", 9, 0, *levels(*TOUCHES[2])], ["books5", 7, 0, *levels(*TOUCHES[5])]]
    heard = [Frame(START, 7, True), Frame(START + 1, 8, False), Frame(START + 2, 9, False)]
    synced = {"kind": "book_state", "state": "synced", "ts_recv": START}

    async def made(heard, told=tops):
        desk = Desk({f"integrity:{NAME}": [synced]}, {f"{PATH}/tops": told}, rows=(ROW,))
        desk.watcher.frames = {f"depth:{NAME}": heard}
        return await frames.frames_of(desk, ROW)

    some = await made(heard)
    assert some.tops == [top(*touch) for touch in TOUCHES[:3]] and some.begins == [True, False, False] and some.known(1, 3)
    assert some.flow(1, 3).flow[0] == pytest.approx(0.07)  # contracts of a hundredth of a coin
    assert not (await made([heard[0], heard[2]], [*tops, ["books", 7, 0, *levels(*TOUCHES[0])]][1:])).known(1, 2), "a frame between them was not heard"
    assert not (await made([heard[0], Frame(START + 1, 8, True), heard[2]])).whole, "an image of another time stands for nobody knows what"
    assert not (await made([heard[0], Frame(START + 1, 77, False)])).whole


# ---- order flow


def window(n: int, sum_: float, depth: float | None) -> dict:
    ticks = 0.0 if depth is None else sum_ / (2 * depth)
    return {"changes": n, "ofi": sum_, "depth": depth, "normalised": ticks, "levels": [ticks, *[0.0] * 9]}


CONTRACTS = [["7", "100", "100", "buy", 1_019_000 * MS], ["8", "101", "100", "buy", 1_019_000 * MS], ["9", "99", "100", "sell", 1_019_500 * MS]]  # 201 and 99 dollars of a coin each
QUIET = {"net": "0", "volume": "0", "prints": 0}
CLASSES = {"retail": {"net": "-99", "volume": "99", "prints": 1}, "mid": {"net": "201", "volume": "201", "prints": 1}, "large": QUIET, "whale": QUIET}
FLOW = {
    "ofi": {"1s": window(5, 0.14, 0.094), "10s": window(5, 0.14, 0.094), "1m": window(5, 0.14, 0.094)}, "ofi_since": START, "ts_recv": START + 5 * TENTH,
    "ts_pub": START + 5 * TENTH + MS, "vpin": None, "vpin_buckets": 0, "vpin_bucket_volume": None, "kyle_lambda": None, "kyle_t": None, "kyle_r2": None, "amihud": None,
    "impact_minutes": 0, "thresholds": {"mid": 100, "large": None, "whale": None, "mega": None}, "classes": {"1m": CLASSES, "1h": CLASSES}, "prints": 2, "large_prints": 0,
    "whale_prints": 0, "mega_prints": 0, "last_large": None,
}  # fmt: skip
LARGE = {"tier": "large", "side": "buy", "time": 1_019_000 * MS, "quote_quantity": "201", "threshold": 150.0}
TRADE = {"seq": 1, "trade_id": "8", "first_trade_id": 7}


async def flow_check(event: dict, heard: dict | None = None, trades=CONTRACTS, first=TRADE):
    desk = Desk({f"flow:{NAME}": event, f"trades:{NAME}": first}, {f"{PATH}/trades": trades}, rows=(ROW,))
    desk.appliance.captures["okx_swap"].folds_ms = 0
    desk.watcher.measured = {f"flow:{NAME}": [ujson.dumps(heard or event).encode()]}
    desk.frames[ROW] = frames_at(unit=0.01)

    async def oldest(channel):
        return desk.held.get(channel)

    desk.oldest = oldest
    await flow.check(desk)
    return desk.checks[-1]


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    for module in (flow, momentum, deleveraging):
        monkeypatch.setattr(module, "SETTLED_S", 0.0)


LATER = FLOW | {"ts_pub": 1_020 * NS + MS}


async def test_order_flow_as_it_is():
    assert (await flow_check(LATER, FLOW)).passed, (await flow_check(LATER, FLOW)).figure
    large = {"1m": CLASSES | {"mid": QUIET, "large": CLASSES["mid"]}, "1h": CLASSES | {"mid": QUIET, "large": CLASSES["mid"]}}
    assert (await flow_check(LATER | {"classes": large, "large_prints": 1, "last_large": LARGE}, FLOW)).passed


@pytest.mark.parametrize("name", ["1s", "10s", "1m"])
@pytest.mark.parametrize("lie", [{"changes": 4}, {"ofi": 0.15}, {"depth": 0.095}, {"depth": None}, {"normalised": 0.7}, {"levels": [0.7446808, 0.1, *[0.0] * 8]}])
async def test_a_lie_about_what_stood_is_seen(name, lie):
    told = await flow_check(LATER, FLOW | {"ofi": FLOW["ofi"] | {name: FLOW["ofi"][name] | lie}})
    assert not told.passed and f"in {name}" in told.figure


@pytest.mark.parametrize(
    "lie",
    [
        {"prints": 3}, {"large_prints": 1}, {"mega_prints": 1}, {"vpin": 0.5}, {"kyle_lambda": 0.0}, {"impact_minutes": 2}, {"last_large": LARGE | {"quote_quantity": "301"}},
        {"last_large": LARGE | {"threshold": 300.0}}, {"last_large": LARGE | {"time": 1_018_000 * MS}}, {"thresholds": FLOW["thresholds"] | {"mid": 5000}},
        {"thresholds": FLOW["thresholds"] | {"mid": 10}}, {"classes": FLOW["classes"] | {"1m": CLASSES | {"retail": CLASSES["retail"] | {"net": "99"}}}},
        {"classes": FLOW["classes"] | {"1h": CLASSES | {"mid": CLASSES["mid"] | {"volume": "201.01"}}}}, {"classes": FLOW["classes"] | {"1m": CLASSES | {"mid": QUIET}}},
    ],
)  # fmt: skip
async def test_a_lie_about_what_was_traded_is_seen(lie):
    many = [[str(n), "100", str(100 + n), "buy", (1_010_000 + n) * MS] for n in range(-100, 0)]  # a hundred more before, so that ranks say something
    assert not (await flow_check(LATER | lie, FLOW, *(([*many, *CONTRACTS], TRADE | {"first_trade_id": -100}) if "thresholds" in lie else ()))).passed


async def test_flow_of_another_tape_or_none_is_seen():
    assert not (await flow_check(LATER, FLOW, CONTRACTS[:2])).passed and not (await flow_check(LATER, FLOW, [])).passed
    assert not (await flow_check(LATER, FLOW, first=TRADE | {"seq": 5})).passed, "its stream was cut off"


def test_the_newest_large_print_is_the_newest():
    prints = [flow.Print("buy", 1_019_000, Decimal(201), ("7", "8")), flow.Print("sell", 1_019_600, Decimal(900), ("9",))]
    event = FLOW | {"last_large": LARGE, "thresholds": FLOW["thresholds"] | {"large": 150}}
    assert flow._last(event, prints) == ["one of 900 at 1019600 came later"] and flow._last(event, prints[:1]) == []
    assert flow._last(event | {"prints": 3}, prints) == [], "it came in pieces, none of them large"


# ---- momentum


def steps() -> list[tuple]:
    """A mid of 100 that goes up by a hundredth of a percent with each sample of a tenth of a second, and at last stays."""
    return [(100 * 1.0001**n - 0.5, 1, 100 * 1.0001**n + 0.5, 1) for n in range(151)]


def moved(**lie) -> dict:
    """Of equal returns r, ten a horizon: the mean is 10 r, and z is r / sqrt(r^2 a / (2 - a)) once the first returns are forgotten: 4.47."""
    a = 1 - math.exp(-0.1)
    quiet = {"return_bps": None, "z": None, "trend": None}
    second = {"return_bps": 1e4 * 10 * math.log(1.0001), "z": math.sqrt((2 - a) / a) * (1 - math.exp(-15)) / math.sqrt(1 - math.exp(-30)), "trend": 1} | lie
    jumps = {"1s": {"l": None, "limit": 6.715, "count": 0}, "1m": {"l": None, "limit": 5.777, "count": 0}}
    return {"horizons": {"1s": second, "10s": quiet, "1m": quiet, "5m": quiet}, "jumps": jumps, "ts_recv": START + 15 * NS, "ts_pub": START + 15 * NS + MS}


async def momentum_check(event: dict, made: Frames | None = None, losses=()):
    desk = Desk({f"integrity:{NAME}": [{"kind": "book_state", "previous": "synced", "state": "invalid", "ts_recv": at} for at in losses]}, {}, rows=(ROW,))
    desk.watcher.measured = {f"momentum:{NAME}": [ujson.dumps(event).encode()]}
    desk.frames[ROW] = made or frames_at(steps())
    await momentum.check(desk)
    return desk.checks[-1]


async def test_momentum_of_a_price_that_rises_steadily():
    told = await momentum_check(moved())
    assert told.passed, told.figure
    assert measure_after(40) is None, "of a hundred returns at least"


def measure_after(n: int) -> float | None:
    return momentum.measures(momentum.path(frames_at(steps()[: n + 1]), [], TENTH)[START // TENTH + n])[1]


@pytest.mark.parametrize("lie", [{"return_bps": 10.001}, {"return_bps": None}, {"z": 4.48}, {"trend": 0}, {"z": None, "trend": None}])
async def test_a_lie_about_momentum_is_seen(lie):
    assert not (await momentum_check(moved(**lie))).passed


async def test_a_horizon_that_cannot_be_known_yet_or_another_limit_is_seen():
    event = moved()
    early = event | {"horizons": event["horizons"] | {"10s": event["horizons"]["1s"]}}
    assert not (await momentum_check(early)).passed
    for jumps in ({"limit": 6.8}, {"l": 3.0}, {"count": 1}):
        assert not (await momentum_check(event | {"jumps": event["jumps"] | {"1s": event["jumps"]["1s"] | jumps}})).passed
    assert not (await momentum_check(event | {"horizons": None})).passed, "nothing was compared"


def test_a_book_that_was_lost_has_no_price_meanwhile():
    """From the ninth second to the tenth: the first sample of what begins then is no return."""
    some = [*range(90), *range(100, 151)]
    made = Frames([START + i * TENTH for i in some], [top(*steps()[i]) for i in some], [i not in (0, 100) for i in some], [i in (0, 100) for i in some], 1.0)
    lost = momentum.path(made, [START + 90 * TENTH], TENTH)
    numbers = {number - START // TENTH: sample.n for number, sample in lost.items()}
    assert (numbers[89], numbers[100], numbers[150]) == (89, 89, 139) and not numbers.keys() & range(90, 100)


# ---- signals

SIGNAL = {
    "kind": "base", "state": "begins", "direction": "up", "confidence": 1.0, "since": 5, "duration_ns": None, "latency_ns": 0, "ts_recv": START + 5 * TENTH, "ts_pub": START + 5 * TENTH,
}  # fmt: skip
FIVE = {"signal": "flow", "horizon_seconds": 10, "strength": math.tanh(0.14 / (2 * 0.094) / 3), "confidence": 0.05, "inputs": {"ofi_10s_ticks": 0.14 / (2 * 0.094), "changes": 5, "vpin": None}}


def base(**more) -> dict:
    return SIGNAL | FIVE | more


def part(signal: str, strength: float, counted: bool, confidence: float = 1.0) -> dict:
    return {"signal": signal, "strength": strength, "confidence": confidence, "weight": 1.0, "counted": counted}


def aggregate(**more) -> dict:
    """The book says 0.8 (walls say less), the price says -0.2: 0.6 of two groups, and of 1.0 in all they agree in 0.6."""
    parts = [part("imbalance", 0.8, True), part("walls", 0.3, False), part("momentum", -0.4, True, 0.5)]
    excluded = sorted(set(signals.GROUPS) - {"imbalance", "walls", "momentum"})
    return SIGNAL | {"kind": "aggregate", "strength": 0.3, "confidence": 0.6, "parts": parts, "excluded": excluded} | more


WALLS = base(signal="imbalance", horizon_seconds=5, strength=0.75, confidence=1.0, inputs={"imbalance_5_mean": 0.75}, ts_pub=START)


async def signals_check(*events: dict, all_=(), other=(), truth=None, forced=(), low=True) -> dict:
    held = {f"signals:{NAME}": list(events), "signals:bybit:BTC-USDT-PERP": list(other), "signals:all:BTC-USDT-PERP": list(all_), f"liquidations:{NAME}": list(forced)}
    desk = Desk(held, truth or {})
    if low:
        desk.appliance.config = SimpleNamespace(analytics=_low(desk.appliance.config.analytics))
    desk.frames = {ROW: frames_at(unit=0.01), OTHER: frames_at([])}
    await signals.check(desk)
    return {check.name: check for check in desk.checks}


def _low(analytics):
    """The default, but that anything begins."""
    return msgspec.structs.replace(analytics, signals=msgspec.structs.replace(analytics.signals, enter=0.01, leave=0.0, total_enter=0.01, total_leave=0.0))


OURS, ALL = "signals are what their figures make, and these are true", "what all venues say is what each of them says"


async def test_a_signal_is_what_its_figures_make_and_these_are_true():
    told = (await signals_check(base()))[OURS]
    assert told.passed, told.figure
    for lie in (
        {"strength": 0.3}, {"confidence": 0.5}, {"horizon_seconds": 5}, {"direction": "down"}, {"state": "changes"}, {"duration_ns": 3}, {"signal": "cvd_divergence"},
        {"strength": math.tanh(0.5), "inputs": FIVE["inputs"] | {"ofi_10s_ticks": 1.5}},
    ):  # fmt: skip
        assert not (await signals_check(base(**lie)))[OURS].passed, lie
    assert not (await signals_check(base(), low=False))[OURS].passed, "it begins too low"
    ended = base(state="ends", strength=0, direction="none", duration_ns=7)
    assert (await signals_check(base(), ended))[OURS].passed
    assert not (await signals_check(base(), ended | {"since": 6}))[OURS].passed and not (await signals_check(base(), base()))[OURS].passed


@pytest.mark.parametrize(
    "name, horizon_s, inputs, strength",
    [
        ("momentum", 60, {"z_10s": 3.0, "z_1m": 6.0}, math.tanh(1)), ("walls", 60, {"walls": 2, "mid": 100}, 0.7), ("spoofing", 10, {"score": 0.7}, -0.7),
        ("insurance", 3_600, {"stress": "HIGH"}, -2 / 3), ("iv_skew", 86_400, {"shift": 0.05}, math.tanh(1)), ("liquidations", 60, {"net_quote": -1_000_000}, -math.tanh(1)),
        ("basis", 28_800, {"basis_bps": "30"}, -math.tanh(1)), ("funding", 28_800, {"annualised": "0.5"}, -math.tanh(1)),
    ],
)  # fmt: skip
async def test_every_formula(name, horizon_s, inputs, strength):
    truth = {f"{PATH}/figures": {"funding": {"rate": "0.5", "interval_ms": 365 * 86_400_000}, "path": [["100.3", "100"]]}}
    forced = [{"ts_recv": START, "side": "sell", "quote_quantity": "1000000"}]
    event = base(signal=name, horizon_seconds=horizon_s, inputs=inputs, strength=strength, confidence=1.0, direction="up" if strength > 0 else "down")
    assert (told := (await signals_check(event, truth=truth, forced=forced))[OURS]).passed, told.figure
    assert name == "walls" or not (await signals_check(event | {"strength": strength * 0.99}, truth=truth, forced=forced))[OURS].passed
    if name in ("liquidations", "basis", "funding"):
        other = {f"{PATH}/figures": {"funding": {"rate": "0.4", "interval_ms": 365 * 86_400_000}, "path": [["100.1", "100"]]}}
        assert not (await signals_check(event, truth=other))[OURS].passed, "another truth"


async def test_an_imbalance_is_the_mean_of_what_stood():
    """Half a second before it is weighed: each state of a tenth of a second keeps 2^-0.1 of what was before. Below the touch each side has four lots more."""
    mean = None
    for _, bids, _, asks in TOUCHES[:5]:
        now = (bids - asks) / (bids + asks + 8)
        mean = now if mean is None else mean * 0.5**0.1 + now * (1 - 0.5**0.1)
    event = base(signal="imbalance", horizon_seconds=5, confidence=1.0, strength=mean, inputs={"imbalance_5_mean": mean})
    assert (told := (await signals_check(event))[OURS]).passed, told.figure
    wrong = event | {"strength": mean + 0.01, "inputs": {"imbalance_5_mean": mean + 0.01}}
    assert not (await signals_check(wrong))[OURS].passed


async def test_an_aggregate_is_what_its_parts_make_and_these_were_told():
    first = WALLS | {"ts_recv": 1}  # of a time of which no frame is known
    late = {"ts_pub": START + 5 * NS}
    weak = base(signal="momentum", horizon_seconds=60, strength=-0.4, confidence=0.5, direction="down", inputs={"z_10s": 3 * math.atanh(-0.4), "z_1m": None}, ts_pub=START, ts_recv=1)
    wall = base(signal="walls", horizon_seconds=60, strength=0.3, confidence=1.0, inputs={"walls": 1}, ts_pub=START)
    assert (told := (await signals_check(first, weak, wall, aggregate(**late)))[OURS]).passed, told.figure
    for lie in (
        {"strength": 0.31}, {"confidence": 0.7}, {"excluded": []}, {"parts": aggregate()["parts"][:2]},
        {"parts": [part("imbalance", 0.8, False), *aggregate()["parts"][1:]]},
    ):  # fmt: skip
        assert not (await signals_check(first, weak, wall, aggregate(**late, **lie)))[OURS].passed, lie
    assert not (await signals_check(weak, wall, aggregate(**late)))[OURS].passed, "of its strongest part nobody was told"
    assert not (await signals_check(first | {"strength": 0.55, "inputs": {"imbalance_5_mean": 0.55}}, weak, wall, aggregate(**late)))[OURS].passed, "that moved by more than a step"


async def test_what_all_venues_say_is_what_each_says():
    """(0.3 * 0.6 + 0.6 * 0.3) / 0.9 = 0.4"""
    parts = [{"exchange": "bybit", "strength": 0.6, "confidence": 0.3}, {"exchange": "okx", "strength": 0.3, "confidence": 0.6}]
    mine, theirs = aggregate(ts_pub=START), aggregate(ts_pub=START, strength=0.5, confidence=0.6)
    all_ = SIGNAL | {"strength": 0.4, "confidence": 1.0, "parts": parts, "excluded": [], "ts_pub": START + 5 * NS}
    assert (told := (await signals_check(mine, other=[theirs], all_=[all_]))[ALL]).passed, told.figure
    for lie in ({"strength": 0.41}, {"confidence": 0.9}, {"parts": parts[:1], "strength": 0.6}, {"direction": "down"}, {"state": "changes"}, {"excluded": ["okx", "nobody"]}):
        assert not (await signals_check(mine, other=[theirs], all_=[all_ | lie]))[ALL].passed, lie
    assert not (await signals_check(mine, other=[theirs | {"strength": 0.1}], all_=[all_]))[ALL].passed, "one venue said another thing"
    assert not (await signals_check(mine, other=[theirs]))[ALL].passed, "nobody said anything"


# ---- deleveraging


@pytest.mark.parametrize("balance, risk", [("95", "low"), ("90", "medium"), ("70", "high")])
async def test_how_likely_deleveraging_is_and_what_the_pool_holds(balance, risk):
    pool = {"venue": "okx", "asset": "USDT", "pool": "BTC", "balance": balance, "had": "100", "symbols": ["BTC-USDT-SWAP"]}
    event = {"exchange": "okx", "venue_symbol": "BTC-USDT-SWAP", "state": "adl", "risk": risk, "balance": balance, "ts_event": START, "ts_recv": START}

    async def told(**lie) -> bool:
        desk = Desk({f"adl:{NAME}": [event | lie], "adl:bybit:BTC-USDT-PERP": [event | {"exchange": "bybit", "risk": None, "balance": None}]}, {"/oracle/insurance": [pool]})
        desk.caused = {("adl", "okx", "BTC-USDT-PERP"), ("adl", "bybit", "BTC-USDT-PERP")}
        await deleveraging.check(desk)
        return desk.checks[-1].passed

    assert await told()
    assert not await told(risk="high" if risk != "high" else "low") and not await told(balance="96") and not await told(state="warning")

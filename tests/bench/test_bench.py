"""The benchmark measures what it says and no more: every message is taken and confirmed, and a bound that is missed is told."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from cext.clock import Clock
from cext.outbox import Outbox

from p9.publication import ROWS, streams_of
from tests.bench import bench, bench_peers, books, streams, yardstick
from tests.bench.market_stream import SHAPES, generate
from tests.bench.rig import NOW_NS, STREAMS, check_taken, config_with, instrument_of, named, pipeline_of
from tests.bench.yardstick import Speed


@pytest.mark.parametrize("section", bench.SECTIONS)
def test_each_section_runs_and_reports_every_bounded_figure(section: str) -> None:
    report = bench.SECTIONS[section](40, 1)
    for bound in bench.BOUNDS[section]:
        found = bench.figures(report, bound.path)
        assert found
        assert all(isinstance(value, int | float) for value in found.values())


AS_SET = Speed(1.0, 1.0, {"p50": 0, "p90": 0, "p99": 0, "p999": 0})


def test_a_figure_beyond_its_bound_and_the_noise_fails_and_one_within_the_noise_does_not() -> None:
    report = {venue: {"all": 1.9} for venue in SHAPES}
    assert bench.judge("streams", report, AS_SET) == ([], [])
    report["okx"]["all"] = 2.0 * bench.NOISE - 0.01
    assert bench.judge("streams", report, AS_SET) == ([], [])
    report["okx"]["all"] = 2.0 * bench.NOISE + 0.01
    failed, short = bench.judge("streams", report, AS_SET)
    assert (len(failed), len(short)) == (1, 1)  # and it misses the goal
    assert "streams.okx.all" in failed[0]
    slow = {"messages_per_core_s": 200_000 / bench.NOISE - 1, "messages_per_s": 500_000}
    assert len(bench.judge("redis", slow, AS_SET)[0]) == 1


def test_a_bound_of_time_is_for_the_machine_as_it_is_now_and_one_of_bytes_is_for_every_machine() -> None:
    slow = Speed(2.0, 4.0, {"p50": 100, "p90": 200, "p99": 3_000, "p999": 9_000})
    cpu = {venue: {"all": 2.0 * bench.NOISE * 2 - 0.01} for venue in SHAPES}
    assert bench.judge("streams", cpu, slow)[0] == []
    assert len(bench.judge("streams", cpu, AS_SET)[0]) == len(SHAPES)
    rates = {"messages_per_core_s": 200_000 / 2 / bench.NOISE + 1, "messages_per_s": 100_000 / 4 / bench.NOISE - 1}
    assert [line.split(" ")[0] for line in bench.judge("redis", rates, slow)[0]] == ["redis.messages_per_s"]
    late = {"high_us": {"p50": 300, "p99": (5_000 + bench.TURNS * 3_000) * bench.NOISE - 1, "p999": (10_000 + bench.TURNS * 9_000) * bench.NOISE + 1}}
    assert [line.split(" ")[0] for line in bench.judge("latency", late, slow)[0]] == ["latency.high_us.p999"]
    assert len(bench.judge("memory", {"resident_mb": 512 * bench.NOISE + 1}, slow)[0]) == 1


def test_the_yardstick_never_calls_a_machine_faster_than_the_one_that_bounds_were_set_on() -> None:
    speed = yardstick.measure()
    assert min(speed.cpu, speed.wall) >= 1.0
    assert list(speed.late_us.values()) == sorted(speed.late_us.values())
    assert speed.worse(AS_SET) == speed == AS_SET.worse(speed)


def test_a_section_that_breaks_fails_the_whole_and_the_others_have_their_figures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "ProcessPoolExecutor", lambda *args, **more: ThreadPoolExecutor(1))
    monkeypatch.setitem(bench.SECTIONS, "memory", lambda n, rounds: {"resident_mb": 100})
    monkeypatch.setitem(bench.SECTIONS, "redis", lambda n, rounds: {}["messages"])
    monkeypatch.setattr("sys.argv", ["bench", "--section", "redis", "--section", "memory"])
    assert bench.main() == 1
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report["ok"], report["memory"], len(report["failed"])) == (False, {"resident_mb": 100}, 1)
    assert report["failed"][0].startswith("redis came to no figures: KeyError")


@pytest.mark.parametrize("venue", SHAPES)
def test_a_frame_that_is_not_taken_is_an_error_not_a_figure(venue: str) -> None:
    frames, clock = generate(venue, 5), Clock(NOW_NS)
    pipeline = pipeline_of(frames, Outbox(clock, epoch=1), clock, streams=())
    pipeline.feed_all([*frames.depth[:2], *frames.depth[3:]], NOW_NS)
    with pytest.raises(RuntimeError, match="not every message was taken"):
        check_taken(frames, pipeline, 4)


@pytest.mark.parametrize("venue", SHAPES)
def test_the_stand_in_for_redis_confirms_all_that_every_stream_wrote(venue: str) -> None:
    frames = generate(venue, 200)
    _, rehearsal = streams.run(frames, frames.of(books.KINDS), STREAMS)
    _, driver = streams.run(frames, frames.of(books.KINDS), STREAMS, rehearsal.answers)
    assert driver.n_batches == rehearsal.n_batches == len(rehearsal.answers)
    counts = driver.outbox.stats()["classes"]
    assert driver.outbox.waiting() == 0
    assert counts["HIGH"]["confirmed"] >= 200  # the trades
    assert counts["LOW"]["confirmed"] >= 200  # the changes of the book
    assert counts["MEDIUM"]["confirmed"] >= 1  # its images


def test_without_streams_an_instrument_has_none_and_with_all_it_has_every_one_of_the_product() -> None:
    frames, clock = generate("binance_futures", 1), Clock(NOW_NS)
    make = {names: streams_of(config_with(names))(instrument_of(frames.shape, 0)) for names in ((), STREAMS)}
    assert make[()] == []
    assert {type(stream) for stream in make[STREAMS]} == {row.kind for row in ROWS}
    outbox = Outbox(clock, epoch=1)
    pipeline_of(frames, outbox, clock, streams=())
    assert outbox.channels() == []


@pytest.mark.parametrize("venue", SHAPES)
def test_instruments_of_other_names_get_the_same_book(venue: str) -> None:
    frames, clock = generate(venue, 20), Clock(NOW_NS)
    pipeline = pipeline_of(frames, Outbox(clock, epoch=1), clock, n_instruments=3)
    pipeline.feed_all([named(frame, number) for frame in frames.of(books.KINDS) for number in range(3)], NOW_NS)
    check_taken(frames, pipeline, 3 * 3 * 20)
    first, *others = (pipeline.book(ix) for ix in range(3))
    assert all((book["bids"], book["asks"]) == (first["bids"], first["asks"]) for book in others)
    assert len({book["symbol"] for book in (first, *others)}) == 3


def test_a_peer_with_another_book_is_an_error_not_a_ratio() -> None:
    frames = generate("binance", 10)
    _, book = bench_peers.measure_ours(frames, 1)
    top = {side: [[float(px), float(qty)] for px, qty in book[side][:20]] for side in ("bids", "asks")}
    bench_peers.check_book("peer", {**top, "trade": None, "ticker": None}, book, frames)
    top["bids"][3][1] *= 2
    with pytest.raises(RuntimeError, match="the bids are not ours"):
        bench_peers.check_book("peer", {**top, "trade": None, "ticker": None}, book, frames)
    with pytest.raises(RuntimeError, match="its last trade"):
        bench_peers.check_book("peer", {"bids": [], "asks": [], "trade": 1.5, "ticker": None}, book, frames)

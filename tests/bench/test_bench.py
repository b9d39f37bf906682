"""The benchmark measures what it says: every message is taken and confirmed, and a bound that is missed is told."""

import pytest
from cext.clock import Clock
from cext.outbox import Outbox

from tests.bench import bench, bench_peers, books, streams
from tests.bench.market_stream import SHAPES, generate
from tests.bench.rig import NOW_NS, STREAMS, check_taken, named, pipeline_of


@pytest.mark.parametrize("section", bench.SECTIONS)
def test_each_section_runs_and_reports_every_bounded_figure(section: str) -> None:
    report = bench.SECTIONS[section](40, 1)
    for bound in bench.BOUNDS[section]:
        found = bench.figures(report, bound.path)
        assert found
        assert all(isinstance(value, int | float) for value in found.values())


def test_a_figure_beyond_its_bound_and_the_noise_fails_and_one_within_the_noise_does_not() -> None:
    report = {venue: {"all": 2.0} for venue in SHAPES}
    assert bench.judge("streams", report) == ([], [])
    report["okx"]["all"] = 3.0 * bench.NOISE - 0.01
    failed, short = bench.judge("streams", report)
    assert (failed, len(short)) == ([], 1)
    report["okx"]["all"] = 3.0 * bench.NOISE + 0.01
    failed, _ = bench.judge("streams", report)
    assert len(failed) == 1
    assert "streams.okx.all" in failed[0]
    slow = {"messages_per_core_s": 200_000 / bench.NOISE - 1, "messages_per_s": 500_000}
    assert len(bench.judge("redis", slow)[0]) == 1


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
    _, driver = streams.run(frames, frames.of(books.KINDS), STREAMS)
    counts = driver.outbox.stats()["classes"]
    assert driver.outbox.waiting() == 0
    assert counts["HIGH"]["confirmed"] >= 200  # the trades
    assert counts["LOW"]["confirmed"] >= 200  # the changes of the book
    assert counts["MEDIUM"]["confirmed"] >= 1  # its images


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

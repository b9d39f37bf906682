"""Seeds over all cores, each worker a process of its own: the simulated world owns the venues' clocks."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.sim.world import Result, simulate

SEEDS_A_PROCESS = 25


def twice(seed: int, minutes: float, kinds: tuple[str, ...] | None = None) -> Result:
    """One seed, run twice: `deterministic` fails where they differ."""
    result, again = simulate(seed, minutes, kinds=kinds), simulate(seed, minutes, kinds=kinds)
    if result.digest != again.digest:
        result.failures["deterministic"] = 1
        result.examples["deterministic"] = [f"{result.digest}, then {again.digest}"]
    return result


def _job(work: tuple[int, float, bool]) -> Result:
    seed, minutes, both = work
    try:
        return twice(seed, minutes) if both else simulate(seed, minutes)
    except Exception as error:  # the simulation itself broke: that is a failure of this seed, and not the end of the others
        return Result(seed, minutes, "", {"no_task_died": 1}, {"no_task_died": [f"{type(error).__name__}: {error}"]}, {}, 0, 0, 0, -1.0, 0, 0)


def spread(work: list[tuple[int, float, bool]], jobs: int) -> Iterator[Result]:
    """`work`: (seed, minutes, whether it is run twice). As they end. Processes are young: a pool is for so many seeds (`max_tasks_per_child` of one pool
    waits for ever now and then, https://github.com/python/cpython/issues/115634)."""
    for first in range(0, len(work), SEEDS_A_PROCESS * jobs):
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            for done in as_completed([pool.submit(_job, one) for one in work[first : first + SEEDS_A_PROCESS * jobs]]):
                yield done.result()

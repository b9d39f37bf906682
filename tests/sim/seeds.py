"""Seeds over all cores, each in a process of its own: the simulated world owns the venues' clocks."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from multiprocessing.connection import Connection
from typing import Any

from tests.sim.world import Result, simulate

FORKS = "forkserver" in multiprocessing.get_all_start_methods()
CONTEXT = multiprocessing.get_context("forkserver" if FORKS else "spawn")
if FORKS:
    CONTEXT.set_forkserver_preload(["tests.sim.world"])


def apart(do: Callable[[Any], Any], what: Any) -> Any:
    """`do(what)` in a process of its own, forked from one that has imported everything. It ends without freeing its world, which costs a tenth of a seed."""
    ours, theirs = CONTEXT.Pipe(duplex=False)
    worker = CONTEXT.Process(target=_work, args=(do, what, theirs))
    worker.start()
    theirs.close()
    try:
        answer = ours.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer
    except EOFError:
        worker.join()
        raise ChildProcessError(f"the process ended with exit code {worker.exitcode}") from None
    finally:
        ours.close()
        worker.join()


def _work(do: Callable[[Any], Any], what: Any, answer: Connection) -> None:
    try:
        answer.send(do(what))
    except Exception as error:
        answer.send(error)


def twice(seed: int, minutes: float, kinds: tuple[str, ...] | None = None) -> Result:
    """One seed, run twice: `deterministic` fails where they differ."""
    result, again = simulate(seed, minutes, kinds=kinds), simulate(seed, minutes, kinds=kinds)
    result.cpu_s += again.cpu_s
    if result.digest != again.digest:
        result.failures["deterministic"] = 1
        result.examples["deterministic"] = [f"{result.digest}, then {again.digest}"]
    return result


def _simulate(work: tuple[int, float, bool]) -> Result:
    seed, minutes, both = work
    return twice(seed, minutes) if both else simulate(seed, minutes)


def _job(work: tuple[int, float, bool]) -> Result:
    try:
        return apart(_simulate, work)
    except Exception as error:  # the simulation itself broke: that is a failure of this seed, and not the end of the others
        return Result(work[0], work[1], "", {"no_task_died": 1}, {"no_task_died": [f"{type(error).__name__}: {error}"]}, {}, 0, 0, 0, -1.0, 0, 0, 0.0)


def spread(work: list[tuple[int, float, bool]], jobs: int) -> Iterator[Result]:
    """`work`: (seed, minutes, whether it is run twice). As they end."""
    with ThreadPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(_job, one) for one in work]):
            yield done.result()

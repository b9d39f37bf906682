"""The command line.

p9_microstream [--config FILE] [--simulate] [--quick-test [TIME]] [--record DIR] [--check-config] [--version]
               [replay … | evaluate … | gaps … | snapshot … | backfill … | fuse … | simulate … | stop | install-service]
"""

import argparse
import asyncio
import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Container, Coroutine
from pathlib import Path
from typing import Any

from p9 import __version__, data_dir, executable, loop, trust
from p9.config import Config, Seconds, load
from p9.errors import BusAway, P9Error, Remedy
from p9.instance import Instance
from p9.ops import logs
from p9.ops.systemd import Systemd
from p9.ops.terminal import StatusView

NAME = "p9_microstream"
STOP_TIMEOUT_S = 30.0


def _parser(words: Container[str]) -> argparse.ArgumentParser:
    """Of a command that is none of `words` no options are read: whoever starts the appliance needs nothing that its commands need."""

    def add(name: str, module: str, text: str) -> None:
        command = commands.add_parser(name, help=text)
        if name in words:
            importlib.import_module(module).add_arguments(command)

    parser = argparse.ArgumentParser(prog=NAME, description="Exact order books, analytics and confirmed delivery from the venues to Redis.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="config.yaml; without it: $P9_CONFIG, the one beside the executable, the defaults")
    parser.add_argument("--simulate", action="store_true", help="simulated venues and the embedded Redis, whatever the configuration says")
    parser.add_argument("--seed", type=int, default=1, help="of --simulate")
    parser.add_argument("--instruments", type=int, default=2, help="a market, of --simulate")
    parser.add_argument("--faults", default="", metavar="SPEC", help="of --simulate, such as drop:0.01,disconnect:30s")
    parser.add_argument("--quick-test", nargs="?", const="120s", metavar="TIME", help="run for so long (120s), check everything, print a table, exit")
    parser.add_argument("--record", type=Path, metavar="DIR", help="write every raw frame and REST answer into this folder")
    parser.add_argument("--check-config", action="store_true", help="read the configuration, say what is wrong with it, and stop")
    parser.add_argument("--version", action="version", version=f"{NAME} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    replay = commands.add_parser("replay", help="feed recordings through the same road")
    replay.add_argument("files", type=Path, nargs="+", metavar="FILE")
    replay.add_argument("--market", help="of lines that do not tell it, by its name (venue_line)")
    replay.add_argument("--speed", default="max", help="1 is the recording's own pace; max (default) as fast as it can")
    replay.add_argument("--depth", type=int, default=0, help="levels a side to keep; 0 (default) prunes nothing")
    replay.add_argument("--dry", action="store_true", help="without Redis")
    replay.add_argument("--books-out", type=Path, metavar="OUT.json", help="write every final book and what was counted")
    add("evaluate", "p9.evaluate", "score every signal on recordings against what the price did after it")
    gaps = commands.add_parser("gaps", help="what was missing, when, why, how it was repaired, and what stays unknown")
    gaps.add_argument("--open", action="store_true", help="only what is still missing")
    gaps.add_argument("--lost", action="store_true", help="only what never came")
    gaps.add_argument("--symbol", default="", help="only this symbol (ours)")
    gaps.add_argument("--json", action="store_true", help="one line of JSON a gap")
    add("backfill", "p9.backfill", "history of a venue into files; the same command goes on where it was interrupted")
    add("fuse", "p9.fuse", "files of history on one timeline, with what they tell differently")
    snapshot = commands.add_parser("snapshot", help="a book as it was at some second of the last day, from what is stored")
    snapshot.add_argument("exchange", metavar="EXCHANGE")
    snapshot.add_argument("symbol", metavar="SYMBOL", help="ours, such as BTC-USDT-PERP")
    snapshot.add_argument("--at", default="", metavar="TIME", help="2026-08-06T14:03:05Z, or s, ms or ns since 1970; left out: the newest")
    snapshot.add_argument("--depth", type=int, default=20, metavar="N", help="levels a side; 0: all (20)")
    snapshot.add_argument("--json", action="store_true", help="all of it as one line of JSON")
    add("simulate", "p9.simulate.command", "run the simulated venues alone; prints their addresses as one line of JSON")
    commands.add_parser("stop", help="stop the appliance that works in this configuration's data_dir, and wait until it has")
    install = commands.add_parser("install-service", help="start with the machine: a systemd unit, or a task of Windows")
    install.add_argument("--print", action="store_true", help="only show what would be installed")
    return parser


def _config_path(given: Path | None) -> Path | None:
    """--config and $P9_CONFIG must exist; the one beside the executable, or in this folder, is taken if it does."""
    if given is not None:
        return given
    if os.environ.get("P9_CONFIG"):
        return Path(os.environ["P9_CONFIG"])
    for folder in (executable.folder(), Path.cwd()):
        if folder is not None and (folder / "config.yaml").is_file():
            return folder / "config.yaml"
    return None


def _first_start() -> Path | None:
    """The configuration that the executable writes beside itself; None from source, or where nothing can be written."""
    try:
        path = executable.write_config()
    except OSError as error:
        print(f"there is no config.yaml, and none can be written: {error}; going on with the defaults", file=sys.stderr)
        return None
    if path is not None:
        print(f"{path} is written: every key with its comment and default", file=sys.stderr)
    return path


def _on_stop(stop: asyncio.Event) -> None:
    """SIGINT, SIGTERM and Windows' SIGBREAK set `stop`; a second one ends at once."""
    running = asyncio.get_running_loop()

    def hear() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is None:
            continue
        try:
            running.add_signal_handler(number, hear)
        except (NotImplementedError, ValueError):
            signal.signal(number, lambda *_: running.call_soon_threadsafe(hear))


def _on_hangup(appliance: Any) -> None:
    """SIGHUP asks for the configuration file to be read now; without one it does nothing (and never ends us)."""
    number = getattr(signal, "SIGHUP", None)
    if number is not None:
        asyncio.get_running_loop().add_signal_handler(number, lambda: appliance.reload.wake() if appliance.reload is not None else None)


@contextlib.asynccontextmanager
async def _venues(options: argparse.Namespace) -> Any:
    """The simulated venues, or None for the live ones."""
    if not options.simulate:
        yield None
        return
    from p9.simulate import faults
    from p9.simulate.process import SimulatorProcess

    faults.parse(options.faults, options.instruments)  # a mistake in it is the user's, and is said before anything starts
    simulator = SimulatorProcess(seed=options.seed, instruments=options.instruments, faults=options.faults)
    await simulator.start()
    try:
        yield simulator
    finally:
        await simulator.stop()


async def _run(options: argparse.Namespace, config: Config, path: Path | None) -> int:
    trust.import_aiohttp()
    from p9.app import Appliance

    stop, systemd = asyncio.Event(), Systemd()
    _on_stop(stop)
    beat = asyncio.create_task(systemd.beat())
    instance = Instance(data_dir.resolve(config.data_dir, path))
    if not instance.claim():
        logs.get("main").warning("data folder is shared", folder=str(instance.folder), with_=instance.whose(), hint="stop reaches that one")
    if config.log.file:
        logs.write_file(instance.folder / config.log.file, int(config.log.file_bytes), config.log.files)
    try:
        async with _venues(options) as simulator:
            appliance = Appliance(
                config, config_path=path, endpoints=simulator.endpoints if simulator else None, record_to=options.record,
                symbols=_all_of(simulator, config),
            )  # fmt: skip
            try:
                await appliance.start()
                _on_hangup(appliance)
                if appliance.pages is not None:
                    print(f"{NAME} {__version__}: pages at {appliance.pages.url}  (Ctrl-C stops)", flush=True)
                if simulator is not None:
                    print(f"simulated venues at {simulator.url}", flush=True)
                if appliance.redis is not None:
                    print(f"events in {appliance.redis.kind} at {appliance.redis.status()['url']}", flush=True)
                systemd.notify("READY=1")  # not when every book is synced: a venue that is away is no reason to be started again
                await _until_stopped(appliance, stop, instance, systemd)
            finally:
                systemd.notify("STOPPING=1")
                left = await appliance.stop()
    finally:
        instance.release()
        beat.cancel()
        logs.close_file()
    if left.spooled:
        print(f"{left.spooled} events wait in {left.where}; the next start delivers them", flush=True)
    return left.exit_code


async def _until_stopped(appliance: Any, stop: asyncio.Event, instance: Instance, systemd: Systemd) -> None:
    """Show how it goes, once a second."""
    view = StatusView()
    logs.OUTPUT.through = view if view.shown else None
    while not stop.is_set() and not instance.asked_to_stop():
        missing = appliance.not_ready()
        view.show(appliance.status(), missing)
        systemd.status(f"not ready: {missing[0]}" if missing else "every book synced")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await stop.wait()
    logs.OUTPUT.through = None
    view.clear()


def _all_of(simulator: Any, config: Config) -> dict[str, tuple[str, ...]]:
    """With more than two simulated instruments a market, all of them are captured."""
    if simulator is None or simulator.settings["instruments"] <= 2:
        return {}
    return {name: ("*",) for name, section in config.venues.markets().items() if not section.symbols}


async def _quick_test(options: argparse.Namespace, config: Config, path: Path | None) -> int:
    from p9.quicktest import QuickTest

    stop = asyncio.Event()
    _on_stop(stop)
    async with _venues(options) as simulator:
        test = QuickTest(config, path, simulator, float(Seconds(options.quick_test)), stop, record_to=options.record)
        return await test.run()


async def _backfill(options: argparse.Namespace, config: Config) -> int:
    from p9 import backfill

    async with _venues(options) as simulator:
        return await backfill.run(options, config, simulator.endpoints if simulator else None)


async def _replay(options: argparse.Namespace, config: Config, path: Path | None) -> int:
    from p9.replay import run

    return await run(options, config, path)


async def _check_config(config: Config, path: Path | None) -> int:
    """Say what is wrong, and what it will take: sockets, questions, frames, memory, disk and Redis."""
    from p9 import confirmation, plan, storage
    from p9.accounts import keys_of

    need, unchecked, keys = storage.need_of(config), "", keys_of(config)
    try:
        max_memory, whose = await storage.room_of(config, lambda: confirmation.redis_of(config, Path(), simulated=False, mode="external"))
        storage.check_room(config, need, max_memory or 0, whose)
        if max_memory is None:
            unchecked = f"room in Redis is not checked: {whose} does not tell its maxmemory"
    except BusAway as error:
        unchecked = f"room in Redis is not checked: {error}"
    print(f"{path or 'the defaults'}: good; markets: {', '.join(config.venues.markets()) or 'none'}")
    if keys:
        print(f"keys of one's own: {', '.join(keys)}")
    print("\n".join(filter(None, [*storage.room_report(config, need), unchecked, *plan.report(config)])))
    return 0


async def _snapshot(options: argparse.Namespace, config: Config, folder: Path) -> int:
    """From what is stored, whether the appliance runs or not."""
    from p9 import confirmation, storage
    from p9.ops import snapshot_report

    async with contextlib.AsyncExitStack() as stack:
        redis = None
        if config.analytics.periodic_snapshots.storage == "redis":
            try:
                bus = (await confirmation.redis_of(config, folder, simulated=False, mode="external")).bus()
            except BusAway as error:
                raise BusAway(error.message, where=error.where, hint="an embedded Redis is reached by the appliance's own page, GET /snapshots") from None
            stack.push_async_callback(bus.close)
            redis = bus.client

        async def look_up(exchange: str, symbol: str, at_ns: int | None) -> Any:
            return await storage.look_up(config.analytics.periodic_snapshots, folder, redis, exchange, symbol, at_ns, simulated=options.simulate)

        return await snapshot_report.show(options, look_up)


def _stop(folder: Path) -> int:
    try:
        stopped = Instance(folder).stop(STOP_TIMEOUT_S)
    except TimeoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("stopped" if stopped else f"no appliance works in {folder}")
    return 0


def _dispatch(options: argparse.Namespace) -> Coroutine[Any, Any, int] | int:
    if options.command == "simulate":
        from p9.simulate import command

        return command.run(options)
    path = _config_path(options.config)
    runs = options.command is None and not options.check_config and not options.quick_test
    if path is None and runs:
        path = _first_start()
    config = load(path)
    if options.check_config:
        return _check_config(config, path)
    if options.command == "gaps":
        from p9.app import LEDGER
        from p9.ops import gap_report

        return gap_report.show(data_dir.resolve(config.data_dir, path) / LEDGER, options)
    if options.command == "snapshot":
        return _snapshot(options, config, data_dir.resolve(config.data_dir, path))
    if options.command == "stop":
        return _stop(data_dir.resolve(config.data_dir, path))
    if options.command == "install-service":
        from p9.ops import service

        return service.install(path, only_print=options.print)
    logs.configure("warning" if options.quick_test or options.command else config.log.level, config.log.format)
    if options.command == "replay":
        return _replay(options, config, path)
    if options.command == "evaluate":
        from p9 import evaluate

        return evaluate.run(options, config)
    if options.command == "backfill":
        return _backfill(options, config)
    if options.command == "fuse":
        from p9 import fuse

        return fuse.run(options)
    if options.quick_test:
        return _quick_test(options, config, path)
    return _run(options, config, path)


def main() -> int:
    """The exit code: 0 good, 1 a check failed, 2 a mistake in what we were told, 4 events left on disk for the next start, 5 events lost."""
    multiprocessing.freeze_support()
    executable.speak_utf8()
    if sys.platform in ("linux", "win32") and executable.single_file():
        executable.end_with_parent()
    code = _main()
    if code:
        executable.hold_window()
    return code


def _main() -> int:
    options = _parser(sys.argv[1:]).parse_args()
    try:
        work = _dispatch(options)
        return work if isinstance(work, int) else loop.run(work)
    except P9Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if error.remedy is Remedy.STOP else 3
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

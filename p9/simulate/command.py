"""The command: run the simulator until it is told to stop, after one line that says where everything is."""

import argparse
import asyncio
import json
import signal
import sys


def _whole(least: int, most: int):
    """argparse's own message says which option, and what was found."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from {least} to {most}")
        return number

    return read


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0.01 <= rate <= 100.0:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number from 0.01 to 100")
    return rate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="of order flow and faults (default 1)")
    parser.add_argument("--port", type=_whole(0, 65535), default=0, help="on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument("--instruments", type=_whole(1, 1000), default=2, help="per market (default 2)")
    parser.add_argument("--rate", type=_rate, default=1.0, help="multiplies the order flow (default 1.0)")
    parser.add_argument("--faults", default="", metavar="SPEC", help="such as drop:0.01,disconnect:30s@bybit_linear")


async def run(args: argparse.Namespace) -> int:
    """Until SIGINT or SIGTERM; 0, or 2 for a fault spec that cannot be read or a port that is taken."""
    # here and not above: every start reads this command's options, and only this command needs the venues
    from p9.simulate.faults import FaultSpecError
    from p9.simulate.server import Simulator

    try:
        simulator = Simulator(args.seed, args.port, args.instruments, args.faults, args.rate)
    except FaultSpecError as error:
        print(error, file=sys.stderr)
        return 2
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(name, done.set)
        except NotImplementedError:  # Windows' loops
            signal.signal(name, lambda *_: loop.call_soon_threadsafe(done.set))
    try:
        await simulator.start()
    except OSError as error:
        print(f"port {args.port}: {error.strerror or error}", file=sys.stderr)
        await simulator.stop()
        return 2
    try:
        print(json.dumps({"url": simulator.url, "endpoints": simulator.endpoints}), flush=True)
        await done.wait()
    finally:
        await simulator.stop()
    return 0

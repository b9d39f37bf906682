"""The command: run the simulator until it is told to stop, after one line that says where everything is."""

import argparse
import asyncio
import json
import signal
import sys

from p9.simulate.faults import FaultSpecError
from p9.simulate.server import Simulator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="of order flow and faults (default 1)")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument("--instruments", type=int, default=2, help="per market (default 2)")
    parser.add_argument("--rate", type=float, default=1.0, help="multiplies the order flow (default 1.0)")
    parser.add_argument("--faults", default="", metavar="SPEC", help="such as drop:0.01,disconnect:30s@bybit_linear")


async def run(args: argparse.Namespace) -> int:
    """Until SIGINT or SIGTERM; 0, or 2 for a fault spec that cannot be read."""
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
        print(json.dumps({"url": simulator.url, "endpoints": simulator.endpoints}), flush=True)
        await done.wait()
    finally:
        await simulator.stop()
    return 0

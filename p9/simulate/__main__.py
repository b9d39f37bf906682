"""python -m p9.simulate"""

import argparse
import sys

from p9 import loop
from p9.simulate import command

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m p9.simulate", description="Simulate the venues on loopback.")
    command.add_arguments(parser)
    sys.exit(loop.run(command.run(parser.parse_args())))

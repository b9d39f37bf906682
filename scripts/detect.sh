#!/usr/bin/env bash
# What is planted in the simulated order flow and how much of it is found, and how often real recordings alarm. Options go to python -m tests.detect.
source "$(dirname "$0")/setup.sh"
setup dev
exec .venv/bin/python -m tests.detect "$@"

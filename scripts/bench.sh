#!/usr/bin/env bash
# What the hot path costs here, by section; ends with one line of JSON, exits 1 when a bound fails. Options go to tests.bench.bench (--section NAME).
source "$(dirname "$0")/setup.sh"
setup dev
exec .venv/bin/python -m tests.bench.bench "$@"

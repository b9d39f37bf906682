#!/usr/bin/env bash
# Kills, freezes, starves and cuts real processes, and accounts for every event afterwards; ends with one line of JSON, exits 1 when a bound fails.
# Under 25 minutes; --quick is a minute of it, --only PHASE one phase. --long (make chaos-long) is another test: ten minutes without Redis at
# 10,000 events a second, then how fast it drains.
source "$(dirname "$0")/setup.sh"
setup dev
if [ "${1:-}" = --long ]; then
    shift
    exec .venv/bin/python -m tests.chaos.outage "$@"
fi
exec .venv/bin/python -m tests.chaos.chaos "$@"

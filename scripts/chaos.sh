#!/usr/bin/env bash
# Kills, freezes, starves and cuts real processes, and accounts for every event afterwards; ends with one line of JSON, exits 1 when a bound fails.
# Under 25 minutes; --quick is a minute of it, --only PHASE one phase.
source "$(dirname "$0")/setup.sh"
setup dev
exec .venv/bin/python -m tests.chaos.chaos "$@"

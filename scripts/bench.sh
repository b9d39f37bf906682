#!/usr/bin/env bash
# CPU per message and end to end; ends with one line of JSON. Options go to tests.bench.bench.
source "$(dirname "$0")/setup.sh"
setup dev
exec .venv/bin/python -m tests.bench.bench "$@"

#!/usr/bin/env bash
# The appliance on simulated venues for MINUTES (60): memory, files, tasks and delays must not grow. Ends with one line of JSON, exits 1 when a bound
# fails. Options go to tests.soak.soak (--instruments N, --rate R).
source "$(dirname "$0")/setup.sh"
setup dev
exec .venv/bin/python -m tests.soak.soak --minutes "${MINUTES:-60}" "$@"

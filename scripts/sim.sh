#!/usr/bin/env bash
# The deterministic simulation: SEEDS fresh seeds, or one SEED, of MINUTES virtual minutes each. Options go to python -m tests.sim.
source "$(dirname "$0")/setup.sh"
setup dev
words=(--minutes "${MINUTES:-10}")
if [[ -n "${SEED:-}" ]]; then
    words+=(--seed "$SEED")
else
    words+=(--seeds "${SEEDS:-60}")
fi
exec .venv/bin/python -m tests.sim "${words[@]}" "$@"

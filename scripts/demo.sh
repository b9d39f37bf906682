#!/usr/bin/env bash
# Builds and runs the appliance on simulated venues with its embedded Redis, until Ctrl-C. Options go to p9_microstream.
source "$(dirname "$0")/setup.sh"
setup
exec .venv/bin/p9_microstream --simulate "$@"

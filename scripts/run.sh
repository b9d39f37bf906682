#!/usr/bin/env bash
# Builds and runs the appliance on the live venues. Options go to p9_microstream.
source "$(dirname "$0")/setup.sh"
setup
exec .venv/bin/p9_microstream "$@"

#!/usr/bin/env bash
# Builds dist/p9_microstream and lets it pass its own quick test. Options go to p9.packaging.build.
source "$(dirname "$0")/setup.sh"
setup
exec .venv/bin/python -m p9.packaging.build "$@"

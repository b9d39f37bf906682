#!/usr/bin/env bash
# Builds dist/p9_microstream in an environment of its own (.venv-exe), and lets it prove itself. Options go to p9.packaging.build.
source "$(dirname "$0")/setup.sh"
packages
exec "$python" -m p9.packaging.build "$@"

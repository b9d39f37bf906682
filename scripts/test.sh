#!/usr/bin/env bash
# Builds, lints and passes all tests. Options go to pytest.
source "$(dirname "$0")/setup.sh"
setup dev
.venv/bin/ruff check -q .
PATH="$PWD/.venv/bin:$PATH" .venv/bin/cython-lint cext
.venv/bin/python -c "from tests.simulate.clients import environment; environment.python()"
exec .venv/bin/python -m pytest -n 2 "$@"

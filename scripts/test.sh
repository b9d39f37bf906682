#!/usr/bin/env bash
# Builds, lints and passes all tests: first those that mostly wait, side by side, then those that measure time, alone. Options go to pytest.
# Whatever fails side by side is run again by itself, seen by all, and must pass then: many real processes on few cores make deadlines of tests miss.
# Properties are tried on the same examples each time, so that what was green is green again; plain pytest draws new ones.
source "$(dirname "$0")/setup.sh"
setup dev
.venv/bin/ruff check -q .
PATH="$PWD/.venv/bin:$PATH" .venv/bin/cython-lint cext
.venv/bin/python -c "from tests.simulate.clients import environment; environment.python()"
.venv/bin/python -m pytest -n 4 --hypothesis-profile ci -m "not speed" "$@" ||
    .venv/bin/python -m pytest --last-failed --last-failed-no-failures none --hypothesis-profile ci -v -m "not speed" "$@"
.venv/bin/python -m pytest -m speed "$@" || [ $? = 5 ]  # 5: the options left none of them

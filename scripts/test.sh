#!/usr/bin/env bash
# Builds, lints and passes all tests: first those that mostly wait, side by side, then those that measure time, alone. Options go to pytest.
# Many real processes on few cores make a deadline miss: up to three tests that fail side by side are run again by themselves and must pass then,
# and are named in a line that begins with FLAKY: each is a defect to find, as it may be a race. A process that crashed is never tried again.
# Properties are tried on the same examples each time, so that what was green is green again; plain pytest draws new ones.
source "$(dirname "$0")/setup.sh"
setup dev
.venv/bin/ruff check -q .
PATH="$PWD/.venv/bin:$PATH" .venv/bin/cython-lint cext
.venv/bin/python -c "from tests.simulate.clients import environment; environment.python()"

waiting() { .venv/bin/python -m pytest --hypothesis-profile ci -m "not speed" "$@"; }

code=0
waiting -n 4 --cache-clear --junitxml build/tests.xml "$@" || code=$?
if [ $code = 1 ]; then
    ! grep -q "crashed while running" build/tests.xml || die "a process of the tests crashed"
    mapfile -t failed < <(sed -n 's/^  "\(.*\)": true,\{0,1\}$/\1/p' .pytest_cache/v/cache/lastfailed)
    [ ${#failed[@]} -le 3 ] || die "${#failed[@]} tests failed side by side: more than three are not tried again"
    waiting --last-failed --last-failed-no-failures none -v "$@" || die "what failed side by side fails alone as well"
    echo "FLAKY ${#failed[@]}: ${failed[*]}"
elif [ $code != 0 ]; then
    exit $code
fi
.venv/bin/python -m pytest -m speed "$@" || [ $? = 5 ]  # 5: the options left none of them

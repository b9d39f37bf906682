#!/usr/bin/env bash
# Line coverage of p9 and cext, .pyx lines traced, in a copy of the tree: a traced build must not take the place of the fast one.
source "$(dirname "$0")/setup.sh"
setup dev
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
copy_tree "$copy"
recordings=${P9_RECORDINGS:-$PWD/../shared/recordings}
python=$PWD/.venv/bin/python
out=$PWD/htmlcov
cd "$copy"
P9_TRACE=1 "$python" setup.py -q build_ext --inplace >/dev/null
# sys.monitoring does not see lines of compiled modules
COVERAGE_CORE=ctrace P9_RECORDINGS=$recordings PYTHONPATH=$copy \
    "$python" -m pytest -n 2 -m "not speed" --timeout 600 --cov --cov-report=term --cov-report="html:$out" --cov-fail-under="${P9_COVERAGE:-90}" "$@"

#!/usr/bin/env bash
# Ours against the newest cryptofeed and ccxt.pro that PyPI has, each in an environment of its own (.venv-cryptofeed, .venv-ccxt), on the same
# frames; ends with one line of JSON. cryptofeed 3 needs Python 3.13 or newer: P9_PEER_PYTHON names one by hand. Options go to the measurement.
source "$(dirname "$0")/setup.sh"
setup dev

new_enough() { "$1" -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] < (3, 13))' 2>/dev/null; }

peer_python() {
    local name
    for name in ${P9_PEER_PYTHON:-} python3.14 python3.13 python3 "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.1[3-9]*/bin/python; do
        if command -v "$name" >/dev/null && new_enough "$name"; then command -v "$name"; return; fi
    done
    if command -v uv >/dev/null; then uv python install -q 3.13 && uv python find 3.13; return; fi
    return 1
}

# environment NAME PACKAGE [MORE...]: the newest PACKAGE in .venv-NAME; made again only when PyPI has a newer one
environment() {
    local name=$1 package=$2 newest
    shift 2
    [ -x ".venv-$name/bin/python" ] || "$python" -m venv ".venv-$name"
    newest=$(".venv-$name/bin/python" -m pip index versions "$package" --disable-pip-version-check 2>/dev/null | sed -n "1s/^$package (\(.*\))$/\1/p")
    if [ -z "$newest" ]; then
        say "PyPI does not tell which $package is the newest"
        ".venv-$name/bin/python" -c "import $package" 2>/dev/null || die "$package is not installed in .venv-$name; is PyPI within reach?"
    elif [ "$(cat ".venv-$name/p9-stamp" 2>/dev/null)" != "$package==$newest" ]; then
        say "installing $package $newest into .venv-$name"
        ".venv-$name/bin/python" -m pip install -q --disable-pip-version-check "$package==$newest" "$@"
        echo "$package==$newest" > ".venv-$name/p9-stamp"
    fi
}

python=$(peer_python) || die "cryptofeed 3 needs Python 3.13 or newer, and none is here: install one (pyenv install 3.13, or uv), or set P9_PEER_PYTHON"
environment cryptofeed cryptofeed
environment ccxt ccxt orjson
exec .venv/bin/python -m tests.bench.bench_peers --peer cryptofeed=.venv-cryptofeed/bin/python --peer ccxt=.venv-ccxt/bin/python "$@"

# shellcheck shell=bash
# Sourced by the other scripts: brings a fresh Debian-like machine to a built `.venv`. Quick when nothing changed.
#   setup            everything that running needs
#   setup dev        and what the tests need (a real redis-server and a Chromium among it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONUTF8=1  # the sources are UTF-8, whatever the locale says

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo "$@"
    else return 1; fi
}

# system PACKAGE...: installs what is missing, or says what to ask an administrator for
system() {
    command -v apt-get >/dev/null || die "please install: $* (this script knows apt-get only)"
    say "installing system packages: $*"
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update ||
        ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null; then
        die "cannot install $*; as root: apt-get update && apt-get install -y $*"
    fi
}

# copy_tree FOLDER: the files that git knows, as they are now, for a build that must not take the place of this one
copy_tree() {
    command -v git >/dev/null || die "git is missing, which says what belongs to the tree; as root: apt-get update && apt-get install -y git"
    git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$1"
}

# wanted PACKAGE: what some tests look through; without it they say so
wanted() {
    command -v "$1" >/dev/null || (system "$1") || say "without $1 some tests are left out"
}

# A Python from 3.11 to 3.13 that has venv and its headers; P9_PYTHON names one by hand, and then it is that one or none.
usable() {
    "$1" - 2>/dev/null <<'PY'
import ensurepip, os, sys, sysconfig, venv
sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13) and os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))))
PY
}

find_python() {
    local name
    for name in ${P9_PYTHON:-python3 python3.11 python3.12 python3.13 /usr/bin/python3}; do
        if command -v "$name" >/dev/null && usable "$name"; then command -v "$name"; return; fi
    done
    return 1
}

# packages PACKAGE...: what a build needs of the system, and more; sets `python`
packages() {
    local needed=("$@")
    command -v cc >/dev/null || needed+=(gcc libc6-dev)
    command -v strip >/dev/null || needed+=(binutils)
    find_python >/dev/null || [ -n "${P9_PYTHON:-}" ] || needed+=(python3 python3-venv python3-dev)
    [ ${#needed[@]} = 0 ] || system "${needed[@]}"
    python=$(find_python) || die "${P9_PYTHON:-python3} is no Python 3.11 to 3.13 with venv and headers; set P9_PYTHON to one (pyenv or uv bring it)"
}

setup() {
    local python stamp tools=()
    if [ "${1:-}" = dev ]; then
        command -v redis-server >/dev/null || tools+=(redis-server)
    fi
    packages "${tools[@]}"

    if [ "${1:-}" = dev ]; then
        wanted chromium
        wanted prometheus
    fi

    .venv/bin/python -c "import pip" 2>/dev/null || "$python" -m venv --clear .venv  # there is none, or it was broken off, or its Python is another one now
    stamp=.venv/p9-stamp-${1:-run}
    if ! cmp -s <(cat pyproject.toml setup.py) "$stamp"; then
        say "installing Python packages into .venv"
        .venv/bin/python -m pip install -q --disable-pip-version-check "setuptools==84.2.1" "cython==3.3.1" "picows==2.3.1"
        say "building the extension modules (a minute or two)"
        .venv/bin/python -m pip install -q --disable-pip-version-check --no-build-isolation -e ".${1:+[$1]}"
        cat pyproject.toml setup.py > "$stamp"
    fi
    .venv/bin/python setup.py -q build_ext --inplace >/dev/null
    .venv/bin/python -m p9.packaging.charts ${1:+--tests}
}

#!/usr/bin/env bash
# Builds dist/p9_microstream.exe under Wine, runs unit tests there and lets the executable prove itself. Options go to p9.packaging.windows.build.
source "$(dirname "$0")/setup.sh"
setup dev
missing=()
command -v wine >/dev/null || missing+=(wine wine64)
command -v x86_64-w64-mingw32-gcc >/dev/null || missing+=(gcc-mingw-w64-x86-64)
command -v gendef >/dev/null || missing+=(mingw-w64-tools)
[ ${#missing[@]} = 0 ] || system "${missing[@]}"
exec .venv/bin/python -m p9.packaging.windows.build "$@"

#!/bin/sh
# Starts p9_microstream: the one beside this script, else the one that was built in this checkout. Options go to it.
here=$(cd "$(dirname "$0")" && pwd)
for program in "$here/p9_microstream" "$here/../dist/p9_microstream" "$here/../.venv/bin/p9_microstream"; do
    if [ -x "$program" ] && [ ! -d "$program" ]; then exec "$program" "$@"; fi
done
echo "error: there is no p9_microstream beside this script or in this checkout; build it with: bash scripts/exe.sh" >&2
exit 127

#!/bin/sh
# Runs, checks everything, prints a table. Options go to p9_microstream, such as: 20s --simulate
exec "$(dirname "$0")/start.sh" --quick-test "$@"

#!/usr/bin/env bash
# Hostile bytes through every door, the compiled code under AddressSanitizer and UBSan, in a copy of the tree. Options go to tests.fuzz (--help).
source "$(dirname "$0")/setup.sh"
setup dev
command -v gcc >/dev/null || system gcc
asan=$(gcc -print-file-name=libasan.so)
[ -e "$asan" ] || die "gcc's AddressSanitizer is missing; as root: apt-get install -y libgcc-$(gcc -dumpversion | cut -d. -f1)-dev"
root=$PWD
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
copy_tree "$copy"
mkdir -p build/fuzz
export P9_RECORDINGS=${P9_RECORDINGS:-$PWD/../shared/recordings}
cd "$copy"
say "building the extension modules under the sanitizers (two minutes or so)"
P9_SANITIZE=1 "$root/.venv/bin/python" setup.py -q build_ext --inplace -j "$(nproc)" >/dev/null
# CPython keeps what it has until it ends, which is no leak of ours; abort() leaves a trace of the Python code too
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1:quarantine_size_mb=16:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
LD_PRELOAD="$asan libstdc++.so.6" PYTHONPATH=$copy \
    "$root/.venv/bin/python" -m tests.fuzz --folder "$root/build/fuzz" "$@"

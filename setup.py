"""Builds the extension modules of `cext`; everything else about the package stands in pyproject.toml.

Switches, all by environment, so that every front end (pip, make, build.ps1) can reach them:
    P9_DEBUG=1     bounds checks and assertions back on
    P9_TRACE=1     line tracing for coverage (.c files beside the .pyx, as the coverage plug-in needs them)
    P9_SANITIZE=1  AddressSanitizer and UBSan, for `make fuzz`
    P9_ANNOTATE=1  Cython's yellow HTML pages beside the .pyx files
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup

DEBUG, TRACE, SANITIZE, ANNOTATE = (os.environ.get(f"P9_{name}") == "1" for name in ("DEBUG", "TRACE", "SANITIZE", "ANNOTATE"))
MSVC = sys.platform == "win32" and "mingw" not in os.environ.get("CC", "")

Options.warning_errors = True  # wraparound=False once made names[-1] a crash, and Cython had only warned

# Everything in cext is the hot path: raw pointers and fixed-size integers, where the checks cost and do not protect.
HOT = {"boundscheck": False, "wraparound": False, "initializedcheck": False, "cdivision": True, "nonecheck": False}
# Of 80 small modules Cython's general machinery is the larger part, and all of it is resident: nothing here is pickled, nor looked into as a Python function is.
LEAN = {"auto_pickle": False, "binding": False}
directives = {"language_level": 3, "embedsignature": True, **LEAN, **({} if DEBUG else HOT)}
macros = []
if TRACE:
    directives |= {"linetrace": True, "profile": True}
    # sys.monitoring hides .pyx lines from coverage on 3.12 and later
    macros += [("CYTHON_TRACE", "1"), ("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")]

if MSVC:
    compile_args, link_args = ["/O2"], []
else:
    compile_args, link_args = ["-O3", "-fno-strict-aliasing", "-Wno-unreachable-code"], []
    if TRACE or DEBUG:
        compile_args[0] = "-O1"
if SANITIZE:
    compile_args = ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    link_args = ["-fsanitize=address,undefined"]


def extension(source: Path) -> Extension:
    return Extension(
        ".".join(source.with_suffix("").parts),
        [source.as_posix()],
        define_macros=macros,
        extra_compile_args=compile_args,
        extra_link_args=link_args,
    )


setup(
    options={"build_ext": {"parallel": os.cpu_count()}},
    ext_modules=cythonize(
        [extension(path) for path in sorted(Path("cext").rglob("*.pyx"))],
        compiler_directives=directives,
        build_dir=None if TRACE else "build/cython",
        annotate=ANNOTATE,
        nthreads=0 if sys.platform == "win32" else os.cpu_count(),  # there a child would run this file again
        force=TRACE or DEBUG or SANITIZE,  # a changed directive alone does not rebuild
    )
)

/* What Python.h must know of 64-bit Windows (LLP64), where the compiler is MinGW-w64 and the interpreter the PSF's own. Its official pyconfig.h
   speaks to MSVC only. */
#ifndef Py_CONFIG_H
#define Py_CONFIG_H

#define MS_WIN32 1
#define MS_WIN64 1
#define MS_WINDOWS 1
#define MS_COREDLL 1
#define NT_THREADS 1
#define Py_ENABLE_SHARED 1
#define PLATFORM "win32"
#define PLATLIBDIR "lib"
#define COMPILER "[MinGW-w64]"
#define PYD_PLATFORM_TAG "win_amd64"

/* sizes: long has 32 bits, everything that counts memory 64 */
#define SIZEOF_SHORT 2
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_FLOAT 4
#define SIZEOF_DOUBLE 8
#define SIZEOF_WCHAR_T 2
#define SIZEOF_VOID_P 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_SSIZE_T 8
#define SIZEOF_TIME_T 8
#define SIZEOF_OFF_T 4
#define SIZEOF_FPOS_T 8
#define SIZEOF_PID_T 4
#define SIZEOF_HKEY 8
#define ALIGNOF_SIZE_T 8
#define ALIGNOF_MAX_ALIGN_T 8

#define HAVE_SSIZE_T 1
#define HAVE_LONG_LONG 1
#define HAVE_STDDEF_H 1
#define HAVE_STDINT_H 1
#define HAVE_STDLIB_H 1
#define HAVE_STRING_H 1
#define HAVE_WCHAR_H 1
#define HAVE_ERRNO_H 1
#define HAVE_FCNTL_H 1
#define HAVE_INTTYPES_H 1
#define HAVE_LIMITS_H 1
#define HAVE_SIGNAL_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TYPES_H 1
#define STDC_HEADERS 1
#define WITH_PYMALLOC 1

#endif

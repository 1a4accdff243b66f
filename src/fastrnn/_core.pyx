# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, boundscheck=False, wraparound=False
"""The wall between Python and C: pointers in, codes out.

Above it, functional.py has checked every shape and dtype and allocated every array; below it is csrc/fastrnn.h. The wall
takes pointers, releases the GIL, calls C in pieces short enough for Ctrl-C, and turns codes into exceptions. It also owns
the packed weights, because when to repack is a question of object lifetimes. It is one module in several files.
"""
from time import perf_counter

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from fastrnn._core cimport *

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *o)

cdef extern from *:
    """
    #ifndef FR_VERSION
    #define FR_VERSION "unknown"
    #endif
    """
    const char *FR_VERSION

__version__ = FR_VERSION.decode()

fr_init()


cdef int check(int code) except -1:
    if code == FR_OK:
        return 0
    message = fr_strerror(code).decode()
    raise MemoryError(message) if code == FR_EOVERFLOW else ValueError(message)


include "wall/cells.pxi"
include "wall/memory.pxi"
include "wall/carry.pxi"
include "wall/packs.pxi"
include "wall/passes.pxi"
include "wall/short.pxi"
include "wall/steps.pxi"
include "wall/updates.pxi"
include "wall/probes.pxi"

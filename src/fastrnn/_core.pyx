# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The bindings of csrc/fastrnn.h: one module in several files, _binding/*.pxi.

They take pointers, release the GIL, call C in pieces short enough for Ctrl-C, and turn error codes into exceptions. C
believes what it is told, so every array is compared here with what the description of the call says, even though the
callers in Python have checked their arguments: an array can be resized, reshaped or cast in place at any time. The fast
path and the stepper check all that their callers would, and the fast path allocates its results: Python code around
them would take longer than they do. Packed weights belong to the bindings too, because when they are stale is a
question of object lifetimes. Constructors are `__cinit__`, which runs exactly once, so no object exists without what it
needs.

Without the GIL, what several threads share is read and replaced in critical sections. With it they are nothing.
"""
from time import perf_counter

cimport cython
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from fastrnn._core cimport *

cdef extern from *:
    """
    /* Whether at most n references to an object exist. Without the GIL, those that its own thread took are counted apart
     * from the others. While a reference moves from one thread to another, only its own thread can tell their sum. */
    static int has_references_at_most(PyObject *o, Py_ssize_t n)
    {
    #if defined Py_GIL_DISABLED
        if (!_Py_IsOwnedByCurrentThread(o))
            return 0;
    #endif
        return Py_REFCNT(o) <= n;
    }
    """
    bint has_references_at_most(PyObject *o, Py_ssize_t n) noexcept

cdef extern from *:
    """
    /* 1: `view` is filled in; 0: the object has no such buffer; -1: another error is set. In C, as Cython's `try` saves
     * and restores the exception that is being handled, at each step of a stream. */
    static int get_buffer(PyObject *o, Py_buffer *view, int flags)
    {
        if (PyObject_GetBuffer(o, view, flags) == 0)
            return 1;
        if (!PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_ValueError) &&
            !PyErr_ExceptionMatches(PyExc_BufferError))
            return -1;
        PyErr_Clear();
        return 0;
    }
    """
    int get_buffer(object o, Py_buffer *view, int flags) except -1

cdef extern from "Python.h":
    bint PyObject_CheckBuffer(object)
    bint PyBuffer_IsContiguous(const Py_buffer *view, char order)

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


include "_binding/engines.pxi"
include "_binding/memory.pxi"
include "_binding/owned.pxi"
include "_binding/state_update.pxi"
include "_binding/weights.pxi"
include "_binding/recurrence.pxi"
include "_binding/order.pxi"
include "_binding/stack.pxi"
include "_binding/passes.pxi"
include "_binding/small.pxi"
include "_binding/fast_path.pxi"
include "_binding/training_path.pxi"
include "_binding/exclusive.pxi"
include "_binding/stepper.pxi"
include "_binding/elementwise.pxi"
include "_binding/pooling.pxi"
include "_binding/losses.pxi"
include "_binding/attention.pxi"
include "_binding/probes.pxi"

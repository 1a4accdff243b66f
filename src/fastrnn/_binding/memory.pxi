# SPDX-License-Identifier: BSD-3-Clause
# Memory that is allocated here, and pointers into arrays of callers.

cdef class Block:
    """Memory aligned to 64 bytes, freed with the object."""
    cdef void *at
    cdef void *start  # from malloc, not aligned_alloc: it keeps small blocks for the next call
    cdef size_t nbytes

    def __cinit__(self, size_t nbytes):
        self.nbytes = nbytes
        self.start = malloc(nbytes + 64) if nbytes + 64 > nbytes else NULL
        if self.start == NULL:
            raise MemoryError(f"cannot allocate {nbytes} bytes")
        self.at = <void *>((<uintptr_t>self.start + 63) // 64 * 64)

    def __dealloc__(self):
        free(self.start)


cdef class Array:
    """A pointer into a caller's array, valid while this object lives; a NULL pointer for None."""
    cdef Py_buffer view
    cdef bint held

    def __cinit__(self, array, bint writable=False):
        self.held = False
        if array is not None:
            PyObject_GetBuffer(array, &self.view, PyBUF_STRIDES | PyBUF_WRITABLE if writable else PyBUF_STRIDES)
            self.held = True

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)

    cdef void *at(self) noexcept:
        return self.view.buf if self.held else NULL

    cdef Py_ssize_t stride(self, int axis) noexcept:
        """In elements."""
        return self.view.strides[axis] // self.view.itemsize if self.held else 0


cdef bint has_rows(const Py_buffer *v, Py_ssize_t features) noexcept:
    """Does the last axis hold `features` contiguous, aligned numbers, a whole number of them apart?"""
    cdef int axis, last = v.ndim - 1
    cdef Py_ssize_t itemsize = v.itemsize
    if <uintptr_t>v.buf % itemsize:
        return False
    for axis in range(last):
        if v.strides[axis] % itemsize:
            return False
    return last >= 0 and v.shape[last] == features and v.strides[last] == itemsize

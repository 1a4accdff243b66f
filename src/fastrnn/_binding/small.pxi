# SPDX-License-Identifier: BSD-3-Clause
# A call of the fast path.

cdef class Small:
    """A small call: its arguments, and its results in new arrays."""
    cdef Array x, h_0, c_0, y_array, h_n, c_n
    cdef object y, state, source  # source: the caller's x
    cdef Py_ssize_t T, N, R  # R: the steps of all rows
    cdef object order  # of packed rows, as the caller has it, or None
    cdef Recurrence packed  # the same for C
    cdef Block args  # of C, unless there is one layer and direction
    cdef fr_forward_args one
    cdef int time  # the axis
    cdef bint batched

    cdef Py_ssize_t stride(self, Array array, int axis) noexcept:
        """Of the time (0) or the batch (1), in elements; of packed rows (1) alone is read."""
        if self.packed is not None:
            return array.stride(0)
        if axis == 0:
            return array.stride(self.time)
        return array.stride(1 - self.time) if self.batched else 0

    cdef int state_axes(self) noexcept:
        return 3 if self.batched else 2

# SPDX-License-Identifier: BSD-3-Clause
# What happens to a state between two steps, beyond the cell.

cdef class StateUpdate:
    """How a state goes from one step to the next, see fr_state_update. None and 0 change nothing.

    fraction_h, fraction_c are (T, N, H), or (H,) for every step and row; mask is (N, H), C-ordered.
    """
    cdef Array fraction_h, fraction_c, mask
    cdef fr_state_update c

    def __cinit__(self, fraction_h=None, fraction_c=None, mask=None, double clip=0):
        self.fraction_h = hold("fraction_h", fraction_h, False)
        self.fraction_c = hold("fraction_c", fraction_c, False)
        self.mask = hold("mask", mask, False)
        memset(&self.c, 0, sizeof(self.c))
        self.c.fraction_h, self.c.fraction_c = self.fraction_h.at(), self.fraction_c.at()
        self.c.mask, self.c.clip = self.mask.at(), clip
        if self.fraction_h.view.ndim == 3:
            self.c.fraction_h_st, self.c.fraction_h_sn = self.fraction_h.stride(0), self.fraction_h.stride(1)
        if self.fraction_c.view.ndim == 3:
            self.c.fraction_c_st, self.c.fraction_c_sn = self.fraction_c.stride(0), self.fraction_c.stride(1)

    cdef int check_fits(self, char kind, Py_ssize_t T, Py_ssize_t N, Py_ssize_t H) except -1:
        """Raises ValueError unless the arrays fit sequences (T, N, H)."""
        check_fraction("fraction_h", self.fraction_h, kind, T, N, H)
        check_fraction("fraction_c", self.fraction_c, kind, T, N, H)
        return self.mask.whole("mask", kind, 2, N, H, 0)


cdef int check_fraction(str name, Array fraction, char kind, Py_ssize_t T, Py_ssize_t N, Py_ssize_t H) except -1:
    cdef const Py_buffer *v = &fraction.view
    if fraction.held and not (is_kind(v, kind) and has_rows(v, H) and
                              (v.ndim == 1 or v.ndim == 3 and v.shape[0] == T and v.shape[1] == N)):
        expected = f"{(T, N, H)} or {(H,)} of {kind_name(kind)}"
        raise ValueError(f"{name}: expected {expected}, got {described(v)}")
    return 0

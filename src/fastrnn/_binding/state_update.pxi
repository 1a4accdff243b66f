# SPDX-License-Identifier: BSD-3-Clause
# What happens to a state between two steps, beyond the cell.

cdef class StateUpdate:
    """How a state goes from one step to the next, see fr_state_update. None and 0 change nothing.

    fraction_h, fraction_c are (T, N, H), or (H,) for every step and row; mask is (N, H), C-ordered.
    """
    cdef Array fraction_h, fraction_c, mask
    cdef fr_state_update c

    def __init__(self, fraction_h=None, fraction_c=None, mask=None, double clip=0):
        self.fraction_h, self.fraction_c, self.mask = Array(fraction_h), Array(fraction_c), Array(mask)
        memset(&self.c, 0, sizeof(self.c))
        self.c.fraction_h, self.c.fraction_c = self.fraction_h.at(), self.fraction_c.at()
        self.c.mask, self.c.clip = self.mask.at(), clip
        if self.fraction_h.view.ndim == 3:
            self.c.fraction_h_st, self.c.fraction_h_sn = self.fraction_h.stride(0), self.fraction_h.stride(1)
        if self.fraction_c.view.ndim == 3:
            self.c.fraction_c_st, self.c.fraction_c_sn = self.fraction_c.stride(0), self.fraction_c.stride(1)

    cdef int check_fits(self, const fr_desc *d) except -1:
        """Raises ValueError unless the arrays fit the sequence."""
        check_fraction("fraction_h", self.fraction_h, d)
        check_fraction("fraction_c", self.fraction_c, d)
        cdef const Py_buffer *v = &self.mask.view
        if self.mask.held and not (v.ndim == 2 and v.shape[0] == d.N and fits_rows(v, d) and
                                   (d.N < 2 or v.strides[0] == d.H * v.itemsize)):
            raise ValueError(f"mask: expected a C-ordered {(d.N, d.H)} of {float_name(d)}, got {described(v)}")
        return 0


cdef int check_fraction(str name, Array fraction, const fr_desc *d) except -1:
    cdef const Py_buffer *v = &fraction.view
    if fraction.held and not (fits_rows(v, d) and
                              (v.ndim == 1 or v.ndim == 3 and v.shape[0] == d.T and v.shape[1] == d.N)):
        raise ValueError(f"{name}: expected {(d.T, d.N, d.H)} or {(d.H,)} of {float_name(d)}, got {described(v)}")
    return 0


cdef bint fits_rows(const Py_buffer *v, const fr_desc *d) noexcept:
    return v.itemsize == (4 if d.dtype == FR_F32 else 8) and has_rows(v, d.H)


cdef str float_name(const fr_desc *d):
    return "float32" if d.dtype == FR_F32 else "float64"


cdef str described(const Py_buffer *v):
    return f"{tuple([v.shape[axis] for axis in range(v.ndim)])} of {v.itemsize} bytes each"

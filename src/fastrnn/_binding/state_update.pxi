# SPDX-License-Identifier: BSD-3-Clause
# What acts on a state between two steps.

cdef class StateUpdate:
    """How a state goes from one step to the next, see fr_state_update; None and 0 stand for what that does not do.

    fraction_h, fraction_c are (T, N, H), or (H,) for every step and row; mask is (N, H), C-ordered.
    """
    cdef Array fraction_h, fraction_c, mask
    cdef fr_state_update c

    def __init__(self, fraction_h=None, fraction_c=None, mask=None, double clip=0):
        self.fraction_h, self.fraction_c, self.mask = Array(fraction_h), Array(fraction_c), Array(mask)
        memset(&self.c, 0, sizeof(self.c))
        self.c.fraction_h, self.c.fraction_c, self.c.mask, self.c.clip = self.fraction_h.at(), self.fraction_c.at(), self.mask.at(), clip
        if self.fraction_h.view.ndim == 3:
            self.c.fraction_h_st, self.c.fraction_h_sn = self.fraction_h.stride(0), self.fraction_h.stride(1)
        if self.fraction_c.view.ndim == 3:
            self.c.fraction_c_st, self.c.fraction_c_sn = self.fraction_c.stride(0), self.fraction_c.stride(1)

    cdef int fit(self, const fr_desc *d) except -1:
        self.fits(self.fraction_h, d)
        self.fits(self.fraction_c, d)
        return self.fits(self.mask, d)

    cdef int fits(self, Array array, const fr_desc *d) except -1:
        if not array.held:
            return 0
        cdef Py_buffer *v = &array.view
        if v.itemsize == (4 if d.dtype == FR_F32 else 8) and v.shape[v.ndim - 1] == d.H and walkable(v, d.H):
            if v.ndim == 1 or v.ndim == 2 and v.shape[0] == d.N or v.shape[0] == d.T and v.shape[1] == d.N:
                return 0
        raise ValueError("what acts on the state does not fit the sequence")

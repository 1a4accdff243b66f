# SPDX-License-Identifier: BSD-3-Clause
# One step at a time.

cdef class Exclusive:
    """Used as ``with exclusive:`` by one call at a time; another one meanwhile raises RuntimeError with this message."""
    cdef bint in_use
    cdef str message

    def __init__(self, str message):
        self.message = message

    def __enter__(self):
        self.enter()

    def __exit__(self, *exception):
        self.leave()

    cdef int enter(self) except -1:
        cdef bint in_use
        with cython.critical_section(self):
            in_use, self.in_use = self.in_use, True
        if in_use:
            raise RuntimeError(self.message)
        return 0

    cdef void leave(self) noexcept:
        with cython.critical_section(self):
            self.in_use = False


cdef class Stepper(Exclusive):
    """A stack of one-directional layers that reads one time step per call and keeps its state between calls.

    layers is a list of (Weights, h, c): h and c are (N, H) arrays that hold the state and are written in place; None for
    a layer without one. threads() gives the number of threads to use now. message is that of Exclusive.
    """
    cdef list weights
    cdef list held            # what is behind the pointers
    cdef Block args           # fr_forward_args of each layer
    cdef Block workspace
    cdef object threads
    cdef Py_ssize_t N, I, H, itemsize
    cdef int layers

    def __init__(self, layers, Py_ssize_t N, threads, str message):
        cdef Array h, c
        cdef Block y
        cdef Weights w
        cdef fr_forward_args *a
        cdef int k
        super().__init__(message)
        self.weights, self.held, self.threads = [], [], threads
        self.layers, self.N = len(layers), N
        self.args = Block(self.layers * sizeof(fr_forward_args))
        memset(self.args.at, 0, self.args.nbytes)
        for k in range(self.layers):
            w, h_state, c_state = layers[k]
            a = <fr_forward_args *>self.args.at + k
            h, c = Array(h_state, h_state is not None), Array(c_state, c_state is not None)
            a.h_0 = a.h_n = h.at()
            a.c_0 = a.c_n = c.at()
            self.H, self.itemsize = w.desc.H, 4 if w.desc.dtype == FR_F32 else 8
            self.held += [h, c]
            self.weights.append(w)
            if k + 1 < self.layers:
                y = Block(N * w.desc.H * self.itemsize)
                a.y = y.at
                a.y_sn = w.desc.H
                (a + 1).x = a.y
                (a + 1).x_sn = a.y_sn
                self.held.append(y)
        self.I = (<Weights>self.weights[0]).desc.I
        self.workspace = Block(0)

    cdef bint fits(self, const Py_buffer *v, Py_ssize_t features) noexcept:
        """(N, features), or (features,) for one row, of the layers' dtype, with contiguous aligned rows?"""
        if not (v.ndim == 2 and v.shape[0] == self.N or v.ndim == 1 and self.N == 1):
            return False
        if v.itemsize != self.itemsize or v.format[0] != (c"f" if self.itemsize == 4 else c"d") or v.format[1] != 0:
            return False
        return has_rows(v, features)

    def step(self, x, out):
        """Read x and write out, (N, I) and (N, H) or, for one row, (I,) and (H,).

        Returns False, having done nothing, unless they are arrays of the layers' dtype with contiguous rows, have as
        many axes, and do not overlap. The caller then finds out what is wrong.
        """
        cdef Py_buffer vx, vy
        try:
            PyObject_GetBuffer(x, &vx, PyBUF_STRIDES | PyBUF_FORMAT)
        except (TypeError, BufferError):
            return False
        try:
            PyObject_GetBuffer(out, &vy, PyBUF_STRIDES | PyBUF_FORMAT | PyBUF_WRITABLE)
        except (TypeError, BufferError, ValueError):
            PyBuffer_Release(&vx)
            return False
        try:
            if not self.fits(&vx, self.I) or not self.fits(&vy, self.H) or vx.ndim != vy.ndim:
                return False
            if self.overlap(&vx, &vy):
                return False
            self.enter()
            try:
                self.run(&vx, &vy)
            finally:
                self.leave()
            return True
        finally:
            PyBuffer_Release(&vx)
            PyBuffer_Release(&vy)

    cdef bint overlap(self, const Py_buffer *a, const Py_buffer *b) noexcept:
        """May two arrays share memory?"""
        cdef Py_ssize_t a_row = a.strides[0] * (self.N - 1) if a.ndim == 2 else 0
        cdef Py_ssize_t b_row = b.strides[0] * (self.N - 1) if b.ndim == 2 else 0
        cdef char *a_lo = <char *>a.buf + min(a_row, 0)
        cdef char *b_lo = <char *>b.buf + min(b_row, 0)
        cdef char *a_hi = <char *>a.buf + max(a_row, 0) + self.I * self.itemsize
        cdef char *b_hi = <char *>b.buf + max(b_row, 0) + self.H * self.itemsize
        return a_lo < b_hi and b_lo < a_hi

    cdef int run(self, const Py_buffer *x, const Py_buffer *out) except -1:
        cdef fr_forward_args *a = <fr_forward_args *>self.args.at
        cdef fr_forward_args *last = a + self.layers - 1
        cdef int k
        a.x, a.x_sn = x.buf, x.strides[0] // self.itemsize if x.ndim == 2 else 0
        last.y, last.y_sn = out.buf, out.strides[0] // self.itemsize if out.ndim == 2 else 0
        for k in range(self.layers):
            self.workspace = run_whole(self.weights[k], a, 1, self.N, False, self.threads, self.workspace)
            a += 1
        return 0

# SPDX-License-Identifier: BSD-3-Clause
# One step at a time.

cdef class Exclusive:
    """Used as ``with exclusive:`` by one call at a time; another one meanwhile raises RuntimeError."""
    cdef bint in_use
    cdef bint running  # in a call of C, which nobody can end from outside as `__exit__` ends in_use
    cdef str refusal  # what the RuntimeError says

    def __cinit__(self):
        self.refusal = ("stream: expected one call at a time, got another from a second thread; "
                        "make a stream for each thread")

    def __enter__(self):
        self.enter()

    def __exit__(self, *exception):
        with cython.critical_section(self):
            self.in_use = False

    cdef int enter(self) except -1:
        cdef bint refused
        with cython.critical_section(self):
            refused = self.in_use or self.running
            self.in_use = True
        if refused:
            raise RuntimeError(self.refusal)
        return 0

    def __reduce__(self):
        return exclusive, (self.refusal,)


def exclusive(str refusal not None):
    """An `Exclusive` for something else than a stream."""
    cdef Exclusive made = Exclusive.__new__(Exclusive)
    made.refusal = refusal
    return made


cdef class Stepper(Exclusive):
    """A stack of one-directional layers that reads one time step per call and keeps its state between calls.

    layers is a list of (Weights, h, c): h and c are (N, H) arrays that hold the state and are written in place; None for
    a layer without one. threads() gives the number of threads to use now.
    """
    cdef list weights
    cdef list held            # what is behind the pointers
    cdef Block args           # fr_forward_args of each layer
    cdef Block workspace
    cdef object threads
    cdef Py_ssize_t N, I, H, itemsize
    cdef int layers

    def __cinit__(self, layers, Py_ssize_t N, threads):
        cdef Weights w, first
        cdef Block y
        cdef fr_forward_args *a
        cdef Py_ssize_t I
        layers = [tuple(layer) for layer in layers]
        self.weights, self.held, self.threads = [<Weights?>layer[0] for layer in layers], [], threads
        if not self.weights or N < 1:
            raise ValueError(f"layers: expected at least 1, and at least 1 row, got {len(self.weights)} and {N}")
        first = self.weights[0]
        self.layers, self.N = len(self.weights), N
        self.itemsize, I = 4 if first.desc.dtype == FR_F32 else 8, first.desc.I
        self.args = Block(<object>self.layers * sizeof(fr_forward_args))
        memset(self.args.at, 0, self.args.nbytes)
        for k, (_, h, c) in enumerate(layers):
            w, a = self.weights[k], <fr_forward_args *>self.args.at + <int>k
            if (w.desc.dtype, w.desc.I) != (first.desc.dtype, I):
                raise ValueError(f"layers: expected one that reads {I} features in the dtype of the first, "
                                 f"got one that reads {w.desc.I}")
            self.read_state(w, h, c, a)
            if k + 1 < self.layers:
                y = Block(<object>N * w.desc.H * self.itemsize)
                a.y = y.at
                a.y_sn = w.desc.H
                (a + 1).x = a.y
                (a + 1).x_sn = a.y_sn
                self.held.append(y)
            I = w.desc.H
        self.I, self.H = first.desc.I, I
        self.workspace = Block(0)

    cdef int read_state(self, Weights w, h, c, fr_forward_args *a) except -1:
        """The arrays of a layer's state, which stay its own."""
        cdef Array h_array = hold("h", h, True), c_array = hold("c", c, True)
        cdef fr_desc d = w.desc
        cdef size_t nbytes
        d.T, d.N = 1, self.N
        check(fr_workspace_bytes(&d, FR_FORWARD, &nbytes))  # whether the sizes can be computed with
        check_state("h", h_array, &d, w.cell.recurrent)
        check_state("c", c_array, &d, w.cell.has_c)
        if w.cell.recurrent:
            h_array.required("h")
        if w.cell.has_c:
            c_array.required("c")
        a.h_0 = a.h_n = h_array.at()
        a.c_0 = a.c_n = c_array.at()
        self.held += [h_array, c_array]
        return 0

    cdef bint fits(self, const Py_buffer *v, Py_ssize_t features) noexcept:
        """(N, features), or (features,) for one row, of the layers' dtype, with contiguous aligned rows?"""
        if not (v.ndim == 2 and v.shape[0] == self.N or v.ndim == 1 and self.N == 1):
            return False
        return is_kind(v, c"f" if self.itemsize == 4 else c"d") and has_rows(v, features)

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
            self.running = True
            try:
                self.run(&vx, &vy)
            finally:
                with cython.critical_section(self):
                    self.in_use = self.running = False
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

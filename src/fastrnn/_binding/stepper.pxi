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


cdef class Steps(Bound):
    """What a `Stepper` runs."""
    cdef list held   # what is behind the pointers
    cdef Block args  # fr_forward_args of each layer
    cdef Py_ssize_t N
    # Of a step of all rows for one instruction set; `workspace` is its memory, and None where threads may pay, as their
    # number may change.
    cdef fr_stack stack

    cdef int begin(self, layers, Py_ssize_t N, threads) except -1:
        if N < 1:
            raise ValueError(f"layers: expected at least 1 row, got {N}")
        layers = [tuple(layer) for layer in layers]
        self.bind([layer[0] for layer in layers], 1, threads)
        self.N, self.held = N, []
        self.args = Block(<object>len(layers) * sizeof(fr_forward_args))
        memset(self.args.at, 0, self.args.nbytes)
        for k, (_, h, c) in enumerate(layers):
            self.read_state(self.weights[k], h, c, <fr_forward_args *>self.args.at + <int>k)
        return 0

    cdef int read_state(self, Weights w, h, c, fr_forward_args *a) except -1:
        """The arrays of a layer's state, which stay its own."""
        cdef Array h_array = hold("h", h, True), c_array = hold("c", c, True)
        check_state("h", h_array, self.N, &w.desc, w.cell.recurrent)
        check_state("c", c_array, self.N, &w.desc, w.cell.has_c)
        if w.cell.recurrent:
            h_array.required("h")
        if w.cell.has_c:
            c_array.required("c")
        a.h_0 = a.h_n = h_array.at()
        a.c_0 = a.c_n = c_array.at()
        self.held += [h_array, c_array]
        return 0

    cdef int step(self, const Py_buffer *x, const Py_buffer *out) except -1:
        cdef list packs = [(<Weights>each).current_pack() for each in self.weights]
        cdef fr_forward_args *args = <fr_forward_args *>self.args.at
        cdef fr_forward_args *last = args + self.layers.count - 1
        cdef size_t nbytes
        args.x, args.x_sn = x.buf, x.strides[0] // self.itemsize if x.ndim == 2 else 0
        last.y, last.y_sn = out.buf, out.strides[0] // self.itemsize if out.ndim == 2 else 0
        self.follow(packs)
        if self.workspace is None or self.stack.desc.isa != (<Pack>packs[0]).desc.isa:
            packs = self.describe(1, self.N, &self.stack)
            if fr_stack_threads_pay(&self.stack):
                return self.run(&self.stack, packs, args)
            check(fr_stack_workspace_bytes(&self.stack, FR_FORWARD, &nbytes))
            self.workspace = Block(nbytes)
        return self.run_in(self.workspace, &self.stack, packs, args)


    cdef int step_rows(self, Array x, Array out, Block order, Py_ssize_t count) except -1:
        """A step of the rows of the states that the order names."""
        cdef fr_stack stack
        cdef list packs = self.describe(1, count, &stack, order)
        cdef fr_forward_args *args = <fr_forward_args *>self.args.at
        cdef fr_forward_args *last = args + self.layers.count - 1
        args.x, args.x_sn, last.y, last.y_sn = x.at(), x.stride(0), out.at(), out.stride(0)
        return self.run(&stack, packs, args)


cdef Block order_of_one_step(Array rows, Py_ssize_t N):
    """fr_desc's rows, lengths, source, start (k) and first (2) for a step of k different ones of N rows."""
    cdef Py_ssize_t i, k = rows.view.shape[0]
    cdef const Py_ssize_t *row = <const Py_ssize_t *>rows.at()
    cdef Block order = Block((4 * k + 2) * sizeof(fr_idx)), seen = Block(N)
    cdef fr_idx *at = <fr_idx *>order.at
    cdef char *taken = <char *>seen.at
    memset(taken, 0, N)
    for i in range(k):
        if not 0 <= row[i] < N or taken[row[i]]:
            raise ValueError(f"rows: expected different ones of 0..{N - 1}, got {row[i]}" + (" again" if 0 <= row[i] < N else ""))
        taken[row[i]] = 1
        at[i], at[k + i], at[2 * k + i], at[3 * k + i] = row[i], 1, i, 0
    at[4 * k], at[4 * k + 1] = 0, k
    return order


cdef class Stepper(Exclusive):
    """A stack of one-directional layers that reads one time step per call and keeps its state between calls.

    layers is a list of (Weights, h, c): h and c are (N, H) arrays that hold the state and are written in place; None for
    a layer without one. threads() gives the number of threads to use now.
    """
    cdef Steps steps
    cdef Py_ssize_t N, I, H, itemsize

    def __cinit__(self, layers, Py_ssize_t N, threads):
        self.steps = Steps.__new__(Steps)
        self.steps.begin(layers, N, threads)
        self.N, self.I, self.H, self.itemsize = N, self.steps.I, self.steps.O, self.steps.itemsize

    def step_rows(self, x, rows, out):
        """Read x (k, I), for k different rows of the states, and write out (k, H), C-ordered."""
        cdef Array x_array = hold("x", x, False), row_array = hold("rows", rows, False), out_array = hold("out", out, True)
        cdef char kind = c"f" if self.itemsize == 4 else c"d"
        cdef Py_ssize_t k = row_array.view.shape[0] if row_array.view.ndim else 0
        x_array.required("x")
        row_array.required("rows")
        out_array.required("out")
        row_array.whole("rows", c"n", 1, k, 0, 0)
        out_array.whole("out", kind, 2, k, self.H, 0)
        if x_array.view.ndim != 2 or not is_kind(&x_array.view, kind) or x_array.view.shape[0] != k \
                or not has_rows(&x_array.view, self.I):
            raise ValueError(f"x: expected {(k, self.I)} of {kind_name(kind)} with contiguous rows, "
                             f"got {described(&x_array.view)}")
        if k == 0:
            return
        order = order_of_one_step(row_array, self.N)
        self.enter()
        self.running = True
        try:
            self.steps.step_rows(x_array, out_array, order, k)
        finally:
            with cython.critical_section(self):
                self.in_use = self.running = False

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
                self.steps.step(&vx, &vy)
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

# SPDX-License-Identifier: BSD-3-Clause
# One step at a time.

# A step of at most so many multiply-adds keeps the GIL: releasing and taking it would be 0.04 us, and a thread that waits
# for it would not be awake before such a step, of 1 to 3 us, is over.
cdef double KEEPS_GIL = 1 << 16


cdef class Steps(Bound):
    """What a `Stepper` runs."""
    cdef list held   # what is behind the pointers
    cdef Block args  # fr_forward_args of each layer
    cdef Py_ssize_t N, widest  # the most features of an input or output of a layer
    cdef double work  # multiply-adds of a step
    # Of a step of all rows for one instruction set; `workspace` is its memory, and None where threads may pay, as their
    # number may change.
    cdef fr_stack stack

    cdef int begin(self, layers, Py_ssize_t N, threads) except -1:
        cdef Weights w
        if N < 1:
            raise ValueError(f"layers: expected at least 1 row, got {N}")
        layers = [tuple(layer) for layer in layers]
        self.bind([layer[0] for layer in layers], 1, threads)
        self.N, self.held = N, []
        self.args = Block(<object>len(layers) * sizeof(fr_forward_args))
        memset(self.args.at, 0, self.args.nbytes)
        for k, (_, h, c) in enumerate(layers):
            w = self.weights[k]
            self.read_state(w, h, c, <fr_forward_args *>self.args.at + <int>k)
            self.widest = max(self.widest, w.desc.I, w.desc.H)
            self.work += <double>N * w.cell.G * w.desc.H * (w.desc.I + w.desc.H)
        return 0

    cdef int read_state(self, Weights w, h, c, fr_forward_args *a) except -1:
        """The arrays of a layer's state, which stay its own, and its state update."""
        cdef Array h_array = hold("h", h, True), c_array = hold("c", c, True)
        check_state("h", h_array, self.N, &w.desc, w.cell.recurrent)
        check_state("c", c_array, self.N, &w.desc, w.cell.has_c)
        if w.cell.recurrent:
            h_array.required("h")
        if w.cell.has_c:
            c_array.required("c")
        a.h_0 = a.h_n = h_array.at()
        a.c_0 = a.c_n = c_array.at()
        a.state_update = w.state_update.c
        self.held += [h_array, c_array]
        return 0

    cdef fr_forward_args *point_to(self, const Py_buffer *x, const Py_buffer *out, bint block) noexcept:
        """The arguments of a call that reads x and writes out: steps of rows, or a step; a row may lack its axis."""
        cdef fr_forward_args *args = <fr_forward_args *>self.args.at
        cdef fr_forward_args *last = args + self.layers.count - 1
        cdef int n = 1 if block else 0, shift = 2 if self.itemsize == 4 else 3  # strides are whole numbers of elements
        args.x, last.y = x.buf, out.buf
        args.x_st = args.x_sn = last.y_st = last.y_sn = 0
        if block:
            args.x_st, last.y_st = x.strides[0] >> shift, out.strides[0] >> shift
        if x.ndim == n + 2:
            args.x_sn, last.y_sn = x.strides[n] >> shift, out.strides[n] >> shift
        return args

    cdef int step(self, const Py_buffer *x, const Py_buffer *out) except -1:
        cdef list packs = self.current_packs()
        cdef fr_forward_args *args = self.point_to(x, out, False)
        cdef size_t nbytes
        self.follow(packs)
        if self.workspace is None or self.stack.desc.isa != (<Pack>packs[0]).desc.isa:
            packs = self.describe(1, self.N, &self.stack)
            if fr_stack_threads_pay(&self.stack):
                return self.run(&self.stack, packs, args)
            check(fr_stack_workspace_bytes(&self.stack, FR_FORWARD, &nbytes))
            self.workspace = Block(nbytes)
        return self.run_briefly(packs, args)

    cdef int run_briefly(self, list packs, fr_forward_args *args) except -1:
        """A step that takes too little time for a second thread, and for Ctrl-C."""
        cdef void *workspace = self.workspace.at
        cdef int k, code
        for k in range(self.layers.count):
            args[k].pack, args[k].back = self.packed(<Pack>packs[k], FR_FORWARD), self.workspace.back
        self.workspace.back ^= 1
        if self.work <= KEEPS_GIL:
            code = fr_stack_forward(&self.stack, args, workspace, NULL, NULL)
        else:
            with nogil:
                code = fr_stack_forward(&self.stack, args, workspace, NULL, NULL)
        return check(code)

    cdef int read_block(self, const Py_buffer *x, const Py_buffer *out) except -1:
        cdef fr_stack stack
        cdef list packs = self.describe(x.shape[0], self.N, &stack)
        return self.run(&stack, packs, self.point_to(x, out, True))

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
    cdef Steps steps_of  # a call
    cdef Py_ssize_t N, I, H, itemsize
    cdef Py_ssize_t longest  # T of a small block

    def __cinit__(self, layers, Py_ssize_t N, threads):
        self.steps_of = Steps.__new__(Steps)
        self.steps_of.begin(layers, N, threads)
        self.N, self.I, self.H, self.itemsize = N, self.steps_of.I, self.steps_of.O, self.steps_of.itemsize
        self.longest = SMALL // N // self.steps_of.widest

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
            self.steps_of.step_rows(x_array, out_array, order, k)
        finally:
            with cython.critical_section(self):
                self.in_use = self.running = False

    cdef bint fit(self, const Py_buffer *x, const Py_buffer *out, bint block) noexcept:
        """Are they (N, I) and (N, H), of a block (T, N, I) and (T, N, H) with a small T, or without N for one row?

        Of the layers' dtype, with contiguous aligned rows, and without memory that they share.
        """
        cdef char kind = c"f" if self.itemsize == 4 else c"d"
        cdef int n = 1 if block else 0
        if x.ndim != out.ndim or not n + 1 <= x.ndim <= n + 2:
            return False
        if self.N != 1 if x.ndim == n + 1 else not x.shape[n] == out.shape[n] == self.N:
            return False
        if not is_kind(x, kind) or not is_kind(out, kind) or not has_rows(x, self.I) or not has_rows(out, self.H):
            return False
        if block and (x.shape[0] != out.shape[0] or not 0 < x.shape[0] <= self.longest or not is_whole(out)):
            return False
        return not overlap(x, out)

    cdef bint read(self, x, out, bint block) except -1:
        """One step or a block of them; False, having done nothing, unless they `fit`."""
        cdef Py_buffer vx, vy
        if not get_buffer(x, &vx, PyBUF_STRIDES | PyBUF_FORMAT):
            return False
        try:
            if not get_buffer(out, &vy, PyBUF_STRIDES | PyBUF_FORMAT | PyBUF_WRITABLE):
                return False
            try:
                return self.fit(&vx, &vy, block) and self.run_alone(&vx, &vy, block)
            finally:
                PyBuffer_Release(&vy)
        finally:
            PyBuffer_Release(&vx)

    cdef bint run_alone(self, const Py_buffer *x, const Py_buffer *out, bint block) except -1:
        """True, or RuntimeError while another call runs."""
        self.enter()
        self.running = True
        try:
            if block:
                self.steps_of.read_block(x, out)
            else:
                self.steps_of.step(x, out)
        finally:
            with cython.critical_section(self):
                self.in_use = self.running = False
        return True

    # Plain methods of C: the function objects that Cython makes otherwise copy the arguments of each call (0.05 us).
    @cython.binding(False)
    @cython.embedsignature(True)
    @cython.embedsignature.format("clinic")
    def step(self, x, out):
        """Read x and write out, (N, I) and (N, H) or, for one row, (I,) and (H,).

        Returns False, having done nothing, unless they are arrays of the layers' dtype with contiguous rows, have as
        many axes, and do not overlap. The caller then finds out what is wrong.
        """
        return self.read(x, out, False)

    @cython.binding(False)
    @cython.embedsignature(True)
    @cython.embedsignature.format("clinic")
    def steps(self, x, out):
        """Read a block x and write out, (T, N, I) and (T, N, H), C-ordered, or, for one row, (T, I) and (T, H).

        Returns False, having done nothing, as `step` does, and for a block that is not small.
        """
        return self.read(x, out, True)

# SPDX-License-Identifier: BSD-3-Clause
# Forward and backward passes of one layer and direction, in pieces short enough for Ctrl-C.

cdef class Recurrence:
    """How one call runs through time.

    order is (rows, lengths, first, source, start) of fr_desc, the last two None where rows are whole; or None where
    every row has T steps. reverse runs each row from its end. packed: sequences are (1, R, ...), in the tape's order.
    C goes where the order says, so it is checked, and copied: nobody can write into it during a call.
    """
    cdef Block order  # rows (N), lengths (N), first (T+1), and of parts source (N), start (N)
    cdef Py_ssize_t T, N  # of the order
    cdef StateUpdate state_update
    cdef bint reverse, packed, parts
    cdef int n_threads

    def __cinit__(self, order, StateUpdate state_update not None, bint reverse, int n_threads, bint packed=False):
        self.state_update, self.reverse, self.packed = state_update, reverse, packed
        self.n_threads = min(n_threads, FR_MAX_THREADS)
        if order is not None:
            names = ("rows", "lengths", "first", "source", "start")
            self.read_order(names, [hold(name, array, False) for name, array in zip(names, order, strict=True)])
        if packed and (self.order is None or self.parts):
            raise ValueError("order: expected one of whole rows, in which sequences are packed, got another")

    cdef int read_order(self, tuple names, list arrays) except -1:
        cdef Array rows = arrays[0], first = arrays[2], source = arrays[3]
        self.parts = source.held
        used = 5 if self.parts else 3
        for name, array in zip(names[:used], arrays):
            (<Array>array).required(name)
        cdef Py_ssize_t N = rows.view.shape[0] if rows.view.ndim else 0
        cdef Py_ssize_t T = first.view.shape[0] - 1 if first.view.ndim else 0
        for name, array in zip(names[:used], arrays):
            (<Array>array).whole(name, c"n", 1, max(T, 0) + 1 if array is first else N, 0, 0)
        self.N, self.T, self.order = N, T, Block((4 * N + T + 1) * sizeof(fr_idx))
        cdef fr_idx *to = <fr_idx *>self.order.at
        for array in arrays[:used]:
            memcpy(to, (<Array>array).at(), (<Array>array).view.len)
            to += (<Array>array).view.shape[0]
        if not is_order(<fr_idx *>self.order.at, N, T):
            raise ValueError("order: expected rows 0..N-1, longest first, their lengths of at most T, and the number "
                             "of rows that run at the steps before each, got other values")
        return 0

    cdef int describe(self, Pack pack, const Py_buffer *x, fr_desc *d) except -1:
        """Fills in the description of a call that reads x (T, N, I), or (1, R, I)."""
        d[0] = pack.desc
        if x.ndim != 3:
            raise ValueError(f"x: expected (T, N, {d.I}), got {described(x)}")
        d.T, d.N, d.packed = x.shape[0], x.shape[1], self.packed
        if self.packed:
            d.T, d.N = self.T, self.N
        d.reverse, d.n_threads, d.masked = self.reverse, self.n_threads, self.state_update.mask.held
        self.state_update.check_fits(d)
        if self.order is None:
            return 0
        d.rows = <const fr_idx *>self.order.at
        d.lengths, d.first = d.rows + self.N, d.rows + 2 * self.N
        if self.packed and (x.shape[0], x.shape[1]) != (1, d.first[self.T]):
            raise ValueError(f"x: expected (1, {d.first[self.T]}, {d.I}), got {described(x)}")
        if self.parts:
            d.source, d.start = d.first + self.T + 1, d.first + self.T + 1 + self.N
            if not are_parts(d, self.N):
                raise ValueError(f"order: expected parts of rows inside {(d.T, d.N)} steps and rows, got others")
            d.T, d.N = self.T, self.N
        if (self.T, self.N) != (d.T, d.N):
            raise ValueError(f"order: expected one of {(d.T, d.N)} steps and rows, got {(self.T, self.N)}")
        return 0


cdef bint are_parts(const fr_desc *d, fr_idx count) noexcept:
    """Does each of so many parts lie inside a row of the sequences (T, N) of a description?"""
    cdef fr_idx i
    for i in range(count):
        if not 0 <= d.source[i] < d.N or not 0 <= d.start[i] <= d.T - d.lengths[i]:
            return False
    return True


cdef bint is_order(const fr_idx *rows, fr_idx N, fr_idx T):
    """Do rows (N), lengths (N) and first (T+1), one behind the other, describe which rows run at each step?"""
    cdef const fr_idx *lengths = rows + N
    cdef const fr_idx *first = rows + 2 * N
    cdef fr_idx i, s, running = N
    cdef Block seen = Block(N)
    cdef char *at = <char *>seen.at
    memset(at, 0, N)
    for i in range(N):
        if not 0 <= rows[i] < N or at[rows[i]] or not 0 <= lengths[i] <= (T if i == 0 else lengths[i - 1]):
            return False
        at[rows[i]] = 1
    if first[0] != 0:
        return False
    for s in range(T):
        while running and lengths[running - 1] <= s:
            running -= 1
        if first[s + 1] != first[s] + running:
            return False
    return True


cdef int check_state(str name, Array array, const fr_desc *d, bint exists) except -1:
    """An array (N, H) or None, and None if the cell has no such state."""
    return array.whole(name, kind_of(d.dtype), 2, d.N, d.H, 0) if exists else array.absent(name)


cdef Py_ssize_t tape_rows(const fr_desc *d) noexcept:
    """R, the sum of the lengths."""
    return d.first[d.T] if d.rows != NULL else d.T * d.N


cdef Block workspace_for(Pack pack, const fr_desc *d, fr_pass which):
    """The workspace of the latest call with these weights, if it is large enough and not in use; else a new one."""
    cdef Block block
    cdef size_t nbytes
    check(fr_workspace_bytes(d, which, &nbytes))
    with cython.critical_section(pack):
        block, pack.workspace = pack.workspace, None
    return Block(nbytes) if block is None or block.nbytes < nbytes else block


cdef void keep_workspace(Pack pack, Block block) noexcept:
    with cython.critical_section(pack):
        pack.workspace = block if block.nbytes <= SPARE_BYTES else None


def forward(Pack pack not None, Recurrence recurrence not None, x, y, initial, final, tape):
    """Run one layer in one direction; arrays as in fr_forward_args, None for NULL.

    initial is (h_0, c_0), final (h_n, c_n), tape (gates, c). Raises KeyboardInterrupt between pieces.
    """
    cdef Array x_array = hold("x", x, False), y_array = hold("y", y, True)
    cdef Array h_0 = hold("h_0", initial[0], False), c_0 = hold("c_0", initial[1], False)
    cdef Array h_n = hold("h_n", final[0], True), c_n = hold("c_n", final[1], True)
    cdef Array gates = hold("gates", tape[0], True), tape_c = hold("c", tape[1], True)
    cdef fr_desc d
    cdef fr_forward_args a
    cdef int code
    recurrence.describe(pack, &x_array.view, &d)
    check_forward(pack, &d, x_array, y_array, h_0, c_0, h_n, c_n)
    check_tape(pack, &d, gates, tape_c)
    a.x, a.x_st, a.x_sn = x_array.at(), x_array.stride(0), x_array.stride(1)
    a.y, a.y_st, a.y_sn = y_array.at(), y_array.stride(0), y_array.stride(1)
    a.h_0, a.c_0, a.h_n, a.c_n = h_0.at(), c_0.at(), h_n.at(), c_n.at()
    a.gates, a.c, a.state_update = gates.at(), tape_c.at(), recurrence.state_update.c
    cdef Block workspace = workspace_for(pack, &d, FR_FORWARD)
    a.pack, a.workspace = pack.packed_for(FR_FORWARD, d.n_threads), workspace.at
    a.s_lo = 0
    while True:
        a.s_hi = fr_forward_piece(&d, a.s_lo)
        with nogil:
            code = fr_forward(&d, &a)
        check(code)
        if a.s_hi == d.T:
            keep_workspace(pack, workspace)
            return
        PyErr_CheckSignals()
        a.s_lo = a.s_hi


cdef int check_forward(Pack pack, const fr_desc *d, Array x, Array y, Array h_0, Array c_0, Array h_n,
                       Array c_n) except -1:
    cdef char kind = kind_of(d.dtype)
    cdef bint has_c = pack.cell.has_c
    x.rows("x", kind, x.view.shape[0], x.view.shape[1], d.I)
    y.required("y")
    y.rows("y", kind, x.view.shape[0], x.view.shape[1], d.H)
    check_state("h_0", h_0, d, True)
    check_state("h_n", h_n, d, True)
    check_state("c_0", c_0, d, has_c)
    check_state("c_n", c_n, d, has_c)
    if has_c:
        c_n.required("c_n")
    return 0


cdef int check_tape(Pack pack, const fr_desc *d, Array gates, Array c) except -1:
    cdef Py_ssize_t R = tape_rows(d)
    gates.whole("gates", kind_of(d.dtype), 3, R, pack.cell.S, d.H)
    return c.whole("c", kind_of(d.dtype), 2, R, d.H, 0) if pack.cell.has_c else c.absent("c")


def backward(Pack pack not None, Recurrence recurrence not None, saved, upstream, downstream, grads):
    """Back-propagate through one layer in one direction; arrays as in fr_backward_args, None for NULL.

    saved is (x, y, h_0, c_0, gates, c) of the forward pass, upstream (dy, dh_n, dc_n), downstream (dx, dh_0, dc_0), and
    grads are (dw_ih, dw_hh, db_ih, db_hh). Raises KeyboardInterrupt between pieces.
    """
    cdef fr_desc d
    cdef fr_backward_args a
    cdef int code
    x, y, initial_h, initial_c, tape_gates, tape_cells = saved
    dy, last_dh, last_dc = upstream
    dx, first_dh, first_dc = downstream
    cdef Array x_array = hold("x", x, False)
    recurrence.describe(pack, &x_array.view, &d)
    held = (
        x_array, hold("y", y, False), hold("h_0", initial_h, False), hold("c_0", initial_c, False),
        hold("gates", tape_gates, True), hold("c", tape_cells, False),
        hold("dy", dy, False), hold("dh_n", last_dh, False), hold("dc_n", last_dc, False),
        hold("dx", dx, True), hold("dh_0", first_dh, True), hold("dc_0", first_dc, True),
    )
    read_backward(pack, &d, held, &a)
    cdef list held_grads = read_grads(pack, &d, grads, &a)
    a.state_update = recurrence.state_update.c
    cdef Block workspace = workspace_for(pack, &d, FR_BACKWARD)
    a.pack, a.workspace = pack.packed_for(FR_BACKWARD, d.n_threads), workspace.at
    a.s_hi = d.T
    while True:
        a.s_lo = fr_backward_piece(&d, a.s_hi)
        with nogil:
            code = fr_backward(&d, &a)
        check(code)
        if a.s_lo == 0:
            keep_workspace(pack, workspace)
            return
        PyErr_CheckSignals()
        a.s_hi = a.s_lo


cdef int read_backward(Pack pack, const fr_desc *d, tuple held, fr_backward_args *a) except -1:
    """Checks everything but the gradients of the parameters, and fills in the pointers."""
    cdef Array x, y, h_0, c_0, gates, c, dy, dh_n, dc_n, dx, dh_0, dc_0
    cdef char kind = kind_of(d.dtype)
    cdef bint has_c = pack.cell.has_c
    x, y, h_0, c_0, gates, c, dy, dh_n, dc_n, dx, dh_0, dc_0 = held
    x.rows("x", kind, x.view.shape[0], x.view.shape[1], d.I)
    y.required("y")
    y.rows("y", kind, x.view.shape[0], x.view.shape[1], d.H)
    dy.rows("dy", kind, x.view.shape[0], x.view.shape[1], d.H)
    dx.rows("dx", kind, x.view.shape[0], x.view.shape[1], d.I)
    gates.required("gates")
    check_tape(pack, d, gates, c)
    if has_c:
        c.required("c")
    check_state("h_0", h_0, d, True)
    check_state("dh_n", dh_n, d, True)
    check_state("dh_0", dh_0, d, True)
    check_state("c_0", c_0, d, has_c)
    check_state("dc_n", dc_n, d, has_c)
    check_state("dc_0", dc_0, d, has_c)
    a.x, a.x_st, a.x_sn = x.at(), x.stride(0), x.stride(1)
    a.y, a.y_st, a.y_sn = y.at(), y.stride(0), y.stride(1)
    a.h_0, a.c_0, a.gates, a.c = h_0.at(), c_0.at(), gates.at(), c.at()
    a.dy, a.dy_st, a.dy_sn = dy.at(), dy.stride(0), dy.stride(1)
    a.dh_n, a.dc_n = dh_n.at(), dc_n.at()
    a.dx, a.dx_st, a.dx_sn = dx.at(), dx.stride(0), dx.stride(1)
    a.dh_0, a.dc_0 = dh_0.at(), dc_0.at()
    return 0


cdef list read_grads(Pack pack, const fr_desc *d, grads, fr_backward_args *a):
    """Checks the gradients of the parameters and fills in the pointers; returns what has to live as long as these."""
    cdef Py_ssize_t rows = pack.cell.G * d.H
    cdef char kind = kind_of(d.dtype)
    ih, hh, bias_ih, bias_hh = grads
    cdef Array dw_ih = hold("dw_ih", ih, True), dw_hh = hold("dw_hh", hh, True)
    cdef Array db_ih = hold("db_ih", bias_ih, True), db_hh = hold("db_hh", bias_hh, True)
    dw_ih.required("dw_ih")
    dw_ih.whole("dw_ih", kind, 2, rows, d.I, 0)
    if pack.cell.recurrent:
        dw_hh.required("dw_hh")
        dw_hh.whole("dw_hh", kind, 2, rows, d.H, 0)
    else:
        dw_hh.absent("dw_hh")
    db_ih.whole("db_ih", kind, 1, rows, 0, 0)
    db_hh.whole("db_hh", kind, 1, rows, 0, 0)
    a.dw_ih, a.dw_hh, a.db_ih, a.db_hh = dw_ih.at(), dw_hh.at(), db_ih.at(), db_hh.at()
    return [dw_ih, dw_hh, db_ih, db_hh]

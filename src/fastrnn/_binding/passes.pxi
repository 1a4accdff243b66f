# SPDX-License-Identifier: BSD-3-Clause
# Forward and backward passes of one layer and direction, in pieces short enough for Ctrl-C.

cdef class Recurrence:
    """How one call runs through time.

    order is (rows, lengths, first) of fr_desc, or None where every row has T steps; reverse runs each row from its end.
    """
    cdef Array rows, lengths, first
    cdef StateUpdate state_update
    cdef bint reverse
    cdef int n_threads

    def __init__(self, order, StateUpdate state_update, bint reverse, int n_threads):
        if order is not None:
            self.rows, self.lengths, self.first = Array(order[0]), Array(order[1]), Array(order[2])
        self.state_update, self.reverse, self.n_threads = state_update, reverse, n_threads

    cdef int describe(self, Pack pack, const Py_buffer *x, fr_desc *d) except -1:
        """Fills in the description of a call that reads x (T, N, I)."""
        d[0] = pack.desc
        if x.ndim != 3 or x.shape[2] != d.I:
            raise ValueError(f"x: expected (T, N, {d.I}), got {described(x)}")
        d.T, d.N = x.shape[0], x.shape[1]
        d.reverse, d.n_threads, d.masked = self.reverse, self.n_threads, self.state_update.mask.held
        self.state_update.check_fits(d)
        if self.rows is not None:
            d.rows = <const fr_idx *>self.rows.at()
            d.lengths = <const fr_idx *>self.lengths.at()
            d.first = <const fr_idx *>self.first.at()
        return 0


cdef int check_output(Array y, const fr_desc *d) except -1:
    if y.held and (y.view.ndim != 3 or y.view.shape[2] != d.H):
        raise ValueError(f"y: expected (T, N, {d.H}), got {described(&y.view)}")
    return 0


cdef Block workspace_for(Pack pack, const fr_desc *d, fr_pass which):
    """The workspace of the latest call with these weights, if it is large enough and not in use; else a new one."""
    cdef size_t nbytes
    check(fr_workspace_bytes(d, which, &nbytes))
    cdef Block block
    with cython.critical_section(pack):
        block, pack.workspace = pack.workspace, None
    return Block(nbytes) if block is None or block.nbytes < nbytes else block


cdef void keep_workspace(Pack pack, Block block) noexcept:
    if block.nbytes <= SPARE_BYTES:
        with cython.critical_section(pack):
            pack.workspace = block


def forward(Pack pack, Recurrence recurrence, x, y, initial, final, tape):
    """Run one layer in one direction; arrays as in fr_forward_args, None for NULL.

    initial is (h_0, c_0), final (h_n, c_n), tape (gates, c). Raises KeyboardInterrupt between pieces.
    """
    cdef Array x_array = Array(x), y_array = Array(y, True), h_0 = Array(initial[0]), c_0 = Array(initial[1])
    cdef Array h_n = Array(final[0], True), c_n = Array(final[1], True)
    cdef Array gates = Array(tape[0], True), tape_c = Array(tape[1], True)
    cdef fr_desc d
    cdef fr_forward_args a
    cdef int code
    recurrence.describe(pack, &x_array.view, &d)
    check_output(y_array, &d)
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


def backward(Pack pack, Recurrence recurrence, saved, upstream, downstream, grads):
    """Back-propagate through one layer in one direction; arrays as in fr_backward_args, None for NULL.

    saved is (x, y, h_0, c_0, gates, c) of the forward pass, upstream (dy, dh_n, dc_n), downstream (dx, dh_0, dc_0), and
    grads are (dw_ih, dw_hh, db_ih, db_hh). Raises KeyboardInterrupt between pieces.
    """
    x, y, initial_h, initial_c, tape_gates, tape_cells = saved
    cdef Array x_array = Array(x), y_array = Array(y), h_0 = Array(initial_h), c_0 = Array(initial_c)
    cdef Array gates = Array(tape_gates, True), tape_c = Array(tape_cells)
    cdef Array dy = Array(upstream[0]), dh_n = Array(upstream[1]), dc_n = Array(upstream[2])
    cdef Array dx = Array(downstream[0], True), dh_0 = Array(downstream[1], True), dc_0 = Array(downstream[2], True)
    cdef Array dw_ih = Array(grads[0], True), dw_hh = Array(grads[1], True)
    cdef Array db_ih = Array(grads[2], True), db_hh = Array(grads[3], True)
    cdef fr_desc d
    cdef fr_backward_args a
    cdef int code
    recurrence.describe(pack, &x_array.view, &d)
    check_output(y_array, &d)
    a.x, a.x_st, a.x_sn = x_array.at(), x_array.stride(0), x_array.stride(1)
    a.y, a.y_st, a.y_sn = y_array.at(), y_array.stride(0), y_array.stride(1)
    a.h_0, a.c_0, a.gates, a.c = h_0.at(), c_0.at(), gates.at(), tape_c.at()
    a.dy, a.dy_st, a.dy_sn = dy.at(), dy.stride(0), dy.stride(1)
    a.dh_n, a.dc_n = dh_n.at(), dc_n.at()
    a.dx, a.dx_st, a.dx_sn = dx.at(), dx.stride(0), dx.stride(1)
    a.dh_0, a.dc_0 = dh_0.at(), dc_0.at()
    a.dw_ih, a.dw_hh, a.db_ih, a.db_hh = dw_ih.at(), dw_hh.at(), db_ih.at(), db_hh.at()
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

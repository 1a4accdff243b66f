# SPDX-License-Identifier: BSD-3-Clause
# Forward and backward passes of one layer and direction, in pieces short enough for Ctrl-C.

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

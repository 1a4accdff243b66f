# SPDX-License-Identifier: BSD-3-Clause
# The passes of training and of long calls, in pieces.

cdef class Call:
    """A description of one call, with the arrays behind its pointers and its workspace."""
    cdef fr_desc d
    cdef Array rows, lengths, first
    cdef Block workspace

    def __init__(self, Pack pack, Array x, Array y, order, StateUpdate state_update, bint reverse, int n_threads):
        self.d = pack.desc
        if x.view.shape[2] != self.d.I or (y.held and y.view.shape[2] != self.d.H):
            raise ValueError("x and y do not fit the weights")
        self.d.T, self.d.N = x.view.shape[0], x.view.shape[1]
        self.d.reverse, self.d.n_threads, self.d.masked = reverse, n_threads, state_update.mask.held
        state_update.fit(&self.d)
        if order is not None:
            self.rows, self.lengths, self.first = map(Array, order)
            self.d.rows = <const fr_idx *>self.rows.at()
            self.d.lengths = <const fr_idx *>self.lengths.at()
            self.d.first = <const fr_idx *>self.first.at()

    cdef void *space(self, fr_pass which, Pack pack) except NULL:
        """Memory for C: what the latest call with these weights had, if nobody else has it now and it is enough."""
        cdef size_t nbytes
        check(fr_workspace_bytes(&self.d, which, &nbytes))
        self.workspace, pack.workspace = pack.workspace, None
        if self.workspace is None or self.workspace.nbytes < nbytes:
            self.workspace = Block(nbytes)
        return self.workspace.at

    cdef void leave_space(self, Pack pack) noexcept:
        if self.workspace.nbytes <= SPARE_BYTES:
            pack.workspace = self.workspace


def forward(Pack pack, x, y, h_0, c_0, h_n, c_n, tape_gates, tape_c, order, StateUpdate state_update, bint reverse, int n_threads):
    """Run one layer in one direction. Arrays as in fr_forward_args; those that may be NULL there may be None here.

    order is (rows, lengths, first) of fr_desc, or None. Raises KeyboardInterrupt between pieces.
    """
    cdef Array ax = Array(x), ay = Array(y, True), ah0 = Array(h_0), ac0 = Array(c_0), ahn = Array(h_n, True)
    cdef Array acn = Array(c_n, c_n is not None), ag = Array(tape_gates, tape_gates is not None)
    cdef Array ac = Array(tape_c, tape_c is not None)
    cdef Call call = Call(pack, ax, ay, order, state_update, reverse, n_threads)
    cdef fr_forward_args a
    cdef int code
    a.x, a.x_st, a.x_sn = ax.at(), ax.stride(0), ax.stride(1)
    a.y, a.y_st, a.y_sn = ay.at(), ay.stride(0), ay.stride(1)
    a.h_0, a.c_0, a.h_n, a.c_n = ah0.at(), ac0.at(), ahn.at(), acn.at()
    a.gates, a.c, a.state_update = ag.at(), ac.at(), state_update.c
    a.pack, a.workspace = pack.for_forward(n_threads), call.space(FR_FORWARD, pack)
    a.s_lo = 0
    while True:
        a.s_hi = fr_forward_piece(&call.d, a.s_lo)
        with nogil:
            code = fr_forward(&call.d, &a)
        check(code)
        if a.s_hi == call.d.T:
            call.leave_space(pack)
            return
        PyErr_CheckSignals()
        a.s_lo = a.s_hi


def backward(Pack pack, x, y, h_0, c_0, tape_gates, tape_c, dy, dh_n, dc_n, dx, dh_0, dc_0, grads, order,
             StateUpdate state_update, bint reverse, int n_threads):
    """Back-propagate through one layer in one direction. Arrays as in fr_backward_args; grads is a tuple of four."""
    cdef Array ax = Array(x), ay = Array(y), ah0 = Array(h_0), ac0 = Array(c_0), ag = Array(tape_gates, True)
    cdef Array ac = Array(tape_c), ady = Array(dy), adhn = Array(dh_n), adcn = Array(dc_n)
    cdef Array adx = Array(dx, dx is not None), adh0 = Array(dh_0, dh_0 is not None), adc0 = Array(dc_0, dc_0 is not None)
    cdef Array dw_ih = Array(grads[0], True), dw_hh = Array(grads[1], grads[1] is not None)
    cdef Array db_ih = Array(grads[2], grads[2] is not None), db_hh = Array(grads[3], grads[3] is not None)
    cdef Call call = Call(pack, ax, ay, order, state_update, reverse, n_threads)
    cdef fr_backward_args a
    cdef int code
    a.x, a.x_st, a.x_sn = ax.at(), ax.stride(0), ax.stride(1)
    a.y, a.y_st, a.y_sn = ay.at(), ay.stride(0), ay.stride(1)
    a.h_0, a.c_0, a.gates, a.c, a.state_update = ah0.at(), ac0.at(), ag.at(), ac.at(), state_update.c
    a.dy, a.dy_st, a.dy_sn = ady.at(), ady.stride(0), ady.stride(1)
    a.dh_n, a.dc_n = adhn.at(), adcn.at()
    a.dx, a.dx_st, a.dx_sn = adx.at(), adx.stride(0), adx.stride(1)
    a.dh_0, a.dc_0 = adh0.at(), adc0.at()
    a.dw_ih, a.dw_hh, a.db_ih, a.db_hh = dw_ih.at(), dw_hh.at(), db_ih.at(), db_hh.at()
    a.pack, a.workspace = pack.for_backward(n_threads), call.space(FR_BACKWARD, pack)
    a.s_hi = call.d.T
    while True:
        a.s_lo = fr_backward_piece(&call.d, a.s_hi)
        with nogil:
            code = fr_backward(&call.d, &a)
        check(code)
        if a.s_lo == 0:
            call.leave_space(pack)
            return
        PyErr_CheckSignals()
        a.s_hi = a.s_lo

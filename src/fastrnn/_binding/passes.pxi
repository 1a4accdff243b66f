# SPDX-License-Identifier: BSD-3-Clause
# Forward and backward passes of layers on one another.

cdef int check_state(str name, Array array, Py_ssize_t N, const fr_desc *d, bint exists) except -1:
    """An array (N, H) or None, and None if the cell has no such state."""
    return array.whole(name, kind_of(d.dtype), 2, N, d.H, 0) if exists else array.absent(name)


cdef Py_ssize_t tape_rows(const fr_desc *d) noexcept:
    """R, the sum of the lengths."""
    return d.first[d.T] if d.rows != NULL else d.T * d.N


cdef class Call:
    """The layers of a pass and what they have in common."""
    cdef Layers layers
    cdef Block args   # fr_forward_args or fr_backward_args of each
    cdef list held    # what is behind the pointers
    cdef list packs
    cdef Py_ssize_t steps, rows  # of sequences, (steps, rows, features)


cdef Call new_call(Recurrence recurrence, x, ys, entries, size_t size):
    """A call with arguments of `size` bytes, all zero, for each layer and direction, which are (Pack, StateUpdate, ..)."""
    cdef Call self = Call.__new__(Call)
    cdef fr_desc shared
    cdef Array x_array = hold("x", x, False)
    cdef Py_ssize_t count = len(entries), L = len(ys)
    if count < 1 or L < 1 or count % L:
        raise ValueError(f"layers: expected as many directions of each, got {count} directions of {L} layers")
    self.packs = [<Pack?>entry[0] for entry in entries]
    recurrence.describe(self.packs[0], &x_array.view, &shared)
    self.layers = new_layers(&shared, count, count // L)
    self.steps, self.rows = x_array.view.shape[0], x_array.view.shape[1]
    if not recurrence.packed:  # the sequences, where the order is one of parts
        self.layers.T, self.layers.N = self.steps, self.rows
    for pack, entry in zip(self.packs, entries):
        self.layers.append(&(<Pack>pack).desc, <StateUpdate?>entry[1])
    x_array.rows("x", self.layers.kind, self.steps, self.rows, self.layers.at(0).I)
    self.args = Block(<object>count * size)
    memset(self.args.at, 0, self.args.nbytes)
    self.held = [x_array, recurrence, self.packs, entries]
    return self


cdef Array sequence(Call call, str name, array, Py_ssize_t features, bint writable):
    """A sequence of the call, or NULL."""
    cdef Array result = hold(name, array, writable)
    result.rows(name, call.layers.kind, call.steps, call.rows, features)
    call.held.append(result)
    return result


cdef int read_dropout(Call call, int l, dropout, fr_dropout *to) except -1:
    """Of layer l; dropout is (scale, masks, results), the latter two with an array for each layer but the last."""
    cdef Array kept, result
    cdef Py_ssize_t features = call.layers.c.n_directions * call.layers.at(l * call.layers.c.n_directions).H
    scale, masks, results = dropout
    kept, result = hold("kept", masks[l], False), sequence(call, "dropped", results[l], features, True)
    kept.required("kept")
    result.required("dropped")
    kept.whole("kept", c"?", 3, call.steps, call.rows, features)
    result.whole("dropped", call.layers.kind, 3, call.steps, call.rows, features)
    call.held.append(kept)
    to.kept, to.result, to.scale = <const unsigned char *>kept.at(), result.at(), scale
    to.st, to.sn = result.stride(0), result.stride(1)
    return 0


def forward(Recurrence recurrence not None, x, ys, entries, dropout=None):
    """Run layers on one another; arrays as in fr_forward_args, None for NULL.

    ys are the outputs (T, N, D*H) of each layer, None for one that nobody wants. entries are those of each layer and
    direction, l*D + d: (pack, state update, (h_0, c_0), (h_n, c_n), (gates, c)). dropout is (scale, masks, results), of
    all layers but the last. Raises KeyboardInterrupt between pieces.
    """
    cdef Call call = new_call(recurrence, x, ys, entries, sizeof(fr_forward_args))
    cdef fr_forward_args *args = <fr_forward_args *>call.args.at
    cdef fr_stack *stack = &call.layers.c
    cdef Array x_array = call.held[0], y
    cdef int l, d, k, D = stack.n_directions, code
    cdef list raised = []
    for l in range(stack.n_layers):
        y = sequence(call, "y", ys[l], D * call.layers.at(l * D).H, True)
        if l + 1 == stack.n_layers:
            y.required("y")
        for d in range(D):
            k = l * D + d
            args[k].x, args[k].x_st, args[k].x_sn = x_array.at(), x_array.stride(0), x_array.stride(1)
            if y.held:
                args[k].y = <char *>y.at() + d * call.layers.at(k).H * y.view.itemsize
                args[k].y_st, args[k].y_sn = y.stride(0), y.stride(1)
            read_forward(call, k, entries[k], args + k)
        if dropout is not None and l + 1 < stack.n_layers:
            read_dropout(call, l, dropout, &args[l * D].dropout)
    cdef Block workspace = workspace_for(call.packs[0], stack, FR_FORWARD)
    for k in range(stack.n_layers * D):
        if args[k].gates == NULL or must_pack(call.packs[k], stack, FR_FORWARD):
            args[k].pack = (<Pack>call.packs[k]).packed_for(FR_FORWARD, stack.desc.n_threads)
        else:
            give_copies(call.packs[k], args + k)
    with nogil:
        code = fr_stack_forward(stack, args, workspace.at, stop_for_signals, <void *>raised)
    finish(code, raised)
    keep_workspace(call.packs[0], workspace)


cdef int read_forward(Call call, int k, tuple entry, fr_forward_args *a) except -1:
    """Checks the states and the tape of one layer and direction, and fills in the pointers."""
    cdef Pack pack = call.packs[k]
    cdef bint has_c = pack.cell.has_c
    cdef Py_ssize_t N = call.layers.c.desc.N
    _, update, initial, final, tape = entry
    cdef Array h_0 = hold("h_0", initial[0], False), c_0 = hold("c_0", initial[1], False)
    cdef Array h_n = hold("h_n", final[0], True), c_n = hold("c_n", final[1], True)
    cdef Array gates = hold("gates", tape[0], True), c = hold("c", tape[1], True)
    check_state("h_0", h_0, N, &pack.desc, True)
    check_state("h_n", h_n, N, &pack.desc, True)
    check_state("c_0", c_0, N, &pack.desc, has_c)
    check_state("c_n", c_n, N, &pack.desc, has_c)
    if has_c:
        c_n.required("c_n")
    check_tape(call, pack, gates, c)
    if gates.held and a.y == NULL:
        raise TypeError("y: expected an array where there is a tape, got None")
    call.held.append((h_0, c_0, h_n, c_n, gates, c))
    a.h_0, a.c_0, a.h_n, a.c_n = h_0.at(), c_0.at(), h_n.at(), c_n.at()
    a.gates, a.c, a.state_update = gates.at(), c.at(), (<StateUpdate>update).c
    return 0


cdef int check_tape(Call call, Pack pack, Array gates, Array c) except -1:
    cdef Py_ssize_t R = tape_rows(&call.layers.c.desc)
    gates.whole("gates", call.layers.kind, 3, R, pack.cell.S, pack.desc.H)
    return c.whole("c", call.layers.kind, 2, R, pack.desc.H, 0) if pack.cell.has_c else c.absent("c")


def backward(Recurrence recurrence not None, x, ys, entries, gradients, dropout=None, bint gates_done=False):
    """Back-propagate through layers on one another; arrays as in fr_backward_args, None for NULL.

    x, ys and dropout are those of the forward pass, gradients (dys, dx), and dys those of each layer's outputs, or None;
    without them those of layers below others come from above alone. entries are those of each layer and direction:
    (pack, state update, (h_0, c_0), (gates, c), (dh_n, dc_n), (dh_0, dc_0), (dw_ih, dw_hh, db_ih, db_hh)). With
    gates_done, of one layer, the gates are their gradients, and only read: dx and those of the parameters are added.
    Raises KeyboardInterrupt between pieces.
    """
    cdef Call call = new_call(recurrence, x, ys, entries, sizeof(fr_backward_args))
    cdef fr_backward_args *args = <fr_backward_args *>call.args.at
    cdef fr_stack *stack = &call.layers.c
    cdef int l, k, D = stack.n_directions, code
    cdef list raised = []
    dys, downstream = gradients
    if gates_done and stack.n_layers > 1:
        raise ValueError(f"layers: expected one, as its gates' gradients are given, got {stack.n_layers}")
    cdef Array dx = sequence(call, "dx", downstream, call.layers.at(0).I, True)
    for l in range(stack.n_layers):
        read_sequences(call, l, ys[l], dys[l], dx, args + l * D)
        for k in range(l * D, l * D + D):
            args[k].gates_done = gates_done
            read_backward(call, k, entries[k], args + k)
        if dropout is not None and l + 1 < stack.n_layers:
            read_dropout(call, l, dropout, &args[l * D].dropout)
    cdef Block workspace = workspace_for(call.packs[0], stack, FR_BACKWARD)
    for k in range(stack.n_layers * D):
        args[k].w_ih, args[k].w_hh = (<Pack>call.packs[k]).part[0], (<Pack>call.packs[k]).part[1]
        if (not gates_done or dx.held) and must_pack(call.packs[k], stack, FR_BACKWARD):
            args[k].pack = (<Pack>call.packs[k]).packed_for(FR_BACKWARD, stack.desc.n_threads)
    with nogil:
        code = fr_stack_backward(stack, args, workspace.at, stop_for_signals, <void *>raised)
    finish(code, raised)
    keep_workspace(call.packs[0], workspace)


cdef int read_sequences(Call call, int l, y, upstream, Array dx, fr_backward_args *a) except -1:
    """The sequences of all directions of layer l."""
    cdef Array x_array = call.held[0]
    cdef int d, D = call.layers.c.n_directions
    cdef Py_ssize_t offset, H = call.layers.at(l * D).H
    cdef Array y_array = sequence(call, "y", y, D * H, False)
    cdef Array dy = sequence(call, "dy", upstream, D * H, False)
    y_array.required("y")
    for d in range(D):
        offset = d * H * y_array.view.itemsize
        a[d].x, a[d].x_st, a[d].x_sn = x_array.at(), x_array.stride(0), x_array.stride(1)
        a[d].y, a[d].y_st, a[d].y_sn = <char *>y_array.at() + offset, y_array.stride(0), y_array.stride(1)
        if dy.held:
            a[d].dy, a[d].dy_st, a[d].dy_sn = <char *>dy.at() + offset, dy.stride(0), dy.stride(1)
        a[d].dx, a[d].dx_st, a[d].dx_sn = dx.at(), dx.stride(0), dx.stride(1)
    return 0


cdef int read_backward(Call call, int k, tuple entry, fr_backward_args *a) except -1:
    """Checks the states, the tape and the gradients of one layer and direction, and fills in the pointers."""
    cdef Pack pack = call.packs[k]
    cdef bint has_c = pack.cell.has_c
    cdef Py_ssize_t N = call.layers.c.desc.N
    _, update, initial, tape, dfinal, dinitial, grads = entry
    cdef Array h_0 = hold("h_0", initial[0], False), c_0 = hold("c_0", initial[1], False)
    cdef Array gates = hold("gates", tape[0], not a.gates_done), c = hold("c", tape[1], False)
    cdef Array dh_n = hold("dh_n", dfinal[0], False), dc_n = hold("dc_n", dfinal[1], False)
    cdef Array dh_0 = hold("dh_0", dinitial[0], True), dc_0 = hold("dc_0", dinitial[1], True)
    gates.required("gates")
    check_tape(call, pack, gates, c)
    if has_c and not a.gates_done:
        c.required("c")
    for name, h in (("h_0", h_0), ("dh_n", dh_n), ("dh_0", dh_0)):
        check_state(name, h, N, &pack.desc, True)
    for name, c_state in (("c_0", c_0), ("dc_n", dc_n), ("dc_0", dc_0)):
        check_state(name, c_state, N, &pack.desc, has_c)
    call.held.append((h_0, c_0, gates, c, dh_n, dc_n, dh_0, dc_0))
    a.h_0, a.c_0, a.gates, a.c, a.state_update = h_0.at(), c_0.at(), gates.at(), c.at(), (<StateUpdate>update).c
    a.dh_n, a.dc_n, a.dh_0, a.dc_0 = dh_n.at(), dc_n.at(), dh_0.at(), dc_0.at()
    return read_grads(call, pack, grads, a)


cdef int read_grads(Call call, Pack pack, grads, fr_backward_args *a) except -1:
    """Checks the gradients of the parameters and fills in the pointers; None for those that nobody wants."""
    cdef Py_ssize_t rows = pack.cell.G * pack.desc.H, H = pack.desc.H
    cdef char kind = call.layers.kind
    ih, hh, bias_ih, bias_hh = grads
    cdef Array dw_ih = hold("dw_ih", ih, True), dw_hh = hold("dw_hh", hh, True)
    cdef Array db_ih = hold("db_ih", bias_ih, True), db_hh = hold("db_hh", bias_hh, True)
    dw_ih.whole("dw_ih", kind, 2, rows, pack.desc.I, 0)
    if pack.cell.recurrent:
        dw_hh.whole("dw_hh", kind, 2, rows, H, 0)
    else:
        dw_hh.absent("dw_hh")
    db_ih.whole("db_ih", kind, 1, rows, 0, 0)
    db_hh.whole("db_hh", kind, 1, rows, 0, 0)
    call.held.append((dw_ih, dw_hh, db_ih, db_hh))
    a.dw_ih, a.dw_hh, a.db_ih, a.db_hh = dw_ih.at(), dw_hh.at(), db_ih.at(), db_hh.at()
    return 0

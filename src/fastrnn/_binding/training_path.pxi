# SPDX-License-Identifier: BSD-3-Clause
# The fast path of small training steps: a tape in one piece of memory, and no Python between the layers.

cdef class Kept:
    """What `Training.forward` saves for one `Training.backward`."""
    cdef Small call
    cdef readonly list packs  # of each layer and direction
    cdef readonly Block memory  # gates and c of each layer and direction, y of each layer but the last, the initial state
    cdef Training owner
    cdef bint used, h_given, c_given  # whether there was an initial h, and c

    @property
    def x(self):
        """The caller's array."""
        return self.call.source

    @property
    def order(self):
        """The caller's, of packed rows; or None."""
        return self.call.order

    @property
    def y(self):
        """In x's layout."""
        return self.call.y

    @property
    def nbytes(self):
        """Bytes beyond x and y."""
        return self.memory.nbytes

    cpdef bint take(self):
        """True for the first that asks, who alone may use the tape."""
        with cython.critical_section(self):
            first, self.used = not self.used, True
        return first

    def contents(self):
        """(what, k, the number at which it begins, its shape): gates and c of layer and direction k, y of layer k, h_0, c_0."""
        cdef Training o = self.owner
        cdef Py_ssize_t R = self.call.R, count = o.layers.count
        cdef Weights first = o.weights[0]
        cdef Py_ssize_t steps = self.call.T if self.call.packed is None else 1
        found = []
        for k in range(count):
            found.append(("gates", k, o.gates_at(self.call, k), (R, first.cell.S, o.H)))
            if o.parts == 2:
                found.append(("c", k, o.gates_at(self.call, k) + R * first.cell.S * o.H, (R, o.H)))
        for layer in range(count // o.layers.c.n_directions - 1):
            found.append(("y", layer, o.y_at(self.call, layer), (steps, R // steps, o.O)))
        for part, given in enumerate((self.h_given, self.c_given)):
            if given:
                found.append(("hc"[part] + "_0", 0, o.state_at(self.call, part), (count, self.call.N, o.H)))
        return found


cdef class Training(Inference):
    """`Inference` and the pass back through it, where nothing is random between or inside the layers.

    grads are the gradients of each layer and direction, [dw_ih, dw_hh, db_ih, db_hh]; None where there is no parameter.
    """
    cdef list grads
    cdef bint trains

    def __cinit__(self, weights, directions, parts, batch_first, threads, empty, ndarray, dtype, grads):
        self.grads = [tuple(four) for four in grads]
        if [len(four) for four in self.grads] != [4] * self.layers.count:
            raise ValueError(f"grads: expected four of each of {self.layers.count} layers and directions, got others")

        self.trains = True

    def restrict(self, bint with_state, bint without_training, bint reverse=False):
        """From now on calls without a state are unusual, or all training steps are; or direction 0 reads from the end."""
        self.needs_state, self.trains = with_state, not without_training
        self.layers.c.desc.reverse = reverse

    # -- the tape: where its parts begin, in numbers ------------------------------------------------------------------

    cdef Py_ssize_t gates_at(self, Small call, Py_ssize_t k) noexcept:
        return k * call.R * ((<Weights>self.weights[0]).cell.S + (self.parts == 2)) * self.H

    cdef Py_ssize_t y_at(self, Small call, Py_ssize_t layer) noexcept:
        return self.gates_at(call, self.layers.count) + layer * call.R * self.O

    cdef Py_ssize_t state_at(self, Small call, int part) noexcept:
        cdef Py_ssize_t size = self.layers.count * call.N * self.H
        return self.y_at(call, self.layers.count // self.layers.c.n_directions - 1) + part * size

    cdef void *at(self, Kept kept, Py_ssize_t number) noexcept:
        return <char *>kept.memory.at + number * self.itemsize

    # -- passes --------------------------------------------------------------------------------------------------------

    def forward(self, x, state, order=None):
        """y, the final state, and a `Kept`; None if anything is unusual. With an `Order` of whole rows these are packed."""
        cdef Small call = self.read(x, state, order) if self.trains else None
        cdef Kept kept
        cdef fr_stack stack
        cdef fr_forward_args *args
        cdef Py_ssize_t R, first
        cdef int k, D = self.layers.c.n_directions, count = self.layers.count
        if call is None:
            return None
        kept = Kept.__new__(Kept)
        kept.call, kept.owner, kept.packs = call, self, self.describe(call.T, call.N, &stack, None, call.packed)
        kept.memory = tape_memory(kept.packs[0], self.state_at(call, 2) * self.itemsize)
        args, R = self.arguments(call), call.R
        for k in range(count):
            if self.parts:  # a cell without memory saves nothing: its gates exist only as gradients
                args[k].gates = self.at(kept, self.gates_at(call, k))
            if self.parts == 2:
                args[k].c = self.at(kept, self.gates_at(call, k) + R * (<Weights>self.weights[0]).cell.S * self.H)
            if k < count - D:
                first = self.y_at(call, k // D)
                args[k].y = self.at(kept, first + k % D * self.H)
                args[k].y_st, args[k].y_sn = call.N * self.O, self.O
        for part, array in enumerate((call.h_0, call.c_0)):
            if (<Array>array).held:
                memcpy(self.at(kept, self.state_at(call, part)), (<Array>array).at(), (<Array>array).view.len)
        self.run(&stack, kept.packs, args)
        kept.h_given, kept.c_given, state_after = call.h_0.held, call.c_0.held, call.state
        call.h_0 = call.c_0 = call.h_n = call.c_n = call.state = call.args = None  # the tape has no use for them
        return call.y, state_after, kept

    def backward(self, Kept kept not None, dy, dstate, bint frozen=False, bint needs_dx=True, bint reads_gates=False):
        """(dx or None, the gradient of the initial state); adds those of the parameters, unless they are frozen.

        The memory of the tape then holds the gradients of the gates, and with reads_gates is left to the caller.

        Returns None, having done nothing, if anything about the gradients is unusual or the tape has been used.
        """
        cdef Small call = kept.call
        cdef list held
        if kept.owner is not self or type(dy) is not self.ndarray or dy.dtype is not self.dtype:
            return None
        cdef Array dy_array = hold("dy", dy, False)
        if not same_shape(&dy_array.view, &call.y_array.view) or not has_rows(&dy_array.view, self.O):
            return None
        if not self.parts and (dy_array.view.ndim != 3 or call.T != 1):
            return None
        dh_n, dc_n = self.parts_of(dstate, call.N, call.state_axes())
        if dh_n is None or dc_n is None:
            return None
        held = [hold("grads", None, True)] * (4 * self.layers.count) if frozen else self.held_gradients()
        if held is None or not kept.take():
            return None
        dx, dx_array = self.new_dx(call) if needs_dx else (None, hold("dx", None, True))
        dh_0, dc_0, dinitial = self.new_state(call)
        self.run_back(kept, [dy_array, dx_array, dh_n, dc_n, dh_0, dc_0], held)
        if not reads_gates:
            keep_tape(kept.packs[0], kept.memory)
        return dx, dinitial

    cdef tuple new_dx(self, Small call):
        """Zeros laid out as x, and a pointer to them."""
        dx = self.empty(self.shape(call, self.I), self.dtype)
        cdef Array array = self.made(dx, self.shape(call, self.I))
        memset(array.at(), 0, array.view.len)
        return dx, array

    cdef list held_gradients(self):
        """Pointers to the gradients of the parameters, four for each layer and direction; None if one is unusual."""
        cdef list held = []
        cdef Array array
        cdef Weights weights
        cdef Py_ssize_t rows
        cdef char kind = c"f" if self.itemsize == 4 else c"d"
        for weights, four in zip(self.weights, self.grads):
            rows = weights.cell.G * self.H
            for which, each in enumerate(four):
                try:
                    array = hold("grads", each, True)
                    if which == 1 and not weights.cell.recurrent:
                        array.absent("grads")
                    elif which < 2:
                        array.whole("grads", kind, 2, rows, weights.desc.I if which == 0 else self.H, 0)
                    else:
                        array.whole("grads", kind, 1, rows, 0, 0)
                except (TypeError, ValueError):
                    return None
                held.append(array)
        return held

    cdef int run_back(self, Kept kept, list arrays, list grads) except -1:
        cdef Small call = kept.call
        cdef Array dy, dx, dh_n, dc_n, dh_0, dc_0
        dy, dx, dh_n, dc_n, dh_0, dc_0 = arrays
        cdef Py_ssize_t N = call.N, R = call.R, part = call.N * self.H, size = self.itemsize
        cdef int k, code, D = self.layers.c.n_directions, count = self.layers.count
        cdef Block block = Block(count * sizeof(fr_backward_args)), order = None
        cdef fr_backward_args *args = <fr_backward_args *>block.at
        cdef fr_backward_args *a
        cdef fr_stack stack
        cdef list raised = []
        memset(args, 0, block.nbytes)
        if not self.parts:  # without memory a row whose gradient is 0 takes no part: see ragged.with_gradient
            order = order_with_gradient(&dy.view)
        if order is not None:
            N = order.nbytes // (4 * sizeof(fr_idx))
        self.describe_with(kept.packs, call.T, N, &stack, order, call.packed)
        args.x, args.x_st, args.x_sn = call.x.at(), call.stride(call.x, 0), call.stride(call.x, 1)
        args.dx, args.dx_st, args.dx_sn = dx.at(), call.stride(dx, 0), call.stride(dx, 1)
        for k in range(count):
            a = args + k
            a.gates = self.at(kept, self.gates_at(call, k))
            if self.parts == 2:
                a.c = self.at(kept, self.gates_at(call, k) + R * (<Weights>self.weights[0]).cell.S * self.H)
                a.c_0 = self.at(kept, self.state_at(call, 1) + k * part) if kept.c_given else NULL
            a.h_0 = self.at(kept, self.state_at(call, 0) + k * part) if kept.h_given else NULL
            a.dh_n, a.dc_n = at_part(dh_n, k * part * size), at_part(dc_n, k * part * size)
            a.dh_0, a.dc_0 = at_part(dh_0, k * part * size), at_part(dc_0, k * part * size)
            a.dw_ih, a.dw_hh = (<Array>grads[4 * k]).at(), (<Array>grads[4 * k + 1]).at()
            a.db_ih, a.db_hh = (<Array>grads[4 * k + 2]).at(), (<Array>grads[4 * k + 3]).at()
            if k < count - D:
                a.y, a.y_st, a.y_sn = self.at(kept, self.y_at(call, k // D) + k % D * self.H), call.N * self.O, self.O
            else:
                a.y = at_part(call.y_array, k % D * self.H * size)
                a.y_st, a.y_sn = call.stride(call.y_array, 0), call.stride(call.y_array, 1)
                a.dy = at_part(dy, k % D * self.H * size)
                a.dy_st, a.dy_sn = call.stride(dy, 0), call.stride(dy, 1)
            a.w_ih, a.w_hh = (<Pack>kept.packs[k]).part[0], (<Pack>kept.packs[k]).part[1]
            if must_pack(kept.packs[k], &stack, FR_BACKWARD):
                a.pack = self.packed(kept.packs[k], FR_BACKWARD)
            a.state_update = (<Weights>self.weights[k]).state_update.c
        cdef Block workspace = workspace_for(kept.packs[0], &stack, FR_BACKWARD)
        with nogil:
            code = fr_stack_backward(&stack, args, workspace.at, stop_for_signals, <void *>raised)
        finish(code, raised)
        keep_workspace(kept.packs[0], workspace)
        return 0


cdef Block tape_memory(Pack pack, size_t nbytes):
    """The memory of an earlier tape of these weights, if it is large enough and not in use; else a new one."""
    cdef Block block
    with cython.critical_section(pack):
        block, pack.tape = pack.tape, None
    return Block(nbytes) if block is None or block.nbytes < nbytes else block


cdef void keep_tape(Pack pack, Block block) noexcept:
    with cython.critical_section(pack):
        pack.tape = block if block.nbytes <= SPARE_BYTES else None

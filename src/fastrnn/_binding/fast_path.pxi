# SPDX-License-Identifier: BSD-3-Clause
# The fast paths: weights that may change between calls, and one call of C for all layers.

cdef class Bound:
    """Layers on one another, of weights [l*D + d] that may change; passes without a tape and without lengths.

    threads() gives the number of threads to use now.
    """
    cdef list weights
    cdef object threads
    cdef Layers layers
    cdef Py_ssize_t I, O, itemsize  # of x and of y
    cdef Block workspace  # that steppers keep: see `Steps`

    cdef int bind(self, weights, int directions, threads) except -1:
        cdef Weights each
        self.weights, self.threads = [<Weights?>one for one in weights], threads
        if not self.weights:
            raise ValueError("layers: expected at least 1, got none")
        each = self.weights[0]
        self.I, self.itemsize = each.desc.I, 4 if each.desc.dtype == FR_F32 else 8
        self.layers = new_layers(&each.desc, len(self.weights), directions)
        self.layers.T = self.layers.N = -1  # their state updates fit sequences of any size
        for each in self.weights:
            self.layers.append(&each.desc, each.state_update)
        self.O = directions * each.desc.H
        return 0

    cdef list current_packs(self):
        """The weights as they are now."""
        if self.layers.count == 1:  # at once, which takes half as long
            return [(<Weights>self.weights[0]).current_pack()]
        return [(<Weights>each).current_pack() for each in self.weights]

    cdef list describe(self, Py_ssize_t T, Py_ssize_t N, fr_stack *stack, Block order=None, Recurrence packed=None):
        """Describes a call; returns the weights as they are now. With an order of N rows: one step of these alone."""
        cdef list packs = self.current_packs()
        self.follow(packs)
        for pack in packs:
            if (<Pack>pack).desc.isa != (<Pack>packs[0]).desc.isa:
                raise RuntimeError("set_isa: expected no change during a call, got one from another thread")
        self.describe_with(packs, T, N, stack, order, packed)
        return packs

    cdef int describe_with(self, list packs, Py_ssize_t T, Py_ssize_t N, fr_stack *stack, Block order=None,
                           Recurrence packed=None) except -1:
        stack[0] = self.layers.c
        stack.desc.T, stack.desc.N, stack.desc.isa = T, N, (<Pack>packs[0]).desc.isa
        if packed is not None:
            packed.describe_rows(&stack.desc)
        if order is not None:
            stack.desc.rows = <const fr_idx *>order.at
            stack.desc.lengths, stack.desc.source = stack.desc.rows + N, stack.desc.rows + 2 * N
            stack.desc.start, stack.desc.first = stack.desc.rows + 3 * N, stack.desc.rows + 4 * N
        if fr_stack_threads_pay(stack):
            stack.desc.n_threads = min(<int>self.threads(), FR_MAX_THREADS)
        return 0

    cdef int follow(self, list packs) except -1:
        """Weights may have become sparse or dense; calls then take other memory. On the fast path they are dense."""
        cdef int k
        for k in range(self.layers.count):
            if self.layers.at(k).nonzeros != (<Pack>packs[k]).desc.nonzeros:
                self.layers.at(k).nonzeros, self.workspace = (<Pack>packs[k]).desc.nonzeros, None
        return 0

    cdef void *packed(self, Pack pack, fr_pass which) except NULL:
        """Packing may pay for threads where the call does not."""
        cdef bint stale = pack.packed[<int>which] is None
        return pack.packed_for(which, min(<int>self.threads(), FR_MAX_THREADS) if stale else 1)

    cdef int run(self, const fr_stack *stack, list packs, fr_forward_args *args) except -1:
        """All steps; fills in the packed weights and the state updates."""
        cdef Block workspace = workspace_for(packs[0], stack, FR_FORWARD)
        self.run_in(workspace, stack, packs, args)
        keep_workspace(packs[0], workspace)
        return 0

    cdef int run_in(self, Block workspace, const fr_stack *stack, list packs, fr_forward_args *args) except -1:
        cdef list raised = []
        cdef int k, code
        for k in range(self.layers.count):
            if args[k].gates == NULL or must_pack(packs[k], stack, FR_FORWARD, self.threads):
                args[k].pack = self.packed(packs[k], FR_FORWARD)
            else:
                give_copies(packs[k], args + k)
            args[k].back = workspace.back
            args[k].state_update = (<Weights>self.weights[k]).state_update.c
        workspace.back = (workspace.back + stack.desc.T) & 1
        with nogil:
            code = fr_stack_forward(stack, args, workspace.at, stop_for_signals, <void *>raised)
        return finish(code, raised)


cdef Py_ssize_t SMALL = 1 << 16  # elements of x or y: beyond it, the overhead of Python code does not matter


cdef class Inference(Bound):
    """All layers and directions of a stack, of one cell and H, on short sequences: (T, N, I), (T, I), or packed (R, I).

    parts is 0 without a state, 1 for a state h, 2 for (h, c). empty, ndarray and dtype are NumPy's.
    """
    cdef bint needs_state  # calls without one are unusual
    cdef object empty, ndarray, dtype
    cdef bint batch_first
    cdef int parts
    cdef Py_ssize_t H

    def __cinit__(self, weights, int directions, int parts, bint batch_first, threads, empty, ndarray, dtype,
                  *others):
        cdef Weights first
        self.bind(weights, directions, threads)
        self.parts, self.batch_first = parts, batch_first
        first = self.weights[0]
        self.H = first.desc.H
        if parts != bool(first.cell.recurrent) + bool(first.cell.has_c):
            expected = bool(first.cell.recurrent) + bool(first.cell.has_c)
            raise ValueError(f"parts: expected {expected} of a state, got {parts}")
        for each in self.weights:
            if ((<Weights>each).desc.cell, (<Weights>each).desc.H) != (first.desc.cell, self.H):
                raise ValueError(f"layers: expected H={self.H} and the cell of the first, got others")
        self.empty, self.ndarray, self.dtype = empty, ndarray, dtype

    def __call__(self, x, state, order=None):
        """y and the final state, in new arrays. With an `Order` of whole rows these are packed.

        Returns None, having done nothing, if anything about x or the state is unusual. The general path then gives the
        same bits, or says what is wrong.
        """
        cdef Small call = self.read(x, state, order)
        cdef fr_stack stack
        cdef list packs
        if call is None:
            return None
        packs = self.describe(call.T, call.N, &stack, None, call.packed)
        self.run(&stack, packs, self.arguments(call))
        return call.y, call.state

    cdef Small read(self, x, state, order):
        """A call, with room for its results; None if anything about it is unusual."""
        cdef Small call = Small.__new__(Small)
        for each in self.weights:
            if (<Weights>each).sparse:  # threads share the fast path, which does not `follow` for each
                return None
        if type(x) is not self.ndarray or x.dtype is not self.dtype or state is None and self.needs_state:
            return None
        cdef Array x_array = hold("x", x, False)
        cdef int ndim = x_array.view.ndim
        call.source, call.x, call.batched, call.time = x, x_array, ndim == 3, ndim == 3 and self.batch_first
        if not 2 <= ndim <= 3 or not self.is_ours(x_array) or not has_rows(&x_array.view, self.I):
            return None
        cdef Py_ssize_t T = x_array.view.shape[call.time], N = x_array.view.shape[1 - call.time] if call.batched else 1
        if T == 0 or N == 0 or T > SMALL or N > SMALL or T * N > SMALL // max(self.I, self.O):
            return None
        call.T, call.N, call.R = T, N, T * N
        if order is not None:
            if ndim != 2 or not self.parts:
                return None
            call.order, call.packed = order, Recurrence(order[:5], False, 1, True)
            if call.packed.steps() != T:
                return None
            call.T, call.N, call.batched = call.packed.T, call.packed.N, True
        call.h_0, call.c_0 = self.parts_of(state, call.N, call.state_axes())
        if call.h_0 is None or call.c_0 is None:
            return None
        self.make_room(call)
        return call

    cdef bint is_ours(self, Array array) noexcept:
        return is_kind(&array.view, c"f" if self.itemsize == 4 else c"d")

    cdef Array made(self, array, tuple shape):
        """A new array, to be written."""
        cdef Array result = hold("empty", array, True)
        cdef Py_ssize_t a = shape[0], b = shape[1], c = shape[2] if len(shape) == 3 else 0
        result.whole("empty", c"f" if self.itemsize == 4 else c"d", len(shape), a, b, c)
        return result

    cdef Array initial(self, state, Py_ssize_t states, Py_ssize_t N, int ndim):
        """An initial state (states, N, H), C-ordered; None if it is unusual."""
        if type(state) is not self.ndarray or state.dtype is not self.dtype:
            return None
        cdef Array s = hold("state", state, False)
        if s.view.ndim != ndim or not self.is_ours(s) or not has_rows(&s.view, self.H) or s.view.shape[0] != states:
            return None
        if s.view.len != states * N * self.H * self.itemsize or s.view.strides[0] != N * self.H * self.itemsize:
            return None
        return s if ndim == 2 or s.view.shape[1] == N and s.view.strides[1] == self.H * self.itemsize else None

    cdef tuple parts_of(self, state, Py_ssize_t N, int ndim):
        """h and c of a state, or of its gradient; NULL where there is none, None where it is unusual."""
        cdef Py_ssize_t states = len(self.weights)
        none = hold("state", None, False)
        if state is None or self.parts == 0:
            return none, none if state is None else None
        if self.parts == 1:
            return self.initial(state, states, N, ndim), none
        if type(state) is tuple and len(state) == 2:
            return self.initial(state[0], states, N, ndim), self.initial(state[1], states, N, ndim)
        return None, None

    cdef int make_room(self, Small call) except -1:
        """New arrays for y and the final state."""
        y = self.empty(self.shape(call, self.O), self.dtype)
        call.y, call.y_array = y, self.made(y, self.shape(call, self.O))
        call.h_n, call.c_n, call.state = self.new_state(call)
        return 0

    cdef tuple shape(self, Small call, Py_ssize_t features):
        """The shape of a sequence, laid out as x."""
        if call.packed is not None or not call.batched:
            return call.R, features
        return (call.N, call.T, features) if call.time else (call.T, call.N, features)

    cdef tuple new_state(self, Small call):
        """Its arrays, and the state as the caller gets it."""
        cdef tuple shape = (len(self.weights), self.H)
        none = hold("state", None, False)
        if self.parts == 0:
            return none, none, None
        if call.batched:
            shape = (len(self.weights), call.N, self.H)
        h = self.empty(shape, self.dtype)
        if self.parts == 1:
            return self.made(h, shape), none, h
        c = self.empty(shape, self.dtype)
        return self.made(h, shape), self.made(c, shape), (h, c)

    cdef fr_forward_args *arguments(self, Small call) except NULL:
        """Those of each layer and direction, which live as long as the call."""
        cdef Py_ssize_t part = call.N * self.H * self.itemsize
        cdef int k, D = self.layers.c.n_directions, count = self.layers.count
        cdef fr_forward_args *args = &call.one
        if count > 1:
            call.args = Block(count * sizeof(fr_forward_args))
            args = <fr_forward_args *>call.args.at
        memset(args, 0, count * sizeof(fr_forward_args))
        args.x, args.x_st, args.x_sn = call.x.at(), call.stride(call.x, 0), call.stride(call.x, 1)
        for k in range(count):
            args[k].h_0, args[k].c_0 = at_part(call.h_0, k * part), at_part(call.c_0, k * part)
            args[k].h_n, args[k].c_n = at_part(call.h_n, k * part), at_part(call.c_n, k * part)
            if k >= count - D:
                args[k].y = at_part(call.y_array, k % D * self.H * self.itemsize)
                args[k].y_st, args[k].y_sn = call.stride(call.y_array, 0), call.stride(call.y_array, 1)
        return args

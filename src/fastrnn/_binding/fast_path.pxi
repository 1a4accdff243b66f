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

    cdef int run(self, Py_ssize_t T, Py_ssize_t N, fr_forward_args *args) except -1:
        """All T steps; fills in the packed weights and the state updates."""
        cdef fr_stack stack = self.layers.c
        cdef list packs = [(<Weights>each).current_pack() for each in self.weights]
        cdef list raised = []
        cdef int k, code
        stack.desc.T, stack.desc.N, stack.desc.isa = T, N, (<Pack>packs[0]).desc.isa
        if fr_stack_threads_pay(&stack):
            stack.desc.n_threads = min(<int>self.threads(), FR_MAX_THREADS)
        cdef Block workspace = workspace_for(packs[0], &stack, FR_FORWARD)
        for k in range(self.layers.count):
            if (<Pack>packs[k]).desc.isa != stack.desc.isa:
                raise RuntimeError("set_isa: expected no change during a call, got one from another thread")
            args[k].pack = (<Pack>packs[k]).packed_for(FR_FORWARD, stack.desc.n_threads)
            args[k].state_update = (<Weights>self.weights[k]).state_update.c
        with nogil:
            code = fr_stack_forward(&stack, args, workspace.at, stop_for_signals, <void *>raised)
        finish(code, raised)
        keep_workspace(packs[0], workspace)
        return 0


cdef Py_ssize_t SMALL = 1 << 16  # elements of x or y: beyond it, the overhead of Python code does not matter


cdef class Inference(Bound):
    """All layers and directions of a stack, of one cell and H, on one short sequence.

    parts is 1 for a state h, 2 for (h, c). empty, ndarray and dtype are NumPy's.
    """
    cdef object empty, ndarray, dtype
    cdef bint batch_first
    cdef int parts
    cdef Py_ssize_t H

    def __cinit__(self, weights, int directions, int parts, bint batch_first, threads, empty, ndarray, dtype):
        cdef Weights first
        self.bind(weights, directions, threads)
        self.parts, self.batch_first = parts, batch_first
        first = self.weights[0]
        self.H = first.desc.H
        if parts != 1 + bool(first.cell.has_c):
            raise ValueError(f"parts: expected {1 + bool(first.cell.has_c)} of a state, got {parts}")
        for each in self.weights:
            if ((<Weights>each).desc.cell, (<Weights>each).desc.H) != (first.desc.cell, self.H):
                raise ValueError(f"layers: expected H={self.H} and the cell of the first, got others")
        self.empty, self.ndarray, self.dtype = empty, ndarray, dtype

    def __call__(self, x, state):
        """y and the final state, in new arrays.

        Returns None, having done nothing, if anything about x or the state is unusual. The general path then gives the
        same bits, or says what is wrong.
        """
        if type(x) is not self.ndarray or x.dtype is not self.dtype:
            return None
        cdef Array x_array = hold("x", x, False)
        cdef int ndim = x_array.view.ndim, time = 1 if ndim == 3 and self.batch_first else 0
        if not 2 <= ndim <= 3 or not self.is_ours(x_array) or not has_rows(&x_array.view, self.I):
            return None
        cdef Py_ssize_t T = x_array.view.shape[time], N = x_array.view.shape[1 - time] if ndim == 3 else 1
        cdef Py_ssize_t states = len(self.weights)
        if T == 0 or N == 0 or T > SMALL or N > SMALL or T * N > SMALL // max(self.I, self.O):
            return None
        cdef Array h_0, c_0 = None
        if state is None:
            h_0 = c_0 = hold("state", None, False)
        elif self.parts == 1:
            h_0 = self.initial(state, states, N, ndim)
        elif type(state) is tuple and len(state) == 2:
            h_0, c_0 = self.initial(state[0], states, N, ndim), self.initial(state[1], states, N, ndim)
        else:
            return None
        if h_0 is None or self.parts == 2 and c_0 is None:
            return None

        if ndim == 2:
            y_shape, s_shape = (T, self.O), (states, self.H)
        else:
            y_shape, s_shape = (N, T, self.O) if time else (T, N, self.O), (states, N, self.H)
        y, h_n = self.empty(y_shape, self.dtype), self.empty(s_shape, self.dtype)
        c_n = self.empty(s_shape, self.dtype) if self.parts == 2 else None
        h_array, c_array = self.made(h_n, s_shape), self.made(c_n, s_shape)
        self.run_stack(x_array, self.made(y, y_shape), h_0, c_0, h_array, c_array, time)
        return y, h_n if self.parts == 1 else (h_n, c_n)

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

    cdef int run_stack(self, Array x, Array y, Array h_0, Array c_0, Array h_n, Array c_n, int time) except -1:
        cdef bint batched = x.view.ndim == 3
        cdef Py_ssize_t T = x.view.shape[time], N = x.view.shape[1 - time] if batched else 1
        cdef Py_ssize_t part = N * self.H * self.itemsize
        cdef int k, D = self.layers.c.n_directions, count = self.layers.count
        cdef Block block = Block(count * sizeof(fr_forward_args))
        cdef fr_forward_args *args = <fr_forward_args *>block.at
        memset(args, 0, block.nbytes)
        args.x, args.x_st, args.x_sn = x.at(), x.stride(time), x.stride(1 - time) if batched else 0
        for k in range(count):
            args[k].h_0 = <char *>h_0.at() + k * part if h_0.held else NULL
            args[k].h_n = <char *>h_n.at() + k * part
            if self.parts == 2:
                args[k].c_0 = <char *>c_0.at() + k * part if c_0.held else NULL
                args[k].c_n = <char *>c_n.at() + k * part
            if k >= count - D:
                args[k].y = <char *>y.at() + k % D * self.H * self.itemsize
                args[k].y_st, args[k].y_sn = y.stride(time), y.stride(1 - time) if batched else 0
        return self.run(T, N, args)

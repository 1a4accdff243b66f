# SPDX-License-Identifier: BSD-3-Clause
# The fast path of small inferences: one call for a whole stack.

cdef Block run_whole(Weights weights, fr_forward_args *a, Py_ssize_t T, Py_ssize_t N, bint reverse, threads,
                     Block workspace):
    """One layer and direction, all T steps without a tape; the pack, the workspace and the steps are filled into `a`.

    Returns the workspace, a larger one if necessary; None, having done nothing, if the call is longer than a piece.
    """
    cdef Pack pack = weights.current_pack()
    cdef fr_desc d = pack.desc
    cdef size_t nbytes
    cdef int code
    d.T, d.N, d.reverse, d.masked = T, N, reverse, weights.state_update.mask.held
    weights.state_update.check_fits(&d)
    d.n_threads = min(<int>threads(), FR_MAX_THREADS) if fr_threads_pay(&d) else 1
    check(fr_workspace_bytes(&d, FR_FORWARD, &nbytes))
    if fr_forward_piece(&d, 0) < T:
        return None
    if workspace is None or workspace.nbytes < nbytes:
        workspace = Block(nbytes)
    a.pack, a.workspace, a.state_update = pack.packed_for(FR_FORWARD, d.n_threads), workspace.at, weights.state_update.c
    a.s_lo, a.s_hi = 0, T
    with nogil:
        code = fr_forward(&d, a)
    check(code)
    return workspace


cdef int check_layer(layer, Weights first, Py_ssize_t I, Py_ssize_t H) except -1:
    """Weights of a layer that reads I features, with H units and the cell and dtype of the first one."""
    cdef Weights w = <Weights?>layer
    if (w.desc.cell, w.desc.dtype, w.desc.I, w.desc.H) != (first.desc.cell, first.desc.dtype, I, H):
        raise ValueError(f"weights: expected I={I}, H={H} and the cell and dtype of the first layer, "
                         f"got I={w.desc.I}, H={w.desc.H}")
    return 0


cdef Py_ssize_t SMALL = 1 << 16  # elements of x or y: beyond it, the overhead of Python code does not matter


cdef class Inference:
    """All layers and directions of a stack on one short sequence, without a tape and without lengths.

    weights is a list of Weights, [layer * directions + direction]; parts is 1 for a state h, 2 for (h, c). threads()
    gives the number of threads to use now; empty, ndarray and dtype are NumPy's.
    """
    cdef list weights
    cdef object threads, empty, ndarray, dtype
    cdef bint batch_first
    cdef int layers, directions, parts
    cdef Py_ssize_t I, H, itemsize

    def __cinit__(self, weights, int directions, int parts, bint batch_first, threads, empty, ndarray, dtype):
        self.weights, self.directions, self.parts, self.batch_first = list(weights), directions, parts, batch_first
        if directions not in (1, 2) or not self.weights or len(self.weights) % directions:
            raise ValueError(f"weights: expected {directions} of 1 or 2 directions for each layer, "
                             f"got {len(self.weights)}")
        cdef Weights first = <Weights?>self.weights[0]
        self.layers = len(self.weights) // directions
        self.I, self.H = first.desc.I, first.desc.H
        self.itemsize = 4 if first.desc.dtype == FR_F32 else 8
        if parts != 1 + bool(first.cell.has_c):
            raise ValueError(f"parts: expected {1 + bool(first.cell.has_c)} of a state, got {parts}")
        for k in range(len(self.weights)):
            check_layer(self.weights[k], first, self.I if k < directions else directions * self.H, self.H)
        self.threads, self.empty, self.ndarray, self.dtype = threads, empty, ndarray, dtype

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
        cdef Py_ssize_t width = self.directions * self.H, states = self.layers * self.directions
        if T == 0 or N == 0 or T > SMALL or N > SMALL or T * N > SMALL // max(self.I, width):
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
            y_shape, s_shape = (T, width), (states, self.H)
        else:
            y_shape, s_shape = (N, T, width) if time else (T, N, width), (states, N, self.H)
        y, h_n = self.empty(y_shape, self.dtype), self.empty(s_shape, self.dtype)
        c_n = self.empty(s_shape, self.dtype) if self.parts == 2 else None
        h_array, c_array = self.made(h_n, s_shape), self.made(c_n, s_shape)
        if not self.run(x_array, self.made(y, y_shape), h_0, c_0, h_array, c_array, time):
            return None
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

    cdef bint run(self, Array x, Array y, Array h_0, Array c_0, Array h_n, Array c_n, int time) except -1:
        cdef fr_forward_args a
        cdef Block workspace = None
        cdef int layer, direction, k
        cdef bint batched = x.view.ndim == 3
        cdef Py_ssize_t T = x.view.shape[time], N = x.view.shape[1 - time] if batched else 1
        cdef Py_ssize_t width = self.directions * self.H, part = N * self.H * self.itemsize
        memset(&a, 0, sizeof(a))
        a.x, a.x_st, a.x_sn = x.at(), x.stride(time), x.stride(1 - time) if batched else 0
        spare = [Block(T * N * width * self.itemsize) for _ in range(min(self.layers - 1, 2))]
        for layer in range(self.layers):
            if layer + 1 < self.layers:
                a.y, a.y_st, a.y_sn = (<Block>spare[layer % 2]).at, N * width, width
            else:
                a.y, a.y_st, a.y_sn = y.at(), y.stride(time), y.stride(1 - time) if batched else 0
            for direction in range(self.directions):
                k = layer * self.directions + direction
                a.h_0 = <char *>h_0.at() + k * part if h_0.held else NULL
                a.c_0 = <char *>c_0.at() + k * part if self.parts == 2 and c_0.held else NULL
                a.h_n = <char *>h_n.at() + k * part
                a.c_n = <char *>c_n.at() + k * part if self.parts == 2 else NULL
                workspace = run_whole(self.weights[k], &a, T, N, direction, self.threads, workspace)
                if workspace is None:
                    return False
                a.y = <char *>a.y + self.H * self.itemsize
            a.x, a.x_st, a.x_sn = <char *>a.y - width * self.itemsize, a.y_st, a.y_sn
        return True

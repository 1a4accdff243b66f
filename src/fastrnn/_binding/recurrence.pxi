# SPDX-License-Identifier: BSD-3-Clause
# How a call runs through time: which rows run at which step, and where they lie.

cdef class Recurrence:
    """How one call runs through time: the same for every layer.

    order is (rows, lengths, first, source, start) of fr_desc, the last two None where rows are whole; or None where
    every row has T steps. reverse runs each row from its end, in direction 0. packed: sequences are (1, R, ...), in the tape's order.
    C goes where the order says, so it is checked, and copied: nobody can write into it during a call.
    """
    cdef Block order  # rows (N), lengths (N), first (T+1), and of parts source (N), start (N)
    cdef Py_ssize_t T, N  # of the order
    cdef bint reverse, packed, parts
    cdef int n_threads

    def __cinit__(self, order, bint reverse, int n_threads, bint packed=False):
        self.reverse, self.packed = reverse, packed
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
        """Fills in what the layers of a call share: one that reads x (T, N, I), or (1, R, I), and begins with `pack`."""
        d[0] = pack.desc
        if x.ndim != 3:
            raise ValueError(f"x: expected (T, N, {d.I}), got {described(x)}")
        d.T, d.N, d.packed = x.shape[0], x.shape[1], self.packed
        if self.packed:
            d.T, d.N = self.T, self.N
        d.reverse, d.n_threads = self.reverse, self.n_threads
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

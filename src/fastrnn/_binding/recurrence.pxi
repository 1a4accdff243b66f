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

    cdef Py_ssize_t steps(self) noexcept:
        """R, the steps of all rows of the order."""
        return (<fr_idx *>self.order.at)[2 * self.N + self.T]

    cdef void describe_rows(self, fr_desc *d) noexcept:
        """Fills in the order."""
        d.packed = self.packed
        d.rows = <const fr_idx *>self.order.at
        d.lengths, d.first = d.rows + self.N, d.rows + 2 * self.N

    cdef int describe(self, Pack pack, const Py_buffer *x, fr_desc *d) except -1:
        """Fills in what the layers of a call share: one that reads x (T, N, I), or (1, R, I), and begins with `pack`."""
        d[0] = pack.desc
        if x.ndim != 3:
            raise ValueError(f"x: expected (T, N, {d.I}), got {described(x)}")
        d.T, d.N = x.shape[0], x.shape[1]
        if self.packed:
            d.T, d.N = self.T, self.N
        d.reverse, d.n_threads = self.reverse, self.n_threads
        if self.order is None:
            return 0
        self.describe_rows(d)
        if self.packed and (x.shape[0], x.shape[1]) != (1, self.steps()):
            raise ValueError(f"x: expected (1, {self.steps()}, {d.I}), got {described(x)}")
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


cdef fused Bits:
    uint32_t
    uint64_t


cdef inline bint are_zero(const Bits *number, Py_ssize_t n) noexcept nogil:
    """Are n floats of so many bits all 0, of either sign? It stops at the first of a block, mostly the very first."""
    cdef Py_ssize_t begin = 0, end, j
    cdef Bits seen
    while begin < n:
        if number[begin] << 1:
            return False
        seen, end = 0, min(begin + 64, n)
        for j in range(begin, end):  # without an exit, so that it takes vectors
            seen |= number[j] << 1
        if seen:
            return False
        begin = end
    return True


cdef inline bint is_zero(const void *row, Py_ssize_t n, bint single) noexcept nogil:
    return are_zero(<const uint32_t *>row, n) if single else are_zero(<const uint64_t *>row, n)


cdef bint all_end_with_gradient(const Py_buffer *dy) noexcept nogil:
    """Is no row of the last step of dy (T, N, F) all 0, or is there no step?"""
    cdef Py_ssize_t N = dy.shape[1], F = dy.shape[2], stride = dy.strides[1], last = dy.shape[0] - 1, n
    cdef const char *row = <const char *>dy.buf
    cdef bint single = dy.itemsize == sizeof(float)
    if last < 0:
        return True
    row += last * dy.strides[0]
    for n in range(N):
        if is_zero(row, F, single):
            return False
        row += stride
    return True


def gradient_lengths(dy):
    """Of each row of dy (T, N, F), how many steps it has up to the last that is not all 0; None if all have T.

    They are N numbers of the size of a pointer.
    """
    cdef Array of = hold("dy", dy, False)
    cdef const Py_buffer *v = &of.view
    cdef Py_ssize_t n, t
    cdef Py_ssize_t *length
    cdef const char *row
    cdef bint full
    of.required("dy")
    if v.ndim != 3:
        raise ValueError(f"dy: expected (T, N, F), got {described(v)}")
    of.rows("dy", c"f" if is_kind(v, c"f") else c"d", v.shape[0], v.shape[1], v.shape[2])
    with nogil:
        full = all_end_with_gradient(v)
    if full:
        return None
    cdef Block lengths = Block(v.shape[1] * sizeof(Py_ssize_t))
    length = <Py_ssize_t *>lengths.at
    with nogil:
        for n in range(v.shape[1]):
            row, t = <const char *>v.buf + n * v.strides[1], v.shape[0]
            while t and is_zero(row + (t - 1) * v.strides[0], v.shape[2], v.itemsize == sizeof(float)):
                t -= 1
            length[n] = t
    return lengths


cdef Block order_with_gradient(const Py_buffer *dy):
    """fr_desc's rows, lengths, source, start (k) and first (2) for the k rows of dy (1, N, F) that are not all 0.

    None if all are. Each row is judged once, whoever may write into it meanwhile.
    """
    cdef Py_ssize_t N = dy.shape[1], n, i, k = 0
    cdef fr_idx *at
    cdef fr_idx *source
    if all_end_with_gradient(dy):
        return None
    cdef Block found = Block(N * sizeof(fr_idx)), order
    source = <fr_idx *>found.at
    for n in range(N):
        if not is_zero(<const char *>dy.buf + n * dy.strides[1], dy.shape[2], dy.itemsize == sizeof(float)):
            source[k] = n
            k += 1
    order = Block((4 * k + 2) * sizeof(fr_idx))
    at = <fr_idx *>order.at
    for i in range(k):
        at[i], at[k + i], at[2 * k + i], at[3 * k + i] = i, 1, source[i], 0
    at[4 * k], at[4 * k + 1] = 0, k
    return order

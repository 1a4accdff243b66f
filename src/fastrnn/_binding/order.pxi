# SPDX-License-Identifier: BSD-3-Clause
# Orders of rows by their lengths: what NumPy would compute in ten calls.

cdef Block integers(str name, numbers):
    """A copy of integers (N,) of the size of a pointer, into which nobody writes meanwhile."""
    cdef Array array = hold(name, numbers, False)
    array.required(name)
    array.whole(name, c"n", 1, array.view.shape[0] if array.view.ndim else 0, 0, 0)
    cdef Block copy = Block(array.view.len)
    memcpy(copy.at, array.at(), array.view.len)
    return copy


cdef Block new_order(Py_ssize_t N, Py_ssize_t T, Py_ssize_t R):
    """Room for an order and R further numbers."""
    cdef Py_ssize_t most = <Py_ssize_t>(<size_t>-1 // 128)  # of so many the products below cannot overflow
    if not 0 <= N <= most or not 0 <= T <= most:
        raise ValueError(f"order: expected sizes for which there is memory, got {N} rows and {T} steps")
    return Block((3 * N + T + 1 + R) * sizeof(Py_ssize_t))


cdef int sort_rows(const Py_ssize_t *lengths, Py_ssize_t N, Py_ssize_t T, Py_ssize_t *order) except -1:
    """Writes rows (N), longest first, their lengths (N), first (T+1) as in fr_desc, and the place of each row (N)."""
    cdef Py_ssize_t *ordered = order + N
    cdef Py_ssize_t *first = order + 2 * N
    cdef Py_ssize_t *places = first + T + 1
    cdef Block block = Block((T + 1) * sizeof(Py_ssize_t))
    cdef Py_ssize_t *longer = <Py_ssize_t *>block.at  # how many rows are longer than s: those that run at step s
    cdef Py_ssize_t n, s, of_this, count = 0
    memset(longer, 0, block.nbytes)
    for n in range(N):
        if not 0 <= lengths[n] <= T:
            raise ValueError(f"lengths: expected 0..{T}, got {lengths[n]} for row {n}")
        longer[lengths[n]] += 1
    for s in range(T, -1, -1):
        of_this, longer[s] = longer[s], count
        count += of_this
    first[0] = 0
    for s in range(T):
        first[s + 1] = first[s] + longer[s]
    for n in range(N):  # rows of one length stay in their order
        s = lengths[n]
        places[n] = longer[s]
        order[places[n]], ordered[places[n]] = n, s
        longer[s] += 1
    return 0


def sorted_by_length(lengths, Py_ssize_t T):
    """Of rows of these lengths, in 0..T: the rows (N), longest first, their lengths (N), and first (T+1) as in fr_desc.

    Behind them the place of each row among them (N). All are numbers of the size of a pointer.
    """
    cdef Block copy = integers("lengths", lengths)
    cdef Py_ssize_t N = copy.nbytes // sizeof(Py_ssize_t)
    cdef Block order = new_order(N, T, 0)
    sort_rows(<const Py_ssize_t *>copy.at, N, T, <Py_ssize_t *>order.at)
    return order


def packing(lengths, Py_ssize_t most):
    """The smallest and the largest length, T, and the same of T steps.

    Behind it, of at most so many, R steps: where each packed step is in an array of the rows one after another (R).
    """
    cdef Block copy = integers("lengths", lengths)
    cdef const Py_ssize_t *each = <const Py_ssize_t *>copy.at
    cdef Py_ssize_t N = copy.nbytes // sizeof(Py_ssize_t), n, s, begin = 0, R = 0
    cdef Py_ssize_t shortest = each[0] if N else 0, T = shortest
    for n in range(N):
        shortest, T = min(shortest, each[n]), max(T, each[n])
        R += each[n] if R <= most else 0
    if not 0 < R <= most:
        R = 0
    cdef Block order = new_order(N, T, R)
    cdef Py_ssize_t *first = <Py_ssize_t *>order.at + 2 * N
    cdef Py_ssize_t *places = first + T + 1
    sort_rows(each, N, T, <Py_ssize_t *>order.at)
    for n in range(N if R else 0):
        for s in range(each[n]):
            places[N + first[s] + places[n]] = begin + s
        begin += each[n]
    return shortest, T, order


def order_of_packed(batch_sizes, sorted_indices=None):
    """The same of packed rows, of which so many have each step, and of their numbers; by default 0, 1, ...

    Returns None unless the sizes are positive, none larger than the one before, and the numbers 0..N-1 in some order.
    """
    cdef Block sizes = integers("batch_sizes", batch_sizes)
    cdef Block numbers = None if sorted_indices is None else integers("sorted_indices", sorted_indices)
    cdef const Py_ssize_t *running = <const Py_ssize_t *>sizes.at
    cdef Py_ssize_t T = sizes.nbytes // sizeof(Py_ssize_t), N = running[0] if T else 0, s, i, row
    for s in range(T):
        if not 1 <= running[s] <= running[max(s - 1, 0)]:
            return None
    if numbers is not None and numbers.nbytes // sizeof(Py_ssize_t) != N:
        return None
    cdef Block order = new_order(N, T, 0)
    cdef Py_ssize_t *rows = <Py_ssize_t *>order.at
    cdef Py_ssize_t *first = rows + 2 * N
    cdef Py_ssize_t *places = first + T + 1
    for i in range(N):
        places[i] = -1
    for i in range(N):
        row = i if numbers is None else (<const Py_ssize_t *>numbers.at)[i]
        if not 0 <= row < N or places[row] != -1:
            return None
        rows[i], places[row] = row, i
    first[0] = 0
    for s in range(T):
        first[s + 1] = first[s] + running[s]
        for i in range(running[s + 1] if s + 1 < T else 0, running[s]):
            rows[N + i] = s + 1
    return order

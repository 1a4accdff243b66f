# SPDX-License-Identifier: BSD-3-Clause
# Pooling over time.


def max_pool(x, first, lengths, y, steps):
    """The largest values y (N, F) over the steps of each row, and the first steps that have them, as in fr_max_pool_args.

    x is (T, N, F) with contiguous rows, and first None. Or it is packed, (R, F): step t owns the rows first[t] to
    first[t + 1], one for each row that runs.
    """
    cdef Array x_array = hold("x", x, False), y_array = hold("y", y, True), steps_array = hold("steps", steps, True)
    cdef Array first_array = hold("first", first, False), lengths_array = hold("lengths", lengths, False)
    cdef fr_max_pool_args a
    cdef int code
    x_array.required("x")
    a.dtype, a.isa = FR_F32 if x_array.view.itemsize == 4 else FR_F64, current_isa
    cdef Block begins = steps_of_packed(x_array, first_array, &a) if first_array.held else steps_of_full(x_array, &a)
    lengths_array.required("lengths")
    if not first_array.held:
        lengths_array.whole("lengths", c"n", 1, a.N, 0, 0)
    elif lengths_array.view.ndim != 1 or not is_kind(&lengths_array.view, c"n") or not is_whole(&lengths_array.view):
        raise ValueError(f"lengths: expected a C-ordered (N,) of intp, got {described(&lengths_array.view)}")
    else:
        a.N = lengths_array.view.shape[0]
    check_values("lengths", lengths_array, a.N, 0, a.T)
    a.lengths = <const fr_idx *>lengths_array.at()
    if first_array.held:
        check_running(first_array, &a)
    for name, array, kind in (("y", y_array, kind_of(a.dtype)), ("steps", steps_array, c"n")):
        (<Array>array).required(name)
        (<Array>array).whole(name, kind, 2, a.N, a.F, 0)
    a.x, a.first, a.y, a.steps = x_array.at(), <const fr_idx *>begins.at, y_array.at(), <fr_idx *>steps_array.at()
    with nogil:
        code = fr_max_pool(&a)
    check(code)


cdef Block steps_of_full(Array x, fr_max_pool_args *a):
    """Where each step of x (T, N, F) begins, in numbers."""
    cdef Py_ssize_t t
    if x.view.ndim != 3:
        raise ValueError(f"x: expected (T, N, F), got {described(&x.view)}")
    a.T, a.N, a.F, a.x_sn = x.view.shape[0], x.view.shape[1], x.view.shape[2], x.stride(1)
    x.rows("x", kind_of(a.dtype), a.T, a.N, a.F)
    cdef Block block = Block(a.T * sizeof(fr_idx))
    for t in range(a.T):
        (<fr_idx *>block.at)[t] = t * x.stride(0)
    return block


cdef Block steps_of_packed(Array x, Array first, fr_max_pool_args *a):
    """Where each step of packed x (R, F) begins, in numbers."""
    cdef const fr_idx *at = <const fr_idx *>first.at()
    cdef Py_ssize_t t
    if x.view.ndim != 2:
        raise ValueError(f"x: expected (R, F), got {described(&x.view)}")
    a.T, a.F = first.view.shape[0] - 1 if first.view.ndim == 1 else 0, x.view.shape[1]
    a.x_sn = a.F
    first.whole("first", c"n", 1, max(a.T, 0) + 1, 0, 0)
    for t in range(a.T):
        if not (t or at[0] == 0) or at[t] > at[t + 1]:
            raise ValueError(f"first: expected rising numbers from 0 on, got {at[t]} and {at[t + 1]}")
    x.whole("x", kind_of(a.dtype), 2, at[a.T], a.F, 0)
    cdef Block block = Block(a.T * sizeof(fr_idx))
    for t in range(a.T):
        (<fr_idx *>block.at)[t] = at[t] * a.F
    return block


cdef int check_running(Array first, const fr_max_pool_args *a) except -1:
    """Each row runs until its last step; the steps before it have at least as many rows."""
    cdef const fr_idx *at = <const fr_idx *>first.at()
    cdef Py_ssize_t n, t
    for t in range(1, a.T):
        if at[t + 1] - at[t] > at[t] - at[t - 1]:
            raise ValueError(f"first: expected no more rows at step {t} than before, got {at[t + 1] - at[t]}")
    for n in range(a.N):
        t = a.lengths[n]
        if t and n >= at[t] - at[t - 1]:
            raise ValueError(f"lengths: expected the longest first, got {t} for row {n}, which does not run so long")
    return 0

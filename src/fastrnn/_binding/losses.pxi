# SPDX-License-Identifier: BSD-3-Clause
# Losses of softmax, with their gradients.

# Logits between two looks at Ctrl-C: a tenth of a second at 3 ns each, as with vectors of 128 bits. A state of CTC's
# lattice takes as long as 4 of them.
cdef enum:
    PIECE_LOGITS = 1 << 25
    STATE_LOGITS = 4


cdef fr_idx piece_rows(double logits, int n_threads) noexcept:
    """How many rows of so many logits are a piece; at least one for each thread."""
    cdef double rows = PIECE_LOGITS / max(logits, 1)
    return <fr_idx>max(rows, <double>n_threads)


cdef int check_values(str name, Array array, Py_ssize_t count, fr_idx low, fr_idx high) except -1:
    """The first `count` of these intp are in low..high."""
    cdef const fr_idx *at = <const fr_idx *>array.at()
    cdef Py_ssize_t i
    for i in range(count):
        if not low <= at[i] <= high:
            raise ValueError(f"{name}: expected {low}..{high}, got {at[i]}")
    return 0


def cross_entropy(z, target, peak, spread, scale, dz, losses, int n_threads):
    """Losses (M) and their gradient dz (M, V), as in fr_cross_entropy_args; spread is (M, V), (V,) for all rows, or None.

    A target of -1 is a row that does not count. dz may be z.
    """
    cdef Array z_array = hold("z", z, False), dz_array = hold("dz", dz, True)
    cdef Array target_array = hold("target", target, False), peak_array = hold("peak", peak, False)
    cdef Array spread_array = hold("spread", spread, False), scale_array = hold("scale", scale, False)
    cdef Array losses_array = hold("losses", losses, True)
    cdef fr_cross_entropy_args a
    cdef int code
    a.dtype, a.isa, a.n_threads = dtype_of("z", z_array), current_isa, min(n_threads, FR_MAX_THREADS)
    if z_array.view.ndim != 2:
        raise ValueError(f"z: expected (M, V), got {described(&z_array.view)}")
    a.M, a.V = z_array.view.shape[0], z_array.view.shape[1]
    target_array.required("target")
    target_array.whole("target", c"n", 1, a.M, 0, 0)
    for name, array in (("peak", peak_array), ("scale", scale_array), ("losses", losses_array)):
        (<Array>array).required(name)
        (<Array>array).whole(name, c"d", 1, a.M, 0, 0)
    dz_array.required("dz")
    dz_array.whole("dz", kind_of(a.dtype), 2, a.M, a.V, 0)
    a.spread_s = a.V if spread_array.view.ndim == 2 else 0
    if a.spread_s:
        spread_array.whole("spread", kind_of(a.dtype), 2, a.M, a.V, 0)
    else:
        spread_array.whole("spread", kind_of(a.dtype), 1, a.V, 0, 0)
    check_values("target", target_array, a.M, -1, a.V - 1)
    a.z, a.target, a.spread = z_array.at(), <const fr_idx *>target_array.at(), spread_array.at()
    a.peak, a.scale = <const double *>peak_array.at(), <const double *>scale_array.at()
    a.dz, a.losses = dz_array.at(), <double *>losses_array.at()
    a.lo = a.hi = 0
    while a.hi < a.M:
        a.lo, a.hi = a.hi, min(a.M, a.hi + piece_rows(a.V, a.n_threads))
        with nogil:
            code = fr_cross_entropy(&a)
        check(code)
        PyErr_CheckSignals()


def ctc(z, tuple rows, blank, bint zero_infinity, scale, dz, losses, int n_threads):
    """Losses (N) and their gradient dz (T, N, V), as in fr_ctc_args; z and dz may have strides but of the last axis.

    rows is (labels (N, S), how many each row has (N), steps of each row (N)).
    """
    cdef Array z_array = hold("z", z, False), dz_array = hold("dz", dz, True)
    cdef Array scale_array = hold("scale", scale, False), losses_array = hold("losses", losses, True)
    cdef Array labels = hold("labels", rows[0], False), counts = hold("counts", rows[1], False)
    cdef Array steps = hold("steps", rows[2], False)
    cdef fr_ctc_args a
    z_array.required("z")
    if z_array.view.ndim != 3:
        raise ValueError(f"z: expected (T, N, V), got {described(&z_array.view)}")
    a.T, a.N, a.V = z_array.view.shape[0], z_array.view.shape[1], z_array.view.shape[2]
    a.dtype, a.isa = FR_F32 if z_array.view.itemsize == 4 else FR_F64, current_isa
    a.n_threads = min(n_threads, FR_MAX_THREADS)
    z_array.rows("z", kind_of(a.dtype), a.T, a.N, a.V)
    dz_array.required("dz")
    dz_array.rows("dz", kind_of(a.dtype), a.T, a.N, a.V)
    labels.required("labels")
    a.S = labels.view.shape[1] if labels.view.ndim == 2 else 0
    labels.whole("labels", c"n", 2, a.N, a.S, 0)
    for name, array in (("counts", counts), ("steps", steps), ("scale", scale_array), ("losses", losses_array)):
        (<Array>array).required(name)
        (<Array>array).whole(name, c"n" if array is counts or array is steps else c"d", 1, a.N, 0, 0)
    check_values("counts", counts, a.N, 0, a.S)
    check_values("steps", steps, a.N, 0, a.T)
    check_values("labels", labels, a.N * a.S, 0, a.V - 1)
    a.blank, a.zero_infinity = blank, zero_infinity
    a.z, a.z_st, a.z_sn = z_array.at(), z_array.stride(0), z_array.stride(1)
    a.dz, a.dz_st, a.dz_sn = dz_array.at(), dz_array.stride(0), dz_array.stride(1)
    a.labels, a.counts, a.steps = <const fr_idx *>labels.at(), <const fr_idx *>counts.at(), <const fr_idx *>steps.at()
    a.scale, a.losses = <const double *>scale_array.at(), <double *>losses_array.at()
    run_ctc(&a)


cdef int run_ctc(fr_ctc_args *a) except -1:
    """All rows, with memory for the call."""
    cdef size_t nbytes = 0
    cdef int code
    check(fr_ctc_bytes(a, &nbytes))
    cdef Block workspace = Block(nbytes)
    cdef fr_idx rows = piece_rows(<double>a.T * (a.V + STATE_LOGITS * (2 * a.S + 1)), a.n_threads)
    a.workspace = workspace.at
    a.lo = a.hi = 0
    while a.hi < a.N:
        a.lo, a.hi = a.hi, min(a.N, a.hi + rows)
        with nogil:
            code = fr_ctc(a)
        check(code)
        PyErr_CheckSignals()
    return 0

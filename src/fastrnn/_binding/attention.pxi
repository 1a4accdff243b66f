# SPDX-License-Identifier: BSD-3-Clause
# Attention of queries to a memory, forward and backward.

# Elements of (S, N, T, K), where scores are of tanh, between two looks at Ctrl-C: a tenth of a second at 1 ns each, three
# with vectors of 128 bits. A product takes less.
cdef enum:
    PIECE_PAIRS = 1 << 27


cdef int strided(str name, Array array, fr_dtype dtype, tuple shape, fr_attention_rows *rows) except -1:
    """`rows` becomes that array, which must have this shape (S, N, features) if it is not None."""
    array.rows(name, kind_of(dtype), shape[0], shape[1], shape[2])
    rows.at, rows.st, rows.sn = array.at(), array.stride(0), array.stride(1)
    return 0


cdef int check_steps(Array lengths, fr_idx N, fr_idx T) except -1:
    """None, or how many of T steps each of N rows has."""
    lengths.whole("lengths", c"n", 1, N, 0, 0)
    if lengths.held:
        check_values("lengths", lengths, N, 0, T)
    return 0


cdef class HeldMemory:
    """A memory for the time of a call: (keys (N, T, K), values (N, T, M), v (K) or None, lengths (N) or None)."""
    cdef Array keys, values, v, lengths

    def __cinit__(self, memory):
        keys, values, v, lengths = memory
        self.keys, self.values = hold("keys", keys, False), hold("values", values, False)
        self.v, self.lengths = hold("v", v, False), hold("lengths", lengths, False)

    cdef int describe(self, fr_attention_args *a, Array query) except -1:
        """What does not depend on the pass; S is that of the query."""
        cdef Py_buffer *k = &self.keys.view
        a.dtype, a.isa = dtype_of("keys", self.keys), current_isa
        if k.ndim != 3:
            raise ValueError(f"keys: expected (N, T, K), got {described(k)}")
        a.N, a.T, a.K = k.shape[0], k.shape[1], k.shape[2]
        self.values.required("values")
        a.M = self.values.view.shape[2] if self.values.view.ndim == 3 else 0
        self.values.whole("values", kind_of(a.dtype), 3, a.N, a.T, a.M)
        self.v.whole("v", kind_of(a.dtype), 1, a.K, 0, 0)
        check_steps(self.lengths, a.N, a.T)
        query.required("query")
        a.S = query.view.shape[0] if query.view.ndim == 3 else 0
        strided("query", query, a.dtype, (a.S, a.N, a.K), &a.query)
        a.keys, a.values, a.v = self.keys.at(), self.values.at(), self.v.at()
        a.lengths = <const fr_idx *>self.lengths.at()
        return 0


cdef void advance(fr_attention_rows *rows, fr_idx s, fr_idx itemsize) noexcept:
    """Begin at a later query."""
    if rows.at != NULL:
        rows.at = <char *>rows.at + s * rows.st * itemsize


cdef int run_attention(fr_attention_args *a, bint back) except -1:
    """All queries, so many at a time, each of all rows."""
    cdef fr_idx S = a.S, itemsize = 4 if a.dtype == FR_F32 else 8
    cdef double pairs = <double>a.N * a.T * max(a.K, a.M)
    cdef fr_idx at_once = <fr_idx>max(PIECE_PAIRS / max(pairs, 1), 1)
    cdef int code
    while True:
        a.S = min(S, at_once)
        with nogil:
            code = fr_attention_backward(a) if back else fr_attention_forward(a)
        check(code)
        PyErr_CheckSignals()
        S -= a.S
        if S <= 0:
            return 0
        advance(&a.query, a.S, itemsize)
        advance(&a.weights, a.S, itemsize)
        advance(&a.context, a.S, itemsize)
        advance(&a.dcontext, a.S, itemsize)
        advance(&a.dweights, a.S, itemsize)
        advance(&a.dscores, a.S, itemsize)
        advance(&a.dquery, a.S, itemsize)


def attention(memory, query, context, weights, int n_threads):
    """What queries (S, N, K) take from a memory: context (S, N, M) and weights (S, N, T), as in fr_attention_args.

    memory is (keys (N, T, K), values (N, T, M), v (K) or None, lengths (N) or None). The others may have strides but of
    the last axis.
    """
    cdef HeldMemory held = HeldMemory(memory)
    cdef Array query_array = hold("query", query, False)
    cdef Array context_array = hold("context", context, True), weights_array = hold("weights", weights, True)
    cdef fr_attention_args a
    memset(&a, 0, sizeof(a))
    held.describe(&a, query_array)
    context_array.required("context")
    weights_array.required("weights")
    strided("context", context_array, a.dtype, (a.S, a.N, a.M), &a.context)
    strided("weights", weights_array, a.dtype, (a.S, a.N, a.T), &a.weights)
    a.n_threads = min(n_threads, FR_MAX_THREADS)
    run_attention(&a, False)


def attention_back(memory, tuple passed, tuple upstream, tuple results, int n_threads):
    """Back through `attention`, as in fr_attention_args.

    passed is (query, weights), upstream (dcontext, dweights or None), results (dscores (S, N, T), dquery, dhidden (N, T,
    K), dv (N, K)), of which the last two are None without a v.
    """
    cdef HeldMemory held = HeldMemory(memory)
    cdef Array query = hold("query", passed[0], False), weights = hold("weights", passed[1], False)
    cdef Array dcontext = hold("dcontext", upstream[0], False), dweights = hold("dweights", upstream[1], False)
    cdef Array dscores = hold("dscores", results[0], True), dquery = hold("dquery", results[1], True)
    cdef Array dhidden = hold("dhidden", results[2], True), dv = hold("dv", results[3], True)
    cdef fr_attention_args a
    memset(&a, 0, sizeof(a))
    held.describe(&a, query)
    for name, array in (("weights", weights), ("dcontext", dcontext), ("dscores", dscores), ("dquery", dquery)):
        (<Array>array).required(name)
    if a.v != NULL:
        dhidden.required("dhidden")
        dv.required("dv")
    strided("weights", weights, a.dtype, (a.S, a.N, a.T), &a.weights)
    strided("dcontext", dcontext, a.dtype, (a.S, a.N, a.M), &a.dcontext)
    strided("dweights", dweights, a.dtype, (a.S, a.N, a.T), &a.dweights)
    strided("dscores", dscores, a.dtype, (a.S, a.N, a.T), &a.dscores)
    strided("dquery", dquery, a.dtype, (a.S, a.N, a.K), &a.dquery)
    dhidden.whole("dhidden", kind_of(a.dtype), 3, a.N, a.T, a.K)
    dv.whole("dv", kind_of(a.dtype), 2, a.N, a.K, 0)
    a.dhidden, a.dv = dhidden.at(), dv.at()
    a.n_threads = min(n_threads, FR_MAX_THREADS)
    run_attention(&a, True)


def attention_outer(columns, rows, lengths, total, int n_threads):
    """total (N, T, M) += sum over s of columns (S, N, T) times rows (S, N, M), as in fr_attention_outer_args."""
    cdef Array columns_array = hold("columns", columns, False), rows_array = hold("rows", rows, False)
    cdef Array lengths_array = hold("lengths", lengths, False), total_array = hold("total", total, True)
    cdef fr_attention_outer_args a
    cdef Py_buffer *shape = &total_array.view
    cdef fr_idx S, itemsize, at_once
    cdef int code
    a.dtype, a.isa, a.n_threads = dtype_of("total", total_array), current_isa, min(n_threads, FR_MAX_THREADS)
    if shape.ndim != 3:
        raise ValueError(f"total: expected (N, T, M), got {described(shape)}")
    a.N, a.T, a.M = shape.shape[0], shape.shape[1], shape.shape[2]
    columns_array.required("columns")
    rows_array.required("rows")
    S = columns_array.view.shape[0] if columns_array.view.ndim == 3 else 0
    strided("columns", columns_array, a.dtype, (S, a.N, a.T), &a.columns)
    strided("rows", rows_array, a.dtype, (S, a.N, a.M), &a.rows)
    check_steps(lengths_array, a.N, a.T)
    a.lengths, a.total = <const fr_idx *>lengths_array.at(), total_array.at()
    itemsize = total_array.view.itemsize
    at_once = <fr_idx>max(PIECE_PAIRS / max(<double>a.N * a.T * a.M, 1), 1)
    while S > 0:
        a.S = min(S, at_once)
        with nogil:
            code = fr_attention_outer(&a)
        check(code)
        PyErr_CheckSignals()
        advance(&a.columns, a.S, itemsize)
        advance(&a.rows, a.S, itemsize)
        S -= a.S

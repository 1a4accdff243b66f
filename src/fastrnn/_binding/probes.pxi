# SPDX-License-Identifier: BSD-3-Clause
# Single kernels and the limits of the machine, for tests and benchmarks.

ACTS = {fr_act_name(k).decode(): k for k in range(FR_N_ACTS)}


cdef int check_like(str name, Array array, str other, Array model) except -1:
    """It is None, or has the shape and the numbers of another array."""
    if array.held and (dtype_of(name, array) != dtype_of(other, model) or not same_shape(&array.view, &model.view)):
        raise ValueError(f"{name}: expected {described(&model.view)}, as {other}, got {described(&array.view)}")
    return 0


def activation(str name, x, y):
    """y[...] = name(x) on the current engine; x and y are C-ordered arrays of one dtype."""
    cdef Array x_array = hold("x", x, False), y_array = hold("y", y, True)
    cdef fr_dtype dtype = dtype_of("x", x_array)
    cdef Py_ssize_t n = x_array.view.len // x_array.view.itemsize
    y_array.required("y")
    check_like("y", y_array, "x", x_array)
    check(fr_test_act(current_isa, dtype, <fr_act><int>ACTS[name], n, x_array.at(), y_array.at()))


def gemm(a, b, c, int vectors=4):
    """c (m, n) += a (m, k) b (k, n) on the current engine; C-ordered arrays of a dtype, b in panels of 1..4 vectors."""
    cdef Array a_array = hold("a", a, False), b_array = hold("b", b, False), c_array = hold("c", c, True)
    cdef fr_test_gemm_args g
    cdef size_t nbytes
    g.dtype, g.isa, g.nv = dtype_of("a", a_array), current_isa, vectors
    b_array.required("b")
    c_array.required("c")
    if a_array.view.ndim != 2 or b_array.view.ndim != 2:
        got = f"{described(&a_array.view)} and {described(&b_array.view)}"
        raise ValueError(f"a, b: expected (m, k) and (k, n), got {got}")
    g.m, g.n, g.k = a_array.view.shape[0], b_array.view.shape[1], a_array.view.shape[1]
    a_array.whole("a", kind_of(g.dtype), 2, g.m, g.k, 0)
    b_array.whole("b", kind_of(g.dtype), 2, g.k, g.n, 0)
    c_array.whole("c", kind_of(g.dtype), 2, g.m, g.n, 0)
    if c_array.view.len == 0:
        return
    g.a, g.b, g.c = a_array.at(), b_array.at(), c_array.at()
    check(fr_test_gemm_bytes(&g, &nbytes))
    cdef Block workspace = Block(nbytes)
    g.workspace = workspace.at
    check(fr_test_gemm(&g))


def plan(Recurrence recurrence not None, str cell, sizes, int dtype=0, bint backward=False, caches=None):
    """How a call would be divided among threads: (groups of rows, of units, modelled seconds) on the current engine.

    sizes is (T, N, I, H). caches is (l1, l2, l3) of a core, in bytes; None: of this machine.
    """
    cdef fr_desc d
    cdef size_t given[3]
    cdef int grid[2]
    cdef double seconds = 0
    memset(&d, 0, sizeof(d))
    d.cell, d.dtype, d.isa = <fr_cell><int>CELLS[cell][0], <fr_dtype>dtype, current_isa
    d.T, d.N, d.I, d.H = sizes
    d.n_threads = recurrence.n_threads
    if recurrence.order is not None:
        d.T, d.N, d.rows = recurrence.T, recurrence.N, <const fr_idx *>recurrence.order.at
        d.lengths, d.first = d.rows + d.N, d.rows + 2 * d.N
    if caches is not None:
        given[0], given[1], given[2] = caches
    check(fr_test_plan(&d, FR_BACKWARD if backward else FR_FORWARD, NULL if caches is None else given, grid, &seconds))
    return grid[0], grid[1], seconds


PROBES = {fr_probe_name(k).decode(): k for k in range(FR_N_PROBES)}


def probe(str what, int dtype, size_t nbytes, Py_ssize_t repeats, int n_threads):
    """What the machine allows: (seconds, work), and the work is operations, bytes read, or barriers.

    dtype is 0 for float32, 1 for float64. Each of n_threads threads reads nbytes (>= 512) of its own, `repeats` times.
    """
    if nbytes > 512 and nbytes % 8:
        raise ValueError(f"nbytes: expected a multiple of 8, got {nbytes}")
    if not 1 <= n_threads <= FR_MAX_THREADS:
        raise ValueError(f"n_threads: expected 1..{FR_MAX_THREADS}, got {n_threads}")
    cdef Block buffer = Block(<object>nbytes * n_threads)
    cdef fr_probe which = <fr_probe><int>PROBES[what]
    cdef double work = 0
    cdef int code
    memset(buffer.at, 0, buffer.nbytes)
    start = perf_counter()
    with nogil:
        code = fr_run_probe(current_isa, <fr_dtype>dtype, which, n_threads, nbytes, repeats, buffer.at, &work)
    seconds = perf_counter() - start
    check(code)
    return seconds, work

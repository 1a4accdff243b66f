# SPDX-License-Identifier: BSD-3-Clause
# Single kernels and the limits of the machine, for tests and benchmarks.

ACTS = {fr_act_name(k).decode(): k for k in range(FR_N_ACTS)}


def activation(str name, x, y):
    """y[...] = name(x) on the current engine; x and y are C-ordered arrays of one dtype."""
    cdef Array x_array = Array(x), y_array = Array(y, True)
    cdef Py_ssize_t n = x_array.view.len // x_array.view.itemsize
    check(fr_test_act(current_isa, dtype_of(x_array), <fr_act><int>ACTS[name], n, x_array.at(), y_array.at()))


def gemm(a, b, c, int vectors=4):
    """c (m, n) += a (m, k) b (k, n) on the current engine; C-ordered arrays of a dtype, b in panels of 1..4 vectors."""
    cdef Array a_array = Array(a), b_array = Array(b), c_array = Array(c, True)
    cdef fr_test_gemm_args g
    cdef size_t nbytes
    g.dtype, g.isa, g.nv = dtype_of(a_array), current_isa, vectors
    g.m, g.n, g.k = a_array.view.shape[0], b_array.view.shape[1], a_array.view.shape[1]
    g.a, g.b, g.c = a_array.at(), b_array.at(), c_array.at()
    check(fr_test_gemm_bytes(&g, &nbytes))
    cdef Block workspace = Block(nbytes)
    g.workspace = workspace.at
    check(fr_test_gemm(&g))


PROBES = {fr_probe_name(k).decode(): k for k in range(FR_N_PROBES)}


def probe(str what, int dtype, size_t nbytes, Py_ssize_t repeats, int n_threads):
    """What the machine allows: (seconds, work), and the work is operations, bytes read, or barriers.

    dtype is 0 for float32, 1 for float64. Each of n_threads threads reads nbytes (>= 512) of its own, `repeats` times.
    """
    cdef Block buffer = Block(nbytes * n_threads)
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

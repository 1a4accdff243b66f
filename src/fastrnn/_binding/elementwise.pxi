# SPDX-License-Identifier: BSD-3-Clause
# What training does to parameters and gradients beside the passes: whole arrays, element by element.

RULES = {fr_rule_name(k).decode(): k for k in range(FR_N_RULES)}


cdef fr_dtype dtype_of(Array array) noexcept:
    return FR_F32 if array.view.itemsize == 4 else FR_F64


def update(str rule, p, g, m, s, v, int n_threads, double rate, double keep=1, double decay=0,
           double beta1=0, double beta2=0, double root=1, double eps=0, double momentum=0, bint nesterov=False):
    """One step of an optimizer, as in fr_update_args; C-ordered arrays of one shape and dtype, m, s and v may be None.

    Not interrupted by Ctrl-C: a parameter is updated as a whole or not at all.
    """
    cdef Array ap = Array(p, True), ag = Array(g), am = Array(m, m is not None), as_ = Array(s, s is not None)
    cdef Array av = Array(v, v is not None)
    cdef fr_update_args a
    cdef int code
    a.rule, a.dtype, a.isa, a.n_threads = <fr_rule><int>RULES[rule], dtype_of(ap), current_isa, n_threads
    a.n = ap.view.len // ap.view.itemsize
    a.p, a.g, a.m, a.s, a.v = ap.at(), ag.at(), am.at(), as_.at(), av.at()
    a.rate, a.keep, a.decay, a.beta1, a.beta2 = rate, keep, decay, beta1, beta2
    a.root, a.eps, a.momentum, a.nesterov = root, eps, momentum, nesterov
    with nogil:
        code = fr_update(&a)
    check(code)


def sum_of_squares(x):
    """Of a C-ordered array, in double."""
    cdef Array ax = Array(x)
    cdef fr_dtype dtype = dtype_of(ax)
    cdef Py_ssize_t n = ax.view.len // ax.view.itemsize
    cdef void *at = ax.at()
    cdef double total = 0
    cdef int code
    with nogil:
        code = fr_sum_of_squares(current_isa, dtype, n, at, &total)
    check(code)
    return total

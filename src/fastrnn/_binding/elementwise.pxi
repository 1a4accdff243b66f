# SPDX-License-Identifier: BSD-3-Clause
# Updates of parameters and sums over gradients: whole arrays, element by element.

RULES = {fr_rule_name(k).decode(): k for k in range(FR_N_RULES)}


cdef fr_dtype dtype_of(str name, Array array) except *:
    """Of C-ordered floats of any shape; ValueError for anything else."""
    array.required(name)
    cdef const Py_buffer *v = &array.view
    if not (is_kind(v, c"f") or is_kind(v, c"d")) or not is_whole(v):
        raise ValueError(f"{name}: expected a C-ordered array of float32 or float64, got {described(v)}")
    return FR_F32 if v.itemsize == 4 else FR_F64


cdef int check_like(str name, Array array, str other, Array model) except -1:
    """It is None, or has the shape and the numbers of another array."""
    if array.held and (dtype_of(name, array) != dtype_of(other, model) or not same_shape(&array.view, &model.view)):
        raise ValueError(f"{name}: expected {described(&model.view)}, as {other}, got {described(&array.view)}")
    return 0


cdef dict defaults = {
    "keep": 1, "decay": 0, "beta1": 0, "beta2": 0, "root": 1, "eps": 0, "momentum": 0, "nesterov": False,
}


cdef int read_numbers(dict numbers, fr_update_args *a) except -1:
    cdef dict n = {**defaults, **numbers}
    if len(n) != len(defaults) + 1 or "rate" not in n:
        known, got = ", ".join(defaults), ", ".join(numbers) or "nothing"
        raise TypeError(f"update: expected rate and some of {known}, got {got}")
    a.rate, a.keep, a.decay, a.beta1, a.beta2 = n["rate"], n["keep"], n["decay"], n["beta1"], n["beta2"]
    a.root, a.eps, a.momentum, a.nesterov = n["root"], n["eps"], n["momentum"], n["nesterov"]
    return 0


def update(str rule, p, g, m, s, v, int n_threads, **numbers):
    """One step of an optimizer, as in fr_update_args; C-ordered arrays of one shape and dtype, m, s and v may be None.

    numbers are rate and any of keep (1), decay, beta1, beta2, root (1), eps, momentum (0) and nesterov (False). Not
    interrupted by Ctrl-C: a parameter is updated as a whole or not at all.
    """
    cdef Array p_array = hold("p", p, True), g_array = hold("g", g, False)
    cdef Array m_array = hold("m", m, True), s_array = hold("s", s, True), v_array = hold("v", v, True)
    cdef fr_update_args a
    cdef int code
    a.rule, a.dtype, a.isa = <fr_rule><int>RULES[rule], dtype_of("p", p_array), current_isa
    a.n_threads = min(n_threads, FR_MAX_THREADS)
    g_array.required("g")
    if a.rule in (FR_RMSPROP_CENTERED, FR_ADAM):
        m_array.required("m")
    if a.rule != FR_PLAIN:
        s_array.required("s")
    for name, array in (("g", g_array), ("m", m_array), ("s", s_array), ("v", v_array)):
        check_like(name, array, "p", p_array)
    a.n = p_array.view.len // p_array.view.itemsize
    a.p, a.g, a.m, a.s, a.v = p_array.at(), g_array.at(), m_array.at(), s_array.at(), v_array.at()
    read_numbers(numbers, &a)
    with nogil:
        code = fr_update(&a)
    check(code)


def sum_of_squares(x):
    """Of a C-ordered array, in double."""
    cdef Array array = hold("x", x, False)
    cdef fr_dtype dtype = dtype_of("x", array)
    cdef Py_ssize_t n = array.view.len // array.view.itemsize
    cdef void *at = array.at()
    cdef double total = 0
    cdef int code
    with nogil:
        code = fr_sum_of_squares(current_isa, dtype, n, at, &total)
    check(code)
    return total

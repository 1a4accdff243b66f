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


cdef dict defaults = {
    "keep": 1, "decay": 0, "beta1": 0, "beta2": 0, "root": 1, "eps": 0, "momentum": 0, "nesterov": False,
}


cdef class Rule:
    """A rule of RULES with its numbers, of fr_update_args.

    They are rate and any of keep (1), decay, beta1, beta2, root (1), eps, momentum (0) and nesterov (False).
    """
    cdef fr_update_args a

    def __cinit__(self, str rule, **numbers):
        cdef dict n = {**defaults, **numbers}
        if len(n) != len(defaults) + 1 or "rate" not in n:
            known, got = ", ".join(defaults), ", ".join(numbers) or "nothing"
            raise TypeError(f"Rule: expected rate and some of {known}, got {got}")
        self.a.rule = <fr_rule><int>RULES[rule]
        self.a.rate, self.a.keep, self.a.decay, self.a.beta1 = n["rate"], n["keep"], n["decay"], n["beta1"]
        self.a.beta2, self.a.root, self.a.eps, self.a.momentum = n["beta2"], n["root"], n["eps"], n["momentum"]
        self.a.nesterov = n["nesterov"]


cdef bint is_like(Array array, Array model) noexcept:
    """Is it NULL, or a C-ordered array of the shape and the numbers of another?"""
    cdef const Py_buffer *v = &array.view
    return not array.held or (v.itemsize == model.view.itemsize and same_shape(v, &model.view) and is_whole(v) and
                              (is_kind(v, c"f") or is_kind(v, c"d")))


cdef list held_parameter(Rule rule, tuple arrays, fr_update_args *a):
    """Pointers to p, g, m, s and v, which are filled in; None if one is not what the rule takes."""
    cdef list held = []
    cdef Array array, p
    for k, each in enumerate(arrays):
        try:
            held.append(hold("pgmsv"[k], each, k != 1))
        except (TypeError, ValueError):
            return None
    p = held[0]
    for array in held:
        if not is_like(array, p):
            return None
    a[0] = rule.a
    a.dtype, a.isa = FR_F32 if p.view.itemsize == 4 else FR_F64, current_isa
    a.n = p.view.len // p.view.itemsize if p.held else 0
    a.p, a.g, a.m = p.at(), (<Array>held[1]).at(), (<Array>held[2]).at()
    a.s, a.v = (<Array>held[3]).at(), (<Array>held[4]).at()
    if not p.held or not (<Array>held[1]).held or a.rule != FR_PLAIN and not (<Array>held[3]).held:
        return None
    return None if a.rule in (FR_RMSPROP_CENTERED, FR_ADAM) and not (<Array>held[2]).held else held


def update(list parameters not None, int n_threads):
    """One step of an optimizer, of (Rule, p, g, m, s, v) for each parameter; m, s and v as fr_update_args has them.

    Returns False, having done nothing, unless the arrays are those of the rules, C-ordered and of one shape and dtype
    for each parameter. Not interrupted by Ctrl-C: all parameters are updated, or none.
    """
    cdef Py_ssize_t k, count = len(parameters)
    cdef Block block = Block(count * sizeof(fr_update_args))
    cdef fr_update_args *args = <fr_update_args *>block.at
    cdef list kept = []
    cdef int code
    for k in range(count):
        rule, p, g, m, s, v = parameters[k]
        held = held_parameter(<Rule?>rule, (p, g, m, s, v), args + k)
        if held is None:
            return False
        kept.append(held)
        args[k].n_threads = min(n_threads, FR_MAX_THREADS)
    with nogil:
        code = fr_update(count, args)
    check(code)
    return True


def sums_of_squares(list arrays not None):
    """Of each of several C-ordered arrays, in double."""
    cdef list sums = []
    cdef double total = 0
    cdef Array array
    cdef fr_dtype dtype
    cdef Py_ssize_t n
    cdef void *at
    cdef int code
    for each in arrays:
        array = hold("x", each, False)
        dtype = dtype_of("x", array)
        n, at = array.view.len // array.view.itemsize, array.at()
        with nogil:
            code = fr_sum_of_squares(current_isa, dtype, n, at, &total)
        check(code)
        sums.append(total)
    return sums


def set_to_zero(list arrays not None):
    """Set every element of arrays to 0.

    Returns False, having done nothing, unless they are C-ordered floats that can be written.
    """
    cdef list held = []
    cdef Array array
    for each in arrays:
        try:
            array = hold("x", each, True)
        except (TypeError, ValueError):
            return False
        if not array.held or not is_like(array, array):
            return False
        held.append(array)
    for array in held:
        with nogil:
            memset(array.view.buf, 0, array.view.len)
    return True

# SPDX-License-Identifier: BSD-3-Clause
# One call at a time.

cdef class Exclusive:
    """Used as ``with exclusive:`` by one call at a time; another one meanwhile raises RuntimeError."""
    cdef bint in_use
    cdef bint running  # in a call of C, which nobody can end from outside as `__exit__` ends in_use
    cdef str refusal  # what the RuntimeError says

    def __cinit__(self):
        self.refusal = ("stream: expected one call at a time, got another from a second thread; "
                        "make a stream for each thread")

    def __enter__(self):
        self.enter()

    def __exit__(self, *exception):
        with cython.critical_section(self):
            self.in_use = False

    cdef int enter(self) except -1:
        cdef bint refused
        with cython.critical_section(self):
            refused = self.in_use or self.running
            self.in_use = True
        if refused:
            raise RuntimeError(self.refusal)
        return 0

    def __reduce__(self):
        return exclusive, (self.refusal,)


def exclusive(str refusal not None):
    """An `Exclusive` for something else than a stream."""
    cdef Exclusive made = Exclusive.__new__(Exclusive)
    made.refusal = refusal
    return made

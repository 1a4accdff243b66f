# SPDX-License-Identifier: BSD-3-Clause
# Memory that is allocated here, and pointers into arrays of callers, which are checked before C gets them.

cdef class Block:
    """Memory aligned to 64 bytes, freed with the object."""
    cdef void *at
    cdef void *start  # from malloc, not aligned_alloc: it keeps small blocks for the next call
    cdef size_t nbytes
    cdef int back  # of a workspace: fr_forward_args.back of the next call

    def __cinit__(self, size_t nbytes):
        self.nbytes = nbytes
        self.start = malloc(nbytes + 64) if nbytes + 64 > nbytes else NULL
        if self.start == NULL:
            raise MemoryError(f"cannot allocate {nbytes} bytes")
        self.at = <void *>((<uintptr_t>self.start + 63) // 64 * 64)

    def __dealloc__(self):
        free(self.start)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        """As bytes, for arrays that view the memory."""
        PyBuffer_FillInfo(buffer, self, self.at, self.nbytes, False, flags)


cdef class Array:
    """A pointer into a caller's array, valid while this object lives; a NULL pointer for None. Made by `hold`.

    C sees the pointer alone. Before it is passed on, one of `whole`, `rows` and `absent` has to have been called: they
    raise ValueError unless the array is what C will take it for.
    """
    cdef Py_buffer view
    cdef bint held

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)

    cdef void *at(self) noexcept:
        return self.view.buf if self.held else NULL

    cdef Py_ssize_t stride(self, int axis) noexcept:
        """In elements."""
        return self.view.strides[axis] // self.view.itemsize if self.held and self.view.itemsize else 0

    cdef int whole(self, str name, char kind, int ndim, Py_ssize_t a, Py_ssize_t b, Py_ssize_t c) except -1:
        """It is None, or C-ordered and aligned, of these numbers, and its shape the first `ndim` of (a, b, c)."""
        if self.held and not (is_kind(&self.view, kind) and has_shape(&self.view, ndim, a, b, c) and
                              is_whole(&self.view)):
            raise ValueError(f"{name}: expected a C-ordered {(a, b, c)[:ndim]} of {kind_name(kind)}, "
                             f"got {described(&self.view)}")
        return 0

    cdef int rows(self, str name, char kind, Py_ssize_t a, Py_ssize_t b, Py_ssize_t c) except -1:
        """It is None, or (a, b, c) of these numbers, aligned, with a contiguous last axis."""
        if self.held and not (is_kind(&self.view, kind) and has_shape(&self.view, 3, a, b, c) and
                              has_rows(&self.view, c)):
            raise ValueError(f"{name}: expected {(a, b, c)} of {kind_name(kind)} with contiguous rows, "
                             f"got {described(&self.view)}")
        return 0

    cdef int required(self, str name) except -1:
        """It is not None."""
        if not self.held:
            raise TypeError(f"{name}: expected an array, got None")
        return 0

    cdef int absent(self, str name) except -1:
        """It is None."""
        if self.held:
            raise ValueError(f"{name}: expected None, as the cell has none, got {described(&self.view)}")
        return 0


cdef Array hold(str name, array, bint writable):
    """A pointer into an array, or NULL for None. Not a constructor: arguments of one take 0.1 us."""
    cdef Array self = Array.__new__(Array)
    if array is not None:
        try_to_hold(name, array, &self.view, writable)
        self.held = True
    return self


cdef void *at_part(Array array, Py_ssize_t offset) noexcept:
    """A pointer so many bytes into an array; NULL for none."""
    return <char *>array.at() + offset if array.held else NULL


cdef int try_to_hold(str name, array, Py_buffer *view, bint writable) except -1:
    cdef int flags = PyBUF_STRIDES | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0)
    try:
        return PyObject_GetBuffer(array, view, flags)
    except (TypeError, ValueError, BufferError) as error:
        kind = ValueError if PyObject_CheckBuffer(array) else TypeError
        use = "written" if writable else "read"
        raise kind(f"{name}: expected an array that can be {use}, got {type(array).__name__} ({error})") from None


cdef char kind_of(fr_dtype dtype) noexcept:
    return c"f" if dtype == FR_F32 else c"d"


cdef str kind_name(char kind):
    return {c"f": "float32", c"d": "float64", c"?": "bool"}.get(kind, "intp")


cdef bint is_kind(const Py_buffer *v, char kind) noexcept:
    """Are they native float32 (f), float64 (d), bool (?), or intp (n)?"""
    if v.format == NULL or v.format[0] == 0 or v.format[1] != 0:
        return False
    if kind == c"n":
        return v.itemsize == sizeof(Py_ssize_t) and v.format[0] in (c"l", c"q", c"n")
    return v.format[0] == kind and v.itemsize == (1 if kind == c"?" else 4 if kind == c"f" else 8)


cdef bint has_shape(const Py_buffer *v, int ndim, Py_ssize_t a, Py_ssize_t b, Py_ssize_t c) noexcept:
    if v.ndim != ndim:
        return False
    return (ndim < 1 or v.shape[0] == a) and (ndim < 2 or v.shape[1] == b) and (ndim < 3 or v.shape[2] == c)


cdef bint same_shape(const Py_buffer *a, const Py_buffer *b) noexcept:
    cdef int axis
    if a.ndim != b.ndim:
        return False
    for axis in range(a.ndim):
        if a.shape[axis] != b.shape[axis]:
            return False
    return True


cdef bint is_whole(const Py_buffer *v) noexcept:
    """Is it C-ordered and aligned? The numbers must be known to have a size."""
    return v.len == 0 or <uintptr_t>v.buf % v.itemsize == 0 and PyBuffer_IsContiguous(v, c"C")


cdef bint has_rows(const Py_buffer *v, Py_ssize_t features) noexcept:
    """Does the last axis hold `features` contiguous, aligned numbers, a whole number of them apart?"""
    cdef int axis, last = v.ndim - 1
    cdef Py_ssize_t itemsize = v.itemsize
    if last < 0 or v.shape[last] != features:
        return False
    if v.len == 0:
        return True
    if not divides(itemsize, <Py_ssize_t>v.buf) or (features > 1 and v.strides[last] != itemsize):  # of one, no next
        return False
    for axis in range(last):
        if v.shape[axis] > 1 and not divides(itemsize, v.strides[axis]):
            return False
    return True


cdef inline bint divides(Py_ssize_t itemsize, Py_ssize_t n) noexcept:
    """Is n a multiple? Without a division, which takes as long as all else here, for the numbers that there are."""
    if itemsize == 4 or itemsize == 8:
        return not n & (itemsize - 1)
    return n % itemsize == 0


cdef bint overlap(const Py_buffer *a, const Py_buffer *b) noexcept:
    """May two arrays with contiguous rows share memory?"""
    cdef char *a_lo
    cdef char *a_hi
    cdef char *b_lo
    cdef char *b_hi
    bounds(a, &a_lo, &a_hi)
    bounds(b, &b_lo, &b_hi)
    return a_lo < b_hi and b_lo < a_hi


cdef void bounds(const Py_buffer *v, char **lo, char **hi) noexcept:
    """Where an array with contiguous rows and without an axis of 0 begins, and ends."""
    cdef int axis, last = v.ndim - 1
    cdef Py_ssize_t way
    lo[0] = <char *>v.buf
    hi[0] = <char *>v.buf + v.shape[last] * v.itemsize
    for axis in range(last):
        way = v.strides[axis] * (v.shape[axis] - 1)
        if way < 0:
            lo[0] += way
        else:
            hi[0] += way


cdef str described(const Py_buffer *v):
    """Shape, numbers and strides, for messages."""
    shape = tuple([v.shape[axis] for axis in range(v.ndim)])
    kind = "bytes" if v.format == NULL else {b"f": "float32", b"d": "float64"}.get(<bytes>v.format)
    text = f"{shape} of {kind or f'{v.itemsize} bytes each'}"
    if v.len == 0 or is_whole(v):
        return text
    return f"{text} with strides {tuple([v.strides[axis] for axis in range(v.ndim)])}"

# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, boundscheck=False, wraparound=False
"""The wall between Python and C: pointers in, codes out.

Above it, functional.py has checked every shape and dtype and allocated every array; below it is csrc/fastrnn.h. The wall
takes pointers, releases the GIL, calls C in pieces short enough for Ctrl-C, and turns codes into exceptions. It also owns
the packed weights, because when to repack is a question of object lifetimes.
"""
from time import perf_counter

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from fastrnn._core cimport *

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *o)

cdef extern from *:
    """
    #ifndef FR_VERSION
    #define FR_VERSION "unknown"
    #endif
    """
    const char *FR_VERSION

__version__ = FR_VERSION.decode()

fr_init()


cdef int check(int code) except -1:
    if code == FR_OK:
        return 0
    message = fr_strerror(code).decode()
    raise MemoryError(message) if code == FR_EOVERFLOW else ValueError(message)


# ---------------------------------------------------------------------------------------------------------------------
# What there is: cells, engines, threads


def _read_cells():
    cdef fr_cell_info info
    cells = {}
    for cell in range(FR_N_CELLS):
        check(fr_get_cell_info(<fr_cell>cell, &info))
        cells[info.name.decode()] = (cell, info.G, info.S, bool(info.has_c), bool(info.recurrent))
    return cells


CELLS = _read_cells()  # name -> (code, gates G, tape blocks S, has a cell state, has recurrent weights)
BUILT_ISAS = tuple(fr_isa_name(k).decode() for k in range(fr_isa_count()))  # best first
ISAS = tuple(name for k, name in enumerate(BUILT_ISAS) if fr_isa_usable(k))

cdef int current_isa = 0


def set_isa(str name):
    """Choose the engine of every later call."""
    global current_isa
    if name not in BUILT_ISAS:
        raise ValueError(f"isa: expected one of {', '.join(ISAS)}, got {name!r}")
    if name not in ISAS:
        raise ValueError(f"isa: this machine cannot run {name!r}; it can run {', '.join(ISAS)}")
    current_isa = BUILT_ISAS.index(name)


def get_isa():
    return BUILT_ISAS[current_isa]


def openmp():
    return bool(fr_openmp())


def may_thread():
    return bool(fr_may_thread())


def max_threads():
    return fr_max_threads()


# ---------------------------------------------------------------------------------------------------------------------
# Memory


cdef class Block:
    """Memory aligned to 64 bytes, freed with the object."""
    cdef void *at
    cdef void *start  # by malloc, not aligned_alloc: it keeps small blocks at hand for the next call
    cdef size_t nbytes

    def __cinit__(self, size_t nbytes):
        self.nbytes = nbytes
        self.start = malloc(nbytes + 64) if nbytes + 64 > nbytes else NULL
        if self.start == NULL:
            raise MemoryError(f"cannot allocate {nbytes} bytes")
        self.at = <void *>((<uintptr_t>self.start + 63) // 64 * 64)

    def __dealloc__(self):
        free(self.start)


cdef class Array:
    """A pointer into somebody's array, valid while this object lives."""
    cdef Py_buffer view
    cdef bint held

    def __cinit__(self, array, bint writable=False):
        self.held = False
        if array is not None:
            PyObject_GetBuffer(array, &self.view, PyBUF_STRIDES | PyBUF_WRITABLE if writable else PyBUF_STRIDES)
            self.held = True

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)

    cdef void *at(self) noexcept:
        return self.view.buf if self.held else NULL

    cdef Py_ssize_t stride(self, int axis) noexcept:
        """In elements."""
        return self.view.strides[axis] // self.view.itemsize if self.held else 0


cdef bint walkable(const Py_buffer *v, Py_ssize_t features) noexcept:
    """Can C walk its rows: aligned numbers, `features` of them side by side?"""
    cdef int axis, last = v.ndim - 1
    cdef Py_ssize_t itemsize = v.itemsize
    if <uintptr_t>v.buf % itemsize:
        return False
    for axis in range(last):
        if v.strides[axis] % itemsize:
            return False
    return last >= 0 and v.shape[last] == features and v.strides[last] == itemsize


cdef class Carry:
    """How a state goes from one step to the next, see fr_carry; None and 0 stand for what that does not do.

    take_h, take_c are (T, N, H), or (H,) for every step and row; mask is (N, H), C-ordered.
    """
    cdef Array take_h, take_c, mask
    cdef fr_carry c

    def __init__(self, take_h=None, take_c=None, mask=None, double clip=0):
        self.take_h, self.take_c, self.mask = Array(take_h), Array(take_c), Array(mask)
        memset(&self.c, 0, sizeof(self.c))
        self.c.take_h, self.c.take_c, self.c.mask, self.c.clip = self.take_h.at(), self.take_c.at(), self.mask.at(), clip
        if self.take_h.view.ndim == 3:
            self.c.take_h_st, self.c.take_h_sn = self.take_h.stride(0), self.take_h.stride(1)
        if self.take_c.view.ndim == 3:
            self.c.take_c_st, self.c.take_c_sn = self.take_c.stride(0), self.take_c.stride(1)

    cdef int fit(self, const fr_desc *d) except -1:
        self.fits(self.take_h, d)
        self.fits(self.take_c, d)
        return self.fits(self.mask, d)

    cdef int fits(self, Array array, const fr_desc *d) except -1:
        if not array.held:
            return 0
        cdef Py_buffer *v = &array.view
        if v.itemsize == (4 if d.dtype == FR_F32 else 8) and v.shape[v.ndim - 1] == d.H and walkable(v, d.H):
            if v.ndim == 1 or v.ndim == 2 and v.shape[0] == d.N or v.shape[0] == d.T and v.shape[1] == d.N:
                return 0
        raise ValueError("what acts on the state does not fit the sequence")


# ---------------------------------------------------------------------------------------------------------------------
# Packed weights


# Memory that is kept from one call to the next, at most, in each place: as much as malloc keeps at best. What malloc gives
# back to the system comes page by page, and cost a training step of 0.5 ms another 0.3.
SPARE_BYTES = 1 << 25


cdef class Pack:
    """The weights of one layer and direction as they were at one moment, and packed for one engine.

    It never changes while anybody but its `Weights` holds it; after that its memory serves for the next.
    """
    cdef fr_desc desc
    cdef void *part[4]  # copies of w_ih, w_hh, b_ih, b_hh; NULL where there is none
    cdef list blocks    # what owns them
    cdef Block forward, backward
    cdef Block forward_memory, backward_memory  # of an earlier use
    cdef Block workspace     # of the latest call, for the next
    cdef readonly list spare  # arrays for tapes, see functional.py

    def __cinit__(self):
        self.spare = []

    # Packing runs without the GIL, and another thread may do the same meanwhile: the first result stays, because its
    # pointer may be in use. There is no lock that a child of fork could inherit locked.

    cdef Block make(self, fr_pass which, int n_threads, Block memory):
        cdef size_t nbytes
        cdef fr_desc d = self.desc
        d.n_threads = n_threads
        check(fr_pack_bytes(&d, which, &nbytes))
        cdef Block block = Block(nbytes) if memory is None else memory
        with nogil:
            fr_pack(&d, which, self.part[0], self.part[1], self.part[2], self.part[3], block.at)
        return block

    cdef void *for_forward(self, int n_threads) except NULL:
        cdef Block made, memory
        if self.forward is None:
            memory, self.forward_memory = self.forward_memory, None
            made = self.make(FR_FORWARD, n_threads, memory)
            if self.forward is None:
                self.forward = made
        return self.forward.at

    cdef void *for_backward(self, int n_threads) except NULL:
        """From the copies, not from the arrays: a backward pass uses the weights of its forward pass."""
        cdef Block made, memory
        if self.backward is None:
            memory, self.backward_memory = self.backward_memory, None
            made = self.make(FR_BACKWARD, n_threads, memory)
            if self.backward is None:
                self.backward = made
        return self.backward.at

    cdef void empty(self) noexcept:
        """Keep the memory alone."""
        if self.forward is not None:
            self.forward_memory, self.forward = self.forward, None
        if self.backward is not None:
            self.backward_memory, self.backward = self.backward, None


cdef class Weights:
    """The parameter arrays of one layer and direction, and their latest Pack.

    Parameters may be written at any time through any reference, so a Pack is used only after a comparison, byte for byte,
    of the arrays with its copies. The comparison is skipped only when a write is impossible: when nobody has asked `lent`
    for an array since the last comparison, and nobody outside held one then or holds one now (views and exported buffers
    hold a reference to the array that they look into).

    Parameters
    ----------
    cell : int
        Code of the cell.
    dtype : int
        0 for float32, 1 for float64.
    input_size, hidden_size : int
        I and H.
    arrays : tuple of (ndarray or None)
        w_ih (G*H, I), w_hh (G*H, H), b_ih (G*H,), b_hh (G*H,), C-ordered. Besides the buffers that are held here, each
        must be referred to by one object only, the owner.
    lent : object
        Its attribute ``count`` grows whenever an array is given out.
    carry : Carry or None
        Of inference, the same at every step: for the short way and streams.
    """
    cdef fr_desc desc
    cdef Carry carry
    cdef list arrays          # of Array
    cdef PyObject *owned[4]   # the ndarrays; NULL where there is none
    cdef Pack latest
    cdef object lent, seen

    def __init__(self, int cell, int dtype, Py_ssize_t input_size, Py_ssize_t hidden_size, arrays, lent,
                 Carry carry=None):
        memset(&self.desc, 0, sizeof(self.desc))
        self.carry = Carry() if carry is None else carry
        self.desc.cell = <fr_cell>cell
        self.desc.dtype = <fr_dtype>dtype
        self.desc.I, self.desc.H, self.desc.n_threads = input_size, hidden_size, 1
        self.arrays = [Array(array) for array in arrays]
        for k in range(4):
            self.owned[k] = <PyObject *>arrays[k] if arrays[k] is not None else NULL
        self.lent = lent

    cdef bint held_outside(self) noexcept:
        for k in range(4):
            if self.owned[k] != NULL and Py_REFCNT(self.owned[k]) > 2:  # the owner and our buffer
                return True
        return False

    cdef Pack current(self):
        count = self.lent.count
        outside = self.held_outside()
        if self.latest is not None and self.latest.desc.isa == current_isa and not outside and count == self.seen:
            return self.latest
        cdef Pack pack = self.latest if self.unchanged() else self.take()
        self.latest, self.seen = pack, None if outside else count
        return pack

    cdef bint unchanged(self):
        cdef Array array
        if self.latest is None or self.latest.desc.isa != current_isa:
            return False
        for k, array in enumerate(self.arrays):
            if array.held and memcmp(array.at(), self.latest.part[<int>k], array.view.len):
                return False
        return True

    cdef Pack take(self):
        """The arrays as they are now, in the memory of the latest Pack if nobody else holds that any more."""
        cdef Pack pack
        cdef Array array
        if self.latest is not None and self.latest.desc.isa == current_isa and Py_REFCNT(<PyObject *>self.latest) == 1:
            pack = self.latest
            pack.empty()
        else:
            pack = self.blank()
        for k, array in enumerate(self.arrays):
            if array.held:
                memcpy(pack.part[<int>k], array.at(), array.view.len)
        return pack

    cdef Pack blank(self):
        cdef Pack pack = Pack()
        cdef Array array
        cdef Block block
        pack.blocks = []
        pack.desc = self.desc
        pack.desc.isa = current_isa
        for k, array in enumerate(self.arrays):
            pack.part[<int>k] = NULL
            if array.held:
                block = Block(array.view.len)
                pack.part[<int>k] = block.at
                pack.blocks.append(block)
        return pack

    def pack(self):
        """The Pack of the weights as they are now."""
        return self.current()


# ---------------------------------------------------------------------------------------------------------------------
# The passes

cdef class Call:
    """A description of one call, with the arrays behind its pointers and its workspace."""
    cdef fr_desc d
    cdef Array rows, lengths, first
    cdef Block workspace

    def __init__(self, Pack pack, Array x, Array y, order, Carry carry, bint reverse, int n_threads):
        self.d = pack.desc
        if x.view.shape[2] != self.d.I or (y.held and y.view.shape[2] != self.d.H):
            raise ValueError("x and y do not fit the weights")
        self.d.T, self.d.N = x.view.shape[0], x.view.shape[1]
        self.d.reverse, self.d.n_threads, self.d.masked = reverse, n_threads, carry.mask.held
        carry.fit(&self.d)
        if order is not None:
            self.rows, self.lengths, self.first = map(Array, order)
            self.d.rows = <const fr_idx *>self.rows.at()
            self.d.lengths = <const fr_idx *>self.lengths.at()
            self.d.first = <const fr_idx *>self.first.at()

    cdef void *space(self, fr_pass which, Pack pack) except NULL:
        """Memory for C: what the latest call with these weights had, if nobody else has it now and it is enough."""
        cdef size_t nbytes
        check(fr_workspace_bytes(&self.d, which, &nbytes))
        self.workspace, pack.workspace = pack.workspace, None
        if self.workspace is None or self.workspace.nbytes < nbytes:
            self.workspace = Block(nbytes)
        return self.workspace.at

    cdef void leave_space(self, Pack pack) noexcept:
        if self.workspace.nbytes <= SPARE_BYTES:
            pack.workspace = self.workspace


def forward(Pack pack, x, y, h_0, c_0, h_n, c_n, tape_gates, tape_c, order, Carry carry, bint reverse, int n_threads):
    """Run one layer in one direction. Arrays as in fr_forward_args; those that may be NULL there may be None here.

    order is (rows, lengths, first) of fr_desc, or None. Raises KeyboardInterrupt between pieces.
    """
    cdef Array ax = Array(x), ay = Array(y, True), ah0 = Array(h_0), ac0 = Array(c_0), ahn = Array(h_n, True)
    cdef Array acn = Array(c_n, c_n is not None), ag = Array(tape_gates, tape_gates is not None)
    cdef Array ac = Array(tape_c, tape_c is not None)
    cdef Call call = Call(pack, ax, ay, order, carry, reverse, n_threads)
    cdef fr_forward_args a
    cdef int code
    a.x, a.x_st, a.x_sn = ax.at(), ax.stride(0), ax.stride(1)
    a.y, a.y_st, a.y_sn = ay.at(), ay.stride(0), ay.stride(1)
    a.h_0, a.c_0, a.h_n, a.c_n = ah0.at(), ac0.at(), ahn.at(), acn.at()
    a.gates, a.c, a.carry = ag.at(), ac.at(), carry.c
    a.pack, a.workspace = pack.for_forward(n_threads), call.space(FR_FORWARD, pack)
    a.s_lo = 0
    while True:
        a.s_hi = fr_forward_piece(&call.d, a.s_lo)
        with nogil:
            code = fr_forward(&call.d, &a)
        check(code)
        if a.s_hi == call.d.T:
            call.leave_space(pack)
            return
        PyErr_CheckSignals()
        a.s_lo = a.s_hi


def backward(Pack pack, x, y, h_0, c_0, tape_gates, tape_c, dy, dh_n, dc_n, dx, dh_0, dc_0, grads, order,
             Carry carry, bint reverse, int n_threads):
    """Back-propagate through one layer in one direction. Arrays as in fr_backward_args; grads is a tuple of four."""
    cdef Array ax = Array(x), ay = Array(y), ah0 = Array(h_0), ac0 = Array(c_0), ag = Array(tape_gates, True)
    cdef Array ac = Array(tape_c), ady = Array(dy), adhn = Array(dh_n), adcn = Array(dc_n)
    cdef Array adx = Array(dx, dx is not None), adh0 = Array(dh_0, dh_0 is not None), adc0 = Array(dc_0, dc_0 is not None)
    cdef Array dw_ih = Array(grads[0], True), dw_hh = Array(grads[1], grads[1] is not None)
    cdef Array db_ih = Array(grads[2], grads[2] is not None), db_hh = Array(grads[3], grads[3] is not None)
    cdef Call call = Call(pack, ax, ay, order, carry, reverse, n_threads)
    cdef fr_backward_args a
    cdef int code
    a.x, a.x_st, a.x_sn = ax.at(), ax.stride(0), ax.stride(1)
    a.y, a.y_st, a.y_sn = ay.at(), ay.stride(0), ay.stride(1)
    a.h_0, a.c_0, a.gates, a.c, a.carry = ah0.at(), ac0.at(), ag.at(), ac.at(), carry.c
    a.dy, a.dy_st, a.dy_sn = ady.at(), ady.stride(0), ady.stride(1)
    a.dh_n, a.dc_n = adhn.at(), adcn.at()
    a.dx, a.dx_st, a.dx_sn = adx.at(), adx.stride(0), adx.stride(1)
    a.dh_0, a.dc_0 = adh0.at(), adc0.at()
    a.dw_ih, a.dw_hh, a.db_ih, a.db_hh = dw_ih.at(), dw_hh.at(), db_ih.at(), db_hh.at()
    a.pack, a.workspace = pack.for_backward(n_threads), call.space(FR_BACKWARD, pack)
    a.s_hi = call.d.T
    while True:
        a.s_lo = fr_backward_piece(&call.d, a.s_hi)
        with nogil:
            code = fr_backward(&call.d, &a)
        check(code)
        if a.s_lo == 0:
            call.leave_space(pack)
            return
        PyErr_CheckSignals()
        a.s_hi = a.s_lo


# ---------------------------------------------------------------------------------------------------------------------
# The short way, for small calls: one Python call for a whole stack


cdef Block run_whole(Weights weights, fr_forward_args *a, Py_ssize_t T, Py_ssize_t N, bint reverse, threads,
                     Block workspace):
    """One layer and direction, all T steps without a tape; `a` has everything but the pack, the workspace and the steps.

    Returns the workspace, a larger one if that was needed; None, having done nothing, if the call is longer than a piece.
    """
    cdef Pack pack = weights.current()
    cdef fr_desc d = pack.desc
    cdef size_t nbytes
    cdef int code
    d.T, d.N, d.reverse = T, N, reverse
    d.n_threads = threads() if fr_threads_pay(&d) else 1
    check(fr_workspace_bytes(&d, FR_FORWARD, &nbytes))
    if fr_forward_piece(&d, 0) < T:
        return None
    if workspace is None or workspace.nbytes < nbytes:
        workspace = Block(nbytes)
    a.pack, a.workspace, a.carry = pack.for_forward(d.n_threads), workspace.at, weights.carry.c
    a.s_lo, a.s_hi = 0, T
    with nogil:
        code = fr_forward(&d, a)
    check(code)
    return workspace


cdef Py_ssize_t SMALL = 1 << 16  # elements of x or y: beyond it, what the long way costs does not matter


cdef class Inference:
    """All layers and directions of a stack on one short sequence, without a tape and without lengths.

    weights is a list of Weights, [layer * directions + direction]; parts is 1 for a state h, 2 for (h, c). threads() gives
    the number of threads to use now; empty, ndarray and dtype are NumPy's.
    """
    cdef list weights
    cdef object threads, empty, ndarray, dtype
    cdef bint batch_first
    cdef int layers, directions, parts
    cdef Py_ssize_t I, H, itemsize

    def __init__(self, weights, int directions, int parts, bint batch_first, threads, empty, ndarray, dtype):
        cdef Weights first = weights[0]
        self.weights, self.directions, self.parts, self.batch_first = weights, directions, parts, batch_first
        self.layers = len(weights) // directions
        self.I, self.H = first.desc.I, first.desc.H
        self.itemsize = 4 if first.desc.dtype == FR_F32 else 8
        self.threads, self.empty, self.ndarray, self.dtype = threads, empty, ndarray, dtype

    def __call__(self, x, state):
        """y and the final state, in new arrays.

        Returns None, having done nothing, if anything about x or the state is unusual: the caller then goes the long way,
        which can say what is wrong, and which gives the same bits.
        """
        if type(x) is not self.ndarray or x.dtype is not self.dtype:
            return None
        cdef Array ax = Array(x)
        cdef int ndim = ax.view.ndim, time = 1 if ndim == 3 and self.batch_first else 0
        if not 2 <= ndim <= 3 or not walkable(&ax.view, self.I):
            return None
        cdef Py_ssize_t T = ax.view.shape[time], N = ax.view.shape[1 - time] if ndim == 3 else 1
        cdef Py_ssize_t width = self.directions * self.H, states = self.layers * self.directions
        if T == 0 or N == 0 or T * N > SMALL // max(self.I, width):
            return None
        cdef Array h_0, c_0 = None
        if state is None:
            h_0 = c_0 = Array(None)
        elif self.parts == 1:
            h_0 = self.initial(state, states, N, ndim)
        elif type(state) is tuple and len(state) == 2:
            h_0, c_0 = self.initial(state[0], states, N, ndim), self.initial(state[1], states, N, ndim)
        else:
            return None
        if h_0 is None or self.parts == 2 and c_0 is None:
            return None

        if ndim == 2:
            y_shape, s_shape = (T, width), (states, self.H)
        else:
            y_shape, s_shape = (N, T, width) if time else (T, N, width), (states, N, self.H)
        y, h_n = self.empty(y_shape, self.dtype), self.empty(s_shape, self.dtype)
        c_n = self.empty(s_shape, self.dtype) if self.parts == 2 else None
        if not self.run(ax, Array(y, True), h_0, c_0, Array(h_n, True), Array(c_n, True), T, N, time):
            return None
        return y, h_n if self.parts == 1 else (h_n, c_n)

    cdef Array initial(self, state, Py_ssize_t states, Py_ssize_t N, int ndim):
        """An initial state (states, N, H), C-ordered; None if it is unusual."""
        if type(state) is not self.ndarray or state.dtype is not self.dtype:
            return None
        cdef Array s = Array(state)
        if s.view.ndim != ndim or not walkable(&s.view, self.H) or s.view.shape[0] != states:
            return None
        if s.view.len != states * N * self.H * self.itemsize or s.view.strides[0] != N * self.H * self.itemsize:
            return None
        return s if ndim == 2 or s.view.shape[1] == N and s.view.strides[1] == self.H * self.itemsize else None

    cdef bint run(self, Array x, Array y, Array h_0, Array c_0, Array h_n, Array c_n, Py_ssize_t T, Py_ssize_t N,
                  int time) except -1:
        cdef fr_forward_args a
        cdef Block workspace = None
        cdef int layer, direction, k
        cdef Py_ssize_t width = self.directions * self.H, part = N * self.H * self.itemsize
        cdef bint batched = x.view.ndim == 3
        memset(&a, 0, sizeof(a))
        a.x, a.x_st, a.x_sn = x.at(), x.stride(time), x.stride(1 - time) if batched else 0
        spare = [Block(T * N * width * self.itemsize) for _ in range(min(self.layers - 1, 2))]
        for layer in range(self.layers):
            if layer + 1 < self.layers:
                a.y, a.y_st, a.y_sn = (<Block>spare[layer % 2]).at, N * width, width
            else:
                a.y, a.y_st, a.y_sn = y.at(), y.stride(time), y.stride(1 - time) if batched else 0
            for direction in range(self.directions):
                k = layer * self.directions + direction
                a.h_0 = <char *>h_0.at() + k * part if h_0.held else NULL
                a.c_0 = <char *>c_0.at() + k * part if self.parts == 2 and c_0.held else NULL
                a.h_n = <char *>h_n.at() + k * part
                a.c_n = <char *>c_n.at() + k * part if self.parts == 2 else NULL
                workspace = run_whole(self.weights[k], &a, T, N, direction, self.threads, workspace)
                if workspace is None:
                    return False
                a.y = <char *>a.y + self.H * self.itemsize
            a.x, a.x_st, a.x_sn = <char *>a.y - width * self.itemsize, a.y_st, a.y_sn
        return True


# ---------------------------------------------------------------------------------------------------------------------
# One step at a time


cdef class Stepper:
    """A stack of one-directional layers that reads one time step per call and keeps all that it needs between calls.

    layers is a list of (Weights, h, c): h and c (or None) are (N, H) arrays that hold the state and are written in place.
    outputs are (N, H) arrays for what passes between the layers. threads() gives the number of threads to use now.
    """
    cdef list weights
    cdef list held            # the arrays behind the pointers
    cdef Block args           # fr_forward_args of each layer
    cdef Block workspace
    cdef object threads
    cdef Py_ssize_t N, I, H, itemsize
    cdef int layers

    def __init__(self, layers, outputs, threads):
        cdef Array h, c, y
        cdef Weights w
        cdef fr_forward_args *a
        cdef int k
        self.weights, self.held, self.threads = [], [], threads
        self.layers = len(layers)
        self.args = Block(self.layers * sizeof(fr_forward_args))
        memset(self.args.at, 0, self.args.nbytes)
        for k in range(self.layers):
            w, h_state, c_state = layers[k]
            a = <fr_forward_args *>self.args.at + k
            h, c = Array(h_state, True), Array(c_state, c_state is not None)
            a.h_0 = a.h_n = h.at()
            a.c_0 = a.c_n = c.at()
            self.N, self.H, self.itemsize = h.view.shape[0], w.desc.H, h.view.itemsize
            self.held += [h, c]
            self.weights.append(w)
            if k + 1 < self.layers:
                y = Array(outputs[k], True)
                a.y = y.at()
                a.y_sn = w.desc.H
                (a + 1).x = a.y
                (a + 1).x_sn = a.y_sn
                self.held.append(y)
        self.I = (<Weights>self.weights[0]).desc.I
        self.workspace = Block(0)

    cdef bint fits(self, const Py_buffer *v, Py_ssize_t features) noexcept:
        """(N, features), or (features,) for one row, of the layers' dtype, with contiguous aligned rows?"""
        if not (v.ndim == 2 and v.shape[0] == self.N or v.ndim == 1 and self.N == 1):
            return False
        if v.itemsize != self.itemsize or v.format[0] != (c"f" if self.itemsize == 4 else c"d") or v.format[1] != 0:
            return False
        return walkable(v, features)

    def step(self, x, out):
        """Read x and write out, (N, I) and (N, H) or, for one row, (I,) and (H,).

        Returns False, having done nothing, unless they are arrays of the layers' dtype with contiguous rows, have as
        many axes, and lie apart. The caller finds out what is wrong; this is the fast way for what is right.
        """
        cdef Py_buffer vx, vy
        try:
            PyObject_GetBuffer(x, &vx, PyBUF_STRIDES | PyBUF_FORMAT)
        except (TypeError, BufferError):
            return False
        try:
            PyObject_GetBuffer(out, &vy, PyBUF_STRIDES | PyBUF_FORMAT | PyBUF_WRITABLE)
        except (TypeError, BufferError, ValueError):
            PyBuffer_Release(&vx)
            return False
        try:
            if not self.fits(&vx, self.I) or not self.fits(&vy, self.H) or vx.ndim != vy.ndim:
                return False
            if self.overlap(&vx, &vy):
                return False
            self.run(&vx, &vy)
            return True
        finally:
            PyBuffer_Release(&vx)
            PyBuffer_Release(&vy)

    cdef bint overlap(self, const Py_buffer *a, const Py_buffer *b) noexcept:
        """May two arrays share memory?"""
        cdef Py_ssize_t a_row = a.strides[0] * (self.N - 1) if a.ndim == 2 else 0
        cdef Py_ssize_t b_row = b.strides[0] * (self.N - 1) if b.ndim == 2 else 0
        cdef char *a_lo = <char *>a.buf + min(a_row, 0)
        cdef char *b_lo = <char *>b.buf + min(b_row, 0)
        cdef char *a_hi = <char *>a.buf + max(a_row, 0) + self.I * self.itemsize
        cdef char *b_hi = <char *>b.buf + max(b_row, 0) + self.H * self.itemsize
        return a_lo < b_hi and b_lo < a_hi

    cdef int run(self, const Py_buffer *x, const Py_buffer *out) except -1:
        cdef fr_forward_args *a = <fr_forward_args *>self.args.at
        cdef fr_forward_args *last = a + self.layers - 1
        cdef int k
        a.x, a.x_sn = x.buf, x.strides[0] // self.itemsize if x.ndim == 2 else 0
        last.y, last.y_sn = out.buf, out.strides[0] // self.itemsize if out.ndim == 2 else 0
        for k in range(self.layers):
            self.workspace = run_whole(self.weights[k], a, 1, self.N, False, self.threads, self.workspace)
            a += 1
        return 0


# ---------------------------------------------------------------------------------------------------------------------
# Single kernels and the machine's own roof, for tests and benchmarks

ACTS = {"sigmoid": 0, "tanh": 1, "selu": 2}


def activation(str name, x, y):
    """y[...] = name(x) on the current engine; x and y are C-ordered arrays of one dtype."""
    cdef Array ax = Array(x), ay = Array(y, True)
    cdef fr_dtype dtype = FR_F32 if ax.view.itemsize == 4 else FR_F64
    check(fr_test_act(current_isa, dtype, <fr_act><int>ACTS[name], ax.view.len // ax.view.itemsize, ax.at(), ay.at()))


def gemm(a, b, c):
    """c (m, n) += a (m, k) b (k, n) on the current engine; C-ordered arrays of one dtype."""
    cdef Array aa = Array(a), ab = Array(b), ac = Array(c, True)
    cdef fr_dtype dtype = FR_F32 if aa.view.itemsize == 4 else FR_F64
    cdef Py_ssize_t m = aa.view.shape[0], n = ab.view.shape[1], k = aa.view.shape[1]
    cdef Block workspace = Block(fr_test_gemm_bytes(m, n, k))
    check(fr_test_gemm(current_isa, dtype, m, n, k, aa.at(), ab.at(), ac.at(), workspace.at))


PROBES = {"fma": 0, "read": 1, "barrier": 2}


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

# SPDX-License-Identifier: BSD-3-Clause
# Packed weights, and when they are stale.

# Memory that each place keeps from one call to the next, at most: as much as malloc itself may keep. What malloc
# returns to the system has to be mapped again page by page, which cost a training step of 0.5 ms another 0.3.
SPARE_BYTES = 1 << 25


cdef class Pack:
    """The weights of one layer and direction as they were at one moment, and packed for one engine.

    It does not change while anything but its `Weights` refers to it; then its memory is used for the next.
    """
    cdef fr_desc desc
    cdef void *part[4]  # copies of w_ih, w_hh, b_ih, b_hh; NULL where there is none
    cdef list blocks  # their owners
    cdef list packed  # a Block for each fr_pass; None until it is needed
    cdef list memory  # of stale packed weights, for the next
    cdef Block workspace  # of the latest call, for the next
    cdef readonly list spare  # arrays of used tapes, for the next: see functional.py

    def __cinit__(self):
        self.packed, self.memory, self.spare = [None, None], [None, None], []

    # Packing runs without the GIL, so another thread may pack the same weights: the first result is kept, because its
    # pointer may be in use. A lock could be inherited locked by a child of fork.

    cdef Block pack_for(self, fr_pass which, int n_threads, Block memory):
        cdef size_t nbytes
        cdef fr_desc d = self.desc
        d.n_threads = n_threads
        check(fr_pack_bytes(&d, which, &nbytes))
        cdef Block block = Block(nbytes) if memory is None else memory
        with nogil:
            fr_pack(&d, which, self.part[0], self.part[1], self.part[2], self.part[3], block.at)
        return block

    cdef void *packed_for(self, fr_pass which, int n_threads) except NULL:
        """From the copies, not from the arrays: a backward pass uses the weights of its forward pass."""
        cdef Block block, memory = None
        with cython.critical_section(self):
            block = self.packed[<int>which]
            if block is None:
                memory, self.memory[<int>which] = self.memory[<int>which], None
        if block is None:
            block = self.pack_for(which, n_threads, memory)
            with cython.critical_section(self):
                if self.packed[<int>which] is None:
                    self.packed[<int>which] = block
                else:
                    block = self.packed[<int>which]
        return block.at

    cdef int discard(self) except -1:
        """Forget the packed weights, but keep their memory."""
        for which in range(2):
            if self.packed[which] is not None:
                self.memory[which], self.packed[which] = self.packed[which], None
        return 0


cdef class Weights:
    """The parameter arrays of one layer and direction, and their latest Pack.

    Parameters may be written at any time through any reference, so a Pack is used only after its copies have been
    compared with the arrays, byte for byte. The comparison is skipped only when a write is impossible: when nothing else
    referred to an array at the last comparison (views and exported buffers refer to the array that they look into), and
    `access` has given out none since. Without the GIL, only the thread that made the arrays can tell the former.

    Parameters
    ----------
    cell : int
        Code of the cell.
    dtype : int
        0 for float32, 1 for float64.
    input_size, hidden_size : int
        I and H.
    arrays : tuple of (ndarray or None)
        w_ih (G*H, I), w_hh (G*H, H), b_ih (G*H,), b_hh (G*H,), C-ordered. Besides the buffers held here, only one
        object, the owner, may refer to each.
    access : object
        Its attribute ``last_access`` is a new object after an array has been given out.
    state_update : StateUpdate or None
        Of inference, the same at every step: for the fast path and streams.
    """
    cdef fr_desc desc
    cdef StateUpdate state_update
    cdef list arrays          # of Array
    cdef PyObject *owned[4]   # the ndarrays; NULL where there is none
    cdef Pack latest
    cdef object access
    cdef object checked_at  # access.last_access at the last comparison; None if an array was referred to elsewhere

    def __init__(self, int cell, int dtype, Py_ssize_t input_size, Py_ssize_t hidden_size, arrays, access,
                 StateUpdate state_update=None):
        memset(&self.desc, 0, sizeof(self.desc))
        self.state_update = StateUpdate() if state_update is None else state_update
        self.desc.cell = <fr_cell>cell
        self.desc.dtype = <fr_dtype>dtype
        self.desc.I, self.desc.H, self.desc.n_threads = input_size, hidden_size, 1
        self.arrays = [Array(array) for array in arrays]
        for k in range(4):
            self.owned[k] = <PyObject *>arrays[k] if arrays[k] is not None else NULL
        self.access = access

    cdef bint referred_to_elsewhere(self) noexcept:
        for k in range(4):
            if self.owned[k] != NULL and not has_references_at_most(self.owned[k], 2):  # the owner and our buffer
                return True
        return False

    cdef Pack current_pack(self):
        cdef Pack pack
        access = self.access.last_access  # before references are counted: `access` takes one, notes it, gives it out
        with cython.critical_section(self):
            pack, checked_at = self.latest, self.checked_at
        if pack is not None and pack.desc.isa == current_isa and access is checked_at:
            return pack
        cdef bint elsewhere = self.referred_to_elsewhere()  # before the comparison: who refers to an array may write
        if not self.unchanged(pack):
            pack = None  # one reference less, so that its memory may be used again
            pack = self.copy()
        with cython.critical_section(self):
            self.latest, self.checked_at = pack, None if elsewhere else access
        return pack

    cdef bint unchanged(self, Pack pack):
        cdef Array array
        if pack is None or pack.desc.isa != current_isa:
            return False
        for k, array in enumerate(self.arrays):
            if array.held and memcmp(array.at(), pack.part[<int>k], array.view.len):
                return False
        return True

    cdef Pack reusable(self):
        """The latest Pack, no longer the latest, if nothing else refers to it any more."""
        cdef Pack pack = None
        with cython.critical_section(self):
            if (self.latest is not None and self.latest.desc.isa == current_isa
                    and has_references_at_most(<PyObject *>self.latest, 1)):
                pack, self.latest = self.latest, None
        return pack

    cdef Pack copy(self):
        """The arrays as they are now."""
        cdef Pack pack = self.reusable()
        cdef Array array
        if pack is None:
            pack = self.new_pack()
        else:
            pack.discard()
        for k, array in enumerate(self.arrays):
            if array.held:
                memcpy(pack.part[<int>k], array.at(), array.view.len)
        return pack

    cdef Pack new_pack(self):
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
        return self.current_pack()

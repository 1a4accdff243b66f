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
    cdef Block forward, backward
    cdef Block forward_memory, backward_memory  # of stale packed weights, for the next
    cdef Block workspace  # of the latest call, for the next
    cdef readonly list spare  # arrays of used tapes, for the next: see functional.py

    def __cinit__(self):
        self.spare = []

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

    cdef void *for_forward(self, int n_threads) except NULL:
        cdef Block made, memory
        if self.forward is None:
            memory, self.forward_memory = self.forward_memory, None
            made = self.pack_for(FR_FORWARD, n_threads, memory)
            if self.forward is None:
                self.forward = made
        return self.forward.at

    cdef void *for_backward(self, int n_threads) except NULL:
        """From the copies, not from the arrays: a backward pass uses the weights of its forward pass."""
        cdef Block made, memory
        if self.backward is None:
            memory, self.backward_memory = self.backward_memory, None
            made = self.pack_for(FR_BACKWARD, n_threads, memory)
            if self.backward is None:
                self.backward = made
        return self.backward.at

    cdef void discard(self) noexcept:
        """Forget the packed weights, but keep their memory."""
        if self.forward is not None:
            self.forward_memory, self.forward = self.forward, None
        if self.backward is not None:
            self.backward_memory, self.backward = self.backward, None


cdef class Weights:
    """The parameter arrays of one layer and direction, and their latest Pack.

    Parameters may be written at any time through any reference, so a Pack is used only after its copies have been
    compared with the arrays, byte for byte. The comparison is skipped only when a write is impossible: when `access`
    has given out no array since the last comparison, and nothing else referred to one then or does now (views and
    exported buffers refer to the array that they look into).

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
        Its attribute ``count`` grows whenever an array is given out.
    state_update : StateUpdate or None
        Of inference, the same at every step: for the fast path and streams.
    """
    cdef fr_desc desc
    cdef StateUpdate state_update
    cdef list arrays          # of Array
    cdef PyObject *owned[4]   # the ndarrays; NULL where there is none
    cdef Pack latest
    cdef object access
    cdef object checked_at  # access.count at the last comparison; None if an array was referred to elsewhere

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
            if self.owned[k] != NULL and Py_REFCNT(self.owned[k]) > 2:  # the owner and our buffer
                return True
        return False

    cdef Pack current_pack(self):
        count = self.access.count
        elsewhere = self.referred_to_elsewhere()
        if (self.latest is not None and self.latest.desc.isa == current_isa and not elsewhere
                and count == self.checked_at):
            return self.latest
        cdef Pack pack = self.latest if self.unchanged() else self.copy()
        self.latest, self.checked_at = pack, None if elsewhere else count
        return pack

    cdef bint unchanged(self):
        cdef Array array
        if self.latest is None or self.latest.desc.isa != current_isa:
            return False
        for k, array in enumerate(self.arrays):
            if array.held and memcmp(array.at(), self.latest.part[<int>k], array.view.len):
                return False
        return True

    cdef Pack copy(self):
        """The arrays as they are now, in the memory of the latest Pack if nothing else refers to it any more."""
        cdef Pack pack
        cdef Array array
        if self.latest is not None and self.latest.desc.isa == current_isa and Py_REFCNT(<PyObject *>self.latest) == 1:
            pack = self.latest
            pack.discard()
        else:
            pack = self.new_pack()
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

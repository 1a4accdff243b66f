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
    cdef fr_cell_info cell
    cdef void *part[4]  # copies of w_ih, w_hh, b_ih, b_hh; NULL where there is none
    cdef list blocks  # their owners
    cdef list packed  # a Block for each fr_pass; None until it is needed
    cdef list memory  # of stale packed weights, for the next
    cdef bint read  # a forward pass has used the copies as they are
    cdef Block workspace  # of the latest call, for the next
    cdef Block tape  # of a used tape of a small call, for the next
    cdef readonly list spare  # arrays of used tapes, for the next: see functional.py

    def __cinit__(self):
        self.packed, self.memory, self.spare = [None, None], [None, None], []

    @property
    def hidden_size(self):
        """H."""
        return self.desc.H

    @property
    def passes(self):
        """Those for which the weights have been packed."""
        return tuple([name for name, block in zip(("forward", "backward"), self.packed) if block is not None])

    # Packing runs without the GIL, so another thread may pack the same weights: the first result is kept, because its
    # pointer may be in use. A lock could be inherited locked by a child of fork.

    cdef Block pack_for(self, fr_pass which, int n_threads, Block memory):
        cdef size_t nbytes
        cdef int code
        cdef fr_desc d = self.desc
        d.n_threads = n_threads
        check(fr_pack_bytes(&d, which, &nbytes))
        cdef Block block = Block(nbytes) if memory is None or memory.nbytes < nbytes else memory
        with nogil:
            code = fr_pack(&d, which, self.part[0], self.part[1], self.part[2], self.part[3], block.at)
        check(code)
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
        self.read = False
        for which in range(2):
            if self.packed[which] is not None:
                self.memory[which], self.packed[which] = self.packed[which], None
        return 0


cdef class Weights:
    """The parameter arrays of one layer and direction, and their latest Pack.

    Parameters may be written at any time through any reference, so a Pack is used only after its copies have been
    compared with the arrays, byte for byte. The comparison is skipped only when a write is impossible: when nothing
    else referred to an array at the last comparison, not even weakly, and none has been given out since. What was given
    out and is gone cannot come back without a reference; a raw address can (`ctypes`). Without the GIL, only the thread
    that made the arrays can tell whether something refers to them.

    Parameters
    ----------
    cell : int
        Code of the cell.
    dtype : int
        0 for float32, 1 for float64.
    input_size, hidden_size : int
        I and H.
    arrays : Arrays
    names : sequence of (str or None)
        Of w_ih (G*H, I), w_hh (G*H, H), b_ih (G*H,), b_hh (G*H,) among them; None for what the cell does not have.
    state_update : StateUpdate
        Of inference, the same at every step: for the fast path and streams.
    """
    cdef fr_desc desc
    cdef fr_cell_info cell
    cdef StateUpdate state_update
    cdef list names
    cdef list slots           # of Slot or None
    cdef Py_ssize_t *given_of[4]  # how often each has been given out; NULL for None
    cdef Pack latest
    cdef bint sparse
    cdef Py_ssize_t checked_at  # times given out at the last comparison; -1 if an array was referred to elsewhere

    def __cinit__(self, int cell, int dtype, Py_ssize_t input_size, Py_ssize_t hidden_size, Arrays arrays not None,
                  names, StateUpdate state_update not None):
        cdef size_t nbytes
        memset(&self.desc, 0, sizeof(self.desc))
        check(fr_get_cell_info(<fr_cell>cell, &self.cell))
        self.state_update = state_update
        self.desc.cell, self.desc.dtype, self.desc.isa = <fr_cell>cell, <fr_dtype>dtype, current_isa
        self.desc.I, self.desc.H, self.desc.n_threads = input_size, hidden_size, 1
        check(fr_pack_bytes(&self.desc, FR_FORWARD, &nbytes))
        self.names = list(names)
        self.slots = [None if name is None else arrays.slots[name] for name in self.names]
        for k, slot in enumerate(self.slots[:4]):
            self.given_of[<int>k] = NULL if slot is None else &(<Slot?>slot).given
        self.hold_all()

    cdef list hold_all(self):
        """The arrays of now. They may have been resized or reshaped in place, so they are checked each time."""
        cdef Py_ssize_t H = self.desc.H, rows = self.cell.G * H
        cdef char kind = kind_of(self.desc.dtype)
        cdef Array w_ih, w_hh, b_ih, b_hh
        w_ih, w_hh, b_ih, b_hh = [
            hold(name or "names", None if slot is None else (<Slot?>slot).array, False)
            for name, slot in zip(self.names, self.slots, strict=True)
        ]
        w_ih.required("w_ih")
        w_ih.whole(self.names[0], kind, 2, rows, self.desc.I, 0)
        if self.cell.recurrent:
            w_hh.required("w_hh")
            w_hh.whole(self.names[1], kind, 2, rows, H, 0)
        else:
            w_hh.absent("w_hh")
        b_ih.whole(self.names[2], kind, 1, rows, 0, 0)
        b_hh.whole(self.names[3], kind, 1, rows, 0, 0)
        return [w_ih, w_hh, b_ih, b_hh]

    cdef bint referred_to_elsewhere(self):
        for slot in self.slots:
            if slot is not None and (<Slot>slot).referred_to_elsewhere():
                return True
        return False

    cdef bint referred_to_weakly(self):
        for slot in self.slots:
            if slot is not None and getweakrefcount((<Slot>slot).array):
                return True
        return False

    cdef Py_ssize_t given(self):
        """How often one of the arrays has been given out."""
        cdef Py_ssize_t times = 0
        cdef int k
        for k in range(4):
            if self.given_of[k] != NULL:
                times += self.given_of[k][0]
        return times

    cdef Pack current_pack(self):
        cdef Pack pack
        cdef Py_ssize_t checked_at, given = self.given()  # before references are counted: see `Arrays`
        cdef bint elsewhere
        with cython.critical_section(self):
            pack, checked_at = self.latest, self.checked_at
        if pack is not None and pack.desc.isa == current_isa and given == checked_at:
            return pack
        # Before the comparison: who refers to an array may write it. A weak reference is made from another one.
        elsewhere = self.referred_to_elsewhere() or self.referred_to_weakly()
        arrays = self.hold_all()
        if not self.unchanged(pack, arrays):
            pack = None  # one reference less, so that its memory may be used again
            pack = self.copy(arrays)
        with cython.critical_section(self):
            self.latest, self.checked_at = pack, -1 if elsewhere else given
        return pack

    cdef bint unchanged(self, Pack pack, list arrays):
        cdef Array array
        if pack is None or pack.desc.isa != current_isa:
            return False
        for k, array in enumerate(arrays):
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

    cdef Pack copy(self, list arrays):
        """The arrays as they are now."""
        cdef Pack pack = self.reusable()
        cdef Array array
        if pack is None:
            pack = self.new_pack(arrays)
        else:
            pack.discard()
        for k, array in enumerate(arrays):
            if array.held:
                memcpy(pack.part[<int>k], array.at(), array.view.len)
        if self.sparse:
            check(fr_nonzeros(&self.desc, pack.part[1], &pack.desc.nonzeros))
        return pack

    cdef Pack new_pack(self, list arrays):
        cdef Pack pack = Pack()
        cdef Array array
        cdef Block block
        pack.blocks = []
        pack.desc, pack.cell = self.desc, self.cell
        pack.desc.isa = current_isa
        for k, array in enumerate(arrays):
            pack.part[<int>k] = NULL
            if array.held:
                block = Block(array.view.len)
                pack.part[<int>k] = block.at
                pack.blocks.append(block)
        return pack

    def allow_sparse(self):
        """From now on skip weights of w_hh that are 0, while so many are 0 that this is faster.

        For calls of `forward` and steppers; the fast path leaves those layers to them.
        """
        self.latest, self.sparse = None, True

    def pack(self):
        """The Pack of the weights as they are now."""
        return self.current_pack()

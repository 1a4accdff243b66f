# SPDX-License-Identifier: BSD-3-Clause
# Layers on one another as C takes them, and a call that Ctrl-C can end.

cdef int stop_for_signals(void *raised) noexcept with gil:
    """Has a signal raised an exception, such as KeyboardInterrupt? It is appended to the list `raised`."""
    try:
        PyErr_CheckSignals()
    except BaseException as error:
        (<list>raised).append(error)
        return 1
    return 0


cdef int finish(int code, list raised) except -1:
    """What a call of C that may have been stopped ended with."""
    if code == FR_ESTOPPED:
        raise raised.pop()
    return check(code)


cdef class Layers:
    """fr_stack: the layers of a call, for sequences of T steps and N rows, which the order of a call may cut into parts."""
    cdef fr_stack c
    cdef Block entries  # fr_layer
    cdef int count  # L*D
    cdef Py_ssize_t T, N
    cdef char kind

    cdef int append(self, const fr_desc *own, StateUpdate update) except -1:
        """The next direction of a layer, or the next layer."""
        cdef fr_layer *layer = self.at(self.count)
        cdef int D = self.c.n_directions, k = self.count
        cdef fr_layer *first = layer - k % D
        cdef fr_idx features = D * (first - 1).H if k >= D else (layer - k).I if k else own.I
        if (own.dtype, own.isa) != (self.c.desc.dtype, self.c.desc.isa):
            raise ValueError("layers: expected all of one dtype, packed for one instruction set, got others")
        if own.I != features or k % D and own.H != first.H:
            expected = f"one that reads {features} features, and directions of one size"
            raise ValueError(f"layers: expected {expected}, got I={own.I}, H={own.H}")
        update.check_fits(self.kind, self.T, self.N, own.H)
        layer.cell, layer.I, layer.H, layer.masked = own.cell, own.I, own.H, update.mask.held
        layer.nonzeros = own.nonzeros
        self.count += 1
        return 0

    cdef fr_layer *at(self, int k) noexcept:
        return <fr_layer *>self.entries.at + k


cdef Layers new_layers(const fr_desc *shared, Py_ssize_t count, Py_ssize_t directions):
    """Room for so many layers and directions."""
    cdef Layers self = Layers.__new__(Layers)
    if directions not in (1, 2) or count < 1 or count % directions:
        raise ValueError(f"layers: expected 1 or 2 directions of at least one layer, got {count} in {directions}")
    self.c.desc = shared[0]
    self.c.n_layers, self.c.n_directions = count // directions, directions
    self.entries = Block(count * sizeof(fr_layer))
    self.c.layers = <fr_layer *>self.entries.at
    self.T, self.N, self.kind = shared.T, shared.N, kind_of(shared.dtype)
    return self


cdef Block workspace_for(Pack pack, const fr_stack *stack, fr_pass which):
    """The workspace of the latest call with these weights, if it is large enough and not in use; else a new one."""
    cdef Block block
    cdef size_t nbytes
    check(fr_stack_workspace_bytes(stack, which, &nbytes))
    with cython.critical_section(pack):
        block, pack.workspace = pack.workspace, None
    return Block(nbytes) if block is None or block.nbytes < nbytes else block


cdef void keep_workspace(Pack pack, Block block) noexcept:
    with cython.critical_section(pack):
        pack.workspace = block if block.nbytes <= SPARE_BYTES else None


cdef bint must_pack(Pack pack, const fr_stack *stack, fr_pass which, threads=None):
    """Does a pass of a training step use packed weights? Else the copies serve as they are.

    More than one forward pass may have the same weights: the second packs them. threads() is the number of threads that
    may pack, unless it is that of the call.
    """
    cdef fr_desc d = stack.desc
    cdef bint again
    d.cell, d.I, d.H, d.nonzeros = pack.desc.cell, pack.desc.I, pack.desc.H, pack.desc.nonzeros
    if pack.packed[<int>which] is not None:
        return True
    if threads is not None:
        d.n_threads = min(<int>threads(), FR_MAX_THREADS)
    if fr_must_pack(&d, which):
        return True
    if which == FR_BACKWARD:
        return False
    with cython.critical_section(pack):
        again, pack.read = pack.read, True
    return again


cdef void give_copies(Pack pack, fr_forward_args *a) noexcept:
    """The weights as they are."""
    a.w_ih, a.w_hh, a.b_ih, a.b_hh = pack.part[0], pack.part[1], pack.part[2], pack.part[3]

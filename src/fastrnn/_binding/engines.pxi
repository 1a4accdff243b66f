# SPDX-License-Identifier: BSD-3-Clause
# Cells, engines and threads, as C lists them.

def _read_cells():
    cdef fr_cell_info info
    cells = {}
    for cell in range(FR_N_CELLS):
        check(fr_get_cell_info(<fr_cell>cell, &info))
        letters = info.gates.decode()
        cells[info.name.decode()] = (
            cell, info.G, info.S, bool(info.has_c), bool(info.recurrent),
            tuple(letters), tuple(info.gate_block[k] for k in range(len(letters))),
            info.activation.decode() if info.activation != NULL else None,
        )
    return cells


# name -> (code, gates G, tape blocks S, has a cell state, has recurrent weights, names of the gates in PyTorch's order,
# the block of the tape that holds each after its activation, activation of a plain recurrent cell or None)
CELLS = _read_cells()
BUILT_ISAS = tuple(fr_isa_name(k).decode() for k in range(fr_isa_count()))  # best first
ISAS = tuple(name for k, name in enumerate(BUILT_ISAS) if fr_isa_usable(k))

cdef int current_isa = BUILT_ISAS.index(ISAS[0])  # the best that this machine can run, not the best in the build


def set_isa(str name):
    """Choose the engine of every later call."""
    global current_isa
    if name not in BUILT_ISAS:
        raise ValueError(f"isa: expected one of {', '.join(ISAS)}, got {name!r}")
    if not fr_isa_usable(BUILT_ISAS.index(name)):
        raise ValueError(f"isa: this machine cannot run {name!r}; it can run {', '.join(ISAS)}")
    current_isa = BUILT_ISAS.index(name)


def get_isa():
    return BUILT_ISAS[current_isa]


def openmp():
    return bool(fr_openmp())


MAX_THREADS = FR_MAX_THREADS


def thread_limit():
    return fr_thread_limit()


def max_threads():
    return fr_max_threads()

# SPDX-License-Identifier: BSD-3-Clause
"""The probes do the work that they say they did, on every engine and number of threads."""

import pytest
from support.engines import VECTOR_BYTES

from fastrnn import _core

DTYPES = {"float32": (0, 4), "float64": (1, 8)}


@pytest.mark.parametrize("n_threads", [1, 2])
def test_fma_counts_whole_vectors_of_chains(isa, dtype, n_threads):
    """Two operations an element, as many chains as a tile has accumulators, each pass, each thread."""
    code, itemsize = DTYPES[dtype.name]
    width = VECTOR_BYTES[isa] // itemsize
    seconds, flop = _core.probe("fma", code, 512, 1000, n_threads)
    assert flop / (2 * width * 1000 * n_threads) in (12, 24)
    assert seconds > flop / 1e13


@pytest.mark.parametrize("nbytes", [512, 1000, 1 << 16])
def test_read_counts_the_bytes_that_it_reads(isa, dtype, nbytes):
    """All of them, but for a remainder smaller than eight vectors."""
    _, work = _core.probe("read", DTYPES[dtype.name][0], nbytes, 10, 2)
    read = work / (10 * 2)
    assert nbytes - 512 < read <= nbytes and read > 0


def test_more_passes_take_longer(isa, dtype):
    """The loops are really run: a hundred times the passes take more than ten times the time."""
    for what in ("fma", "read"):
        short, long = (
            min(_core.probe(what, DTYPES[dtype.name][0], 1 << 14, repeats, 1)[0] for _ in range(5))
            for repeats in (300, 30000)
        )
        assert long > 10 * short


@pytest.mark.parametrize(("n_threads", "repeats"), [(2, 500), (9, 50), (24, 20)])
def test_threads_meet_as_often_as_requested(isa, n_threads, repeats):
    """Returns only when every barrier has been passed, and says how many. More than 8 arrive at several nodes."""
    assert _core.probe("barrier", 0, 512, repeats, n_threads)[1] == repeats


@pytest.mark.parametrize(("nbytes", "repeats", "n_threads"), [(511, 1, 1), (512, 0, 1)])
def test_sizes_out_of_range_are_refused(nbytes, repeats, n_threads):
    with pytest.raises(ValueError, match="out of range"):
        _core.probe("fma", 0, nbytes, repeats, n_threads)


def test_an_unknown_probe_is_refused():
    with pytest.raises(KeyError):
        _core.probe("write", 0, 512, 1, 1)

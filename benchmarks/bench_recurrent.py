# SPDX-License-Identifier: BSD-3-Clause
"""recurrent.py: RNN, LSTM and GRU, one shape of each class, inference and training, on one thread and on all."""

import pytest

import fastrnn as fr

from .cases import GATES, data
from .machine import usable_cores
from .peers.fastrnn import Peer
from .timing import CLASSES, case_of, measure


@pytest.mark.parametrize("threads", sorted({1, usable_cores()}))
@pytest.mark.parametrize("training", [False, True], ids=["infer", "train"])
@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("group", CLASSES)
def bench_recurrent(benchmark, group, cell, training, threads):
    case = case_of(group, cell, training)
    try:
        call, _ = Peer(threads).prepare(case, data(case))
        name = f"{group} {cell} {'train' if training else 'infer'}"
        measure(benchmark, name, call, case.flop, threads=threads, shape=case.shape)
    finally:
        fr.set_num_threads(None)

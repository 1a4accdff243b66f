# SPDX-License-Identifier: BSD-3-Clause
"""RNN, LSTM and GRU: one shape of each class, inference and training, on one thread and on all cores."""

from typing import Any

import pytest

import fastrnn as fr

from ._suite.cases import make_data
from ._suite.machine import usable_cores
from ._suite.peers.fastrnn import FastrnnPeer
from ._suite.table import CELLS
from ._suite.timing import SHAPES, make_case, measure


@pytest.mark.parametrize("threads", sorted({1, usable_cores()}))
@pytest.mark.parametrize("training", [False, True], ids=["infer", "train"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("group", SHAPES)
def bench_recurrent(benchmark: Any, group: str, cell: str, training: bool, threads: int) -> None:
    case = make_case(group, cell, training)
    try:
        call, _ = FastrnnPeer(threads).prepare(case, make_data(case))
        name = f"{group} {cell} {'train' if training else 'infer'}"
        measure(benchmark, name, call, case.flop, threads=threads, shape=case.shape)
    finally:
        fr.set_num_threads(None)

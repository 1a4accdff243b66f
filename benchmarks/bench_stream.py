# SPDX-License-Identifier: BSD-3-Clause
"""stream.py: one step into an array that the caller has."""

import pytest

from .cases import STREAMING, Case, data
from .peers.fastrnn import Peer
from .timing import measure


@pytest.mark.parametrize("H", STREAMING)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def bench_step(benchmark, cell, H):
    case = Case("streaming", cell, 1, 1, H, H)
    call, _ = Peer(1).prepare(case, data(case))
    measure(benchmark, f"stream {cell}", call, case.flop, shape=case.shape)

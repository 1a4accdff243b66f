# SPDX-License-Identifier: BSD-3-Clause
"""Streams: one step, written into an array of the caller."""

from typing import Any

import pytest

from ._suite.cases import Case, make_data
from ._suite.peers.fastrnn import FastrnnPeer
from ._suite.table import STREAMING
from ._suite.timing import measure


@pytest.mark.parametrize("H", STREAMING)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def bench_step(benchmark: Any, cell: str, H: int) -> None:
    case = Case("streaming", cell, 1, 1, H, H)
    call, _ = FastrnnPeer(1).prepare(case, make_data(case))
    measure(benchmark, f"stream {cell}", call, case.flop, shape=case.shape)

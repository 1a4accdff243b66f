# SPDX-License-Identifier: BSD-3-Clause
"""Which losses are given the positions of packed rows."""

from functools import partial

import pytest
from support.every_loss import CASES

import fastrnn as fr
from fastrnn.losses._positions import takes_positions


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_those_of_this_package(case):
    assert takes_positions(case.loss) and takes_positions(partial(case.loss, reduction="sum"))


def test_no_others():
    assert not takes_positions(fr.ctc_loss)  # of whole rows
    assert not takes_positions(lambda y, target, lengths=None: fr.mse_loss(y, target, lengths=lengths))

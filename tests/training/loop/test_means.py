# SPDX-License-Identifier: BSD-3-Clause
"""Running means, each with a weight of its own."""

import pytest

from fastrnn.losses import Mean, Sum
from fastrnn.training._loop.means import Means


def test_each_name_has_its_weight():
    """A Mean and a Sum bring theirs; any other number has that of its batch."""
    means = Means()
    means.add({"loss": Mean(6.0, 4), "sum": Sum(6.0, 4), "plain": 1.0}, 10)
    means.add({"loss": Mean(3.0, 2), "sum": Sum(3.0, 2), "plain": 4.0}, 5)
    means.add({"loss": Mean(1.0, 0)}, 7)  # as of smoothed targets of weight 0
    assert means.values() == {"loss": 10 / 6, "sum": 9 / 6, "plain": 2.0}
    assert all(type(value) is float for value in means.values().values())


def test_nothing_counted_is_zero():
    means = Means()
    means.add({"loss": Mean(0.0, 0), "plain": 3.0}, 0)
    assert means.values() == {"loss": 0.0, "plain": 0.0}


def test_state():
    means, other = Means(), Means()
    means.add({"loss": Mean(6.0, 4), "plain": 1.0}, 10)
    other.load_state_dict(means.state_dict())
    for each in means, other:
        each.add({"loss": Mean(3.0, 2), "plain": 4.0}, 5)
    assert other.values() == means.values() == {"loss": 1.5, "plain": 2.0}


def test_state_of_earlier_versions():
    """They had one weight for all names."""
    means = Means()
    means.load_state_dict({"totals": {"loss": 6.0, "grad_norm": 3.0}, "weight": 3})
    means.add({"loss": 4.0, "grad_norm": Mean(1.0, 1)}, 1)
    assert means.values() == {"loss": pytest.approx(2.5), "grad_norm": 1.0}

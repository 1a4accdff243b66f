# SPDX-License-Identifier: BSD-3-Clause
"""A fault in each way of running a model is found."""

import numpy as np
import pytest
from fuzz import models
from fuzz.models import Models
from fuzz.runner import run
from support.child import linux_only

import fastrnn as fr


def wrong(monkeypatch, owner, name, change):
    """`owner.name` gives what `change` makes of its result."""
    original = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *args, **options: change(original(*args, **options)))


def nudged(y):
    """The next number, of the first one of several rows."""
    y = np.array(y)
    if y.ndim > 2 and min(y.shape):
        y.flat[0] = np.nextafter(y.flat[0], np.inf, dtype=y.dtype)
    return y


FAULTS = {
    "batched": lambda m: wrong(m, fr.Linear, "__call__", nudged),
    "predicted": lambda m: wrong(m, fr, "predict", lambda y: [2 * row for row in y] if isinstance(y, list) else y),
    "streamed": lambda m: wrong(m, fr.StreamPool, "step", lambda y: {key: -row for key, row in y.items()}),
    "evaluated": lambda m: wrong(m, fr, "evaluate", lambda means: {"loss": 1.01 * means["loss"]}),
    "trained": lambda m: wrong(m, fr, "SGD", lambda rule: setattr(rule, "lr", 1.1) or rule),
}


@linux_only
@pytest.mark.parametrize("way", FAULTS)
def test_a_fault_in_each_way_is_found_and_found_again(way, monkeypatch, tmp_path):
    if way in ("batched", "predicted", "streamed"):
        monkeypatch.setattr(models, "WAYS", (getattr(models, way),) * 3)
    with monkeypatch.context() as patched:
        FAULTS[way](patched)
        (fault, *_) = run(Models, tmp_path, 1, cases=60, most_faults=1).faults
        assert "AssertionError" in fault.what
        assert run(Models, tmp_path, 1, first=fault.case, cases=1).faults == [fault]
    assert run(Models, tmp_path, 1, first=fault.case, cases=1).faults == []

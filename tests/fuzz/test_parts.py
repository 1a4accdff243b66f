# SPDX-License-Identifier: BSD-3-Clause
"""Each of the parts is attacked, and a fault in it is found."""

import numpy as np
import pytest
from fuzz import parts
from fuzz.parts import Parts
from fuzz.runner import run
from support import every_loss, optimizers
from support.child import linux_only

import fastrnn as fr


def wrong(monkeypatch, owner, name, change):
    """`owner.name` gives what `change` makes of its result."""
    original = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *args, **options: change(original(*args, **options)))


def scaled(result):
    return (result[0] * 1.001, *result[1:])


def one_row(result):
    """A bit of the context, of one row alone."""
    context, *others = result
    return (np.nextafter(context, 9, dtype=context.dtype) if context.shape[1] == 1 else context), *others


def loss_of_many_steps(prediction, target):
    result = fr.mse_loss(prediction, target)
    return scaled(result) if len(prediction) > 1 else result


def optimizer_that_looks_around(monkeypatch):
    """The last number of each array is updated otherwise."""

    class Wrong(fr.SGD):
        def step(self):
            super().step()
            for array in self.model.params.values():
                array[-1:] += 1

    monkeypatch.setattr(optimizers, "CASES", {"sgd": (Wrong, {"lr": 0.1})})


MSE = every_loss.CASES["mse"]
FAULTS = {
    "linear": lambda m: wrong(m, fr.Linear, "backward", lambda dx: dx * np.float32(1.001)),
    "embedding": lambda m: wrong(m, fr.Embedding, "forward", scaled),
    "any_layer": lambda m: wrong(m, fr.Linear, "backward", lambda dx: dx * np.float32(1.001)),
    "attention": lambda m: wrong(m, fr.Attention, "forward", one_row),
    "loss": lambda m: m.setattr(every_loss, "CASES", {"mse": MSE._replace(loss=loss_of_many_steps)}),
    "ctc": lambda m: wrong(m, fr, "ctc_loss", scaled),
    "optimizer": optimizer_that_looks_around,
    "norm": lambda m: wrong(m, parts, "sum_of_squares", lambda total: total * (1 + 1e-12)),
}  # fmt: skip


@linux_only
@pytest.mark.parametrize("part", parts.PARTS, ids=lambda part: part.__name__)
def test_a_fault_in_each_part_is_found_and_found_again(part, monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "PARTS", (part,))
    with monkeypatch.context() as patched:
        FAULTS[part.__name__](patched)
        (fault, *_) = run(Parts, tmp_path, 1, cases=60, most_faults=1).faults
        assert "AssertionError" in fault.what
        assert run(Parts, tmp_path, 1, first=fault.case, cases=1).faults == [fault]
    assert run(Parts, tmp_path, 1, first=fault.case, cases=1).faults == []

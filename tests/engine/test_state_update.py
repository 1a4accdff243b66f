# SPDX-License-Identifier: BSD-3-Clause
"""Arrays of a state update that do not fit the sequence."""

import re

import numpy as np
import pytest

import fastrnn as fr
from fastrnn._engine import passes

MISFITS = {
    "fraction_h": [(5,), (4,), (7, 2, 4), (6, 3, 4), (2, 4)],
    "mask": [(4,), (3, 4), (2, 5), (6, 2, 4)],
}


@pytest.mark.parametrize(("name", "shape"), [(name, shape) for name, shapes in MISFITS.items() for shape in shapes])
def test_an_array_that_does_not_fit_is_named(name, shape):
    """With what it should be and what it is; the engine would read beyond its end."""
    layer, x = fr.GRU(3, 4, seed=0), np.zeros((6, 2, 3), np.float32)
    y, final = np.empty((6, 2, 4), np.float32), np.empty((2, 4), np.float32)
    dtype = np.float64 if name == "fraction_h" and shape == (4,) else np.float32
    update = passes.StateUpdate(**{name: np.ones(shape, dtype)})
    pack = layer.stack.weights[0].pack()
    expected = r"\(6, 2, 4\) or \(4,\)" if name == "fraction_h" else r"a C-ordered \(2, 4\)"
    with pytest.raises(ValueError, match=rf"{name}: expected {expected} of float32, got {re.escape(str(shape))} of "):
        passes.forward(layer.cell, pack, passes.Recurrence(None, update), x, y, (None, None), (final, None))


def test_a_mask_in_another_order_is_refused():
    layer, x = fr.GRU(3, 4, seed=0), np.zeros((6, 2, 3), np.float32)
    y, final = np.empty((6, 2, 4), np.float32), np.empty((2, 4), np.float32)
    update = passes.StateUpdate(mask=np.ones((4, 4), np.float32)[::2])
    with pytest.raises(ValueError, match="mask: expected a C-ordered"):
        pack = layer.stack.weights[0].pack()
        passes.forward(layer.cell, pack, passes.Recurrence(None, update), x, y, (None, None), (final, None))

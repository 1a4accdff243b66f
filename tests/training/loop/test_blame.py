# SPDX-License-Identifier: BSD-3-Clause
"""An error of a shuffled batch names the row of the caller's data."""

import numpy as np
import pytest
from support.training import T, fit, make_model

import fastrnn as fr


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize("validated", [False, True])
def test_a_token_that_is_none(as_list, validated):
    model = fr.Sequential(fr.Embedding(9, 4, seed=0), fr.GRU(4, 2, seed=1))
    x = np.ones((5, 40), int)
    good, y = x.copy(), np.zeros((5, 40, 2))
    x[3, 17] = 9
    rows = lambda array: list(array.swapaxes(0, 1)) if as_list else array  # noqa: E731
    data = rows(good if validated else x), rows(y)
    with pytest.raises(ValueError, match=r"tokens: expected integers in 0..8, got 9 at position") as caught:
        fit(model, data, validation=(rows(x), rows(y)) if validated else None)
    notes = [note for note in caught.value.__notes__ if note.startswith("row ")]
    assert notes == ["row 17 of the data alone: tokens: expected integers in 0..8, got 9 at position (3, 0)"]


def test_a_label_that_is_none(rng):
    x, labels = rng.standard_normal((T, 40, 2)).astype(np.float32), np.zeros(40, int)
    labels[23] = 5
    with pytest.raises(ValueError, match="targets: expected integers in 0..1") as caught:
        fit(make_model(), (x, labels), fr.cross_entropy)
    assert (
        "row 23 of the data alone: targets: expected integers in 0..1, got 5 at position (0,)" in caught.value.__notes__
    )
    with pytest.raises(ValueError) as caught:
        fr.evaluate(make_model(), fr.cross_entropy, x, labels)
    assert caught.value.__notes__[-1].startswith("row 23 of the data alone")


def test_numbers_that_are_not_finite(rng):
    x, y = rng.standard_normal((T, 40, 2)).astype(np.float32), np.zeros((40, 2))
    x[2, 31] = np.nan
    with pytest.raises(FloatingPointError, match="expected a finite loss") as caught:
        fit(make_model(), (x, y))
    assert caught.value.__notes__ == ["x of this batch holds nan or inf", "x holds nan or inf in row 31"]


def test_an_error_of_no_single_row(rng):
    """A loss that fails for every batch of more than one row; and batches that are no rows."""

    def loss(y, target):
        if len(y) > 1:
            raise ValueError("too many")
        return 0.0, np.zeros_like(y)

    x, y = rng.standard_normal((T, 4, 2)).astype(np.float32), np.zeros((4, 2))
    for data in (x, y), ([(x, y)],):
        with pytest.raises(ValueError, match="too many") as caught:
            fit(make_model(), data, loss)
        assert caught.value.__notes__ == ["in step 1 of fit, in epoch 1"]

# SPDX-License-Identifier: BSD-3-Clause
"""Uses of a trace: one row, a file, a table."""

import sys

import numpy as np
import pytest
from support.layers import assert_same_arrays, assert_same_bits, mixed_model, refused

import fastrnn as fr
from fastrnn.inspect import Trace, trace


def draw(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


@pytest.fixture
def attended(rng):
    """A trace of states (2, 1, 4, 3, 5) and of attention weights (4, 3, 6), rows of 4, 0 and 2 steps."""
    axes = {name: ("layer", "direction", "t", "n", "unit") for name in ("layer.h", "layer.z")}
    arrays = {name: draw(rng, 2, 1, 4, 3, 5) for name in axes} | {"attention.weights": draw(rng, 4, 3, 6)}
    lengths = dict.fromkeys(("layer", "attention"), np.array([4, 0, 2]))
    return Trace(arrays, axes | {"attention.weights": ("t", "n", "memory")}, lengths, None)


def test_attention_is_picked_by_its_own_axes(attended):
    one = attended.pick("attention", n=2)
    assert one.axes == {"weights": ("t", "memory")} and list(attended.layers) == ["layer", "attention"]
    assert_same_bits(one["weights"], attended["attention.weights"][:2, 2])
    table = attended.to_dataframe("attention")
    assert table.index.names == ["t", "n", "memory"] and len(table) == (4 + 0 + 2) * 6


def test_pick_gives_what_plots_draw(rng):
    """One row, layer and direction: (t, unit), up to the length of the row."""
    x = draw(rng, 5, 3, 3)
    result = trace(mixed_model(), x, [5, 0, 3])
    one = result.pick("1", layer=0, direction=1, n=2)
    assert list(one) == list("hcifgo") and one.axes["f"] == ("t", "unit")
    assert_same_bits(one["f"], result["1.f"][0, 1, :3, 2])
    assert result.pick("1", n=1)["h"].shape == (0, 2)
    assert_same_bits(result.pick("2.0", n=-1)["z"], result["2.0.z"][-1, 0, :3, 2])
    assert_same_bits(trace(fr.RNN(3, 2, seed=0), x).pick()["h"], fr.RNN(3, 2, seed=0)(x)[0][:, 0])
    for wrong, word in (
        ({"layer": 2}, "layer: expected at most 1, got 2"),
        ({"n": -4}, "n: expected at least -3, got -4"),
    ):
        with refused(ValueError, word):
            result.pick("1", **wrong)
    with refused(TypeError, "direction: expected an integer, got 0.5"):
        result.pick("1", direction=0.5)


def test_steps_with_nan_are_kept(rng):
    """A state that has become NaN is not mistaken for the end of its row."""
    layer, x = fr.RNN(3, 2, nonlinearity="identity", seed=0), draw(rng, 5, 2, 3)
    x[2, 0] = np.nan
    result = trace(layer, x, [5, 4])
    assert result.lengths[""].tolist() == [5, 4]
    assert np.isnan(result.pick()["h"][2:]).all() and result.pick()["h"].shape == (5, 2)


def test_to_npz(rng, tmp_path):
    result = trace(mixed_model(), draw(rng, 5, 2, 3))
    result.to_npz(tmp_path / "trace.npz")
    with np.load(tmp_path / "trace.npz") as file:
        assert_same_arrays({name: file[name] for name in file.files}, dict(result))


def test_to_dataframe(rng):
    """A row for each position, a column for each array; without the steps beyond the lengths."""
    pandas = pytest.importorskip("pandas")
    result = trace(fr.LSTM(3, 4, 2, bidirectional=True, seed=0), draw(rng, 5, 2, 3), [5, 2])
    table = result.to_dataframe()
    assert table.index.names == ["layer", "direction", "t", "n", "unit"]
    assert list(table.columns) == list("hcifgo")
    assert len(table) == 2 * 2 * (5 + 2) * 4
    assert isinstance(table, pandas.DataFrame) and not table.isna().any(axis=None)
    assert table.loc[(1, 0, 3, 0, 2), "f"] == result["f"][1, 0, 3, 0, 2]
    assert (1, 0, 3, 1, 2) not in table.index
    row = result.pick(layer=1, n=1).to_dataframe()
    assert row.index.names == ["t", "unit"] and len(row) == 2 * 4 and row.loc[(1, 2), "f"] == result["f"][1, 0, 1, 1, 2]


def test_to_dataframe_of_one_layer_of_several(rng):
    pytest.importorskip("pandas")
    result = trace(mixed_model(), draw(rng, 5, 2, 3))
    assert list(result.to_dataframe("2.0").columns) == ["h", "r", "z", "n"]
    for wrong in None, "0":
        with refused(ValueError, f"name: expected one of '1', '2.0', '3', got {wrong!r}"):
            result.to_dataframe(wrong)


def test_to_dataframe_without_pandas(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with refused(ImportError, 'pip install "fastrnn[inspect]"'):
        trace(fr.RNN(3, 4), draw(rng, 5, 2, 3)).to_dataframe()


def test_the_error_for_an_unknown_name_lists_the_known_ones(rng):
    result = trace(fr.GRU(3, 4), draw(rng, 5, 2, 3))
    assert isinstance(result, Trace) and "c" not in result and len(result) == 4
    with refused(KeyError, "no array 'c'; the names are h, r, z, n"):
        result["c"]
    assert "z: (1, 1, 5, 2, 4)" in repr(result)

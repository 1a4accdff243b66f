# SPDX-License-Identifier: BSD-3-Clause
"""The data of a page on signals: features, outputs, and the influence on each output."""

import numpy as np
import pytest
from support.inspection import block_of, draw, meta_of, tagger

import fastrnn as fr
from fastrnn.inspect import Reading, influence, read_array, report, trace
from fastrnn.inspect._report.predictions import recent_influence
from fastrnn.inspect._report.signals import CURVES, as_curves


def predictor(F=3, I=2):
    """Causal: x (T, I) to y (T, F)."""
    return fr.Sequential(fr.GRU(I, 5, seed=0), fr.Linear(5, F, seed=1))


def test_features_and_outputs_are_curves(rng):
    """With their names and units, in float32."""
    x, model = draw(rng, 30, 2), tagger()
    page = report(model, read_array(model, x, features=["speed", "load"], units=["m/s", ""]))
    meta = meta_of(page)
    outputs = ["output 0", "output 1", "output 2"]
    assert meta["signals"] == {"features": ["speed", "load"], "units": ["m/s", ""], "outputs": outputs}
    assert meta["steps"] == 30 and "labels" not in meta
    np.testing.assert_array_equal(block_of(page, "x", "<f4").reshape(30, 2), x)
    np.testing.assert_array_equal(block_of(page, "y", "<f4").reshape(30, 3), model(x)[0])


def test_names_by_default(rng):
    x = draw(rng, 4, 2)
    signals = meta_of(report(tagger(), read_array(tagger(), x)))["signals"]
    assert signals["features"] == ["x0", "x1"] and signals["units"] == ["", ""]
    bare = meta_of(report(tagger(), Reading(x, ["-"] * 4, [], None, None)))  # without names
    assert bare["signals"] == signals


def test_influence_on_each_output(rng):
    """(output, T, window), relative to the largest of each row."""
    x, model = draw(rng, 30, 2), predictor()
    page = report(model, read_array(model, x), window=7)
    shown = block_of(page, "influence", "u1").reshape(3, 30, 7)
    for k in range(3):
        expected = recent_influence(model, x, trace(model, x), np.full(30, k), 7)
        assert np.abs(shown[k] / 255 - expected / expected.max(axis=1, keepdims=True)).max() <= 0.5001 / 255
    assert meta_of(page)["window"] == 7 and not meta_of(page)["whole"] and "gradient of the chosen output" in page


def test_influence_on_outputs_after_the_last_step(rng):
    """(output, T), of all steps; these outputs have no curve."""
    x, model = draw(rng, 12, 2), fr.Sequential(fr.GRU(2, 5, bidirectional=True, seed=0), fr.MeanPool())
    page = report(model, read_array(model, x))
    meta, shown = meta_of(page), block_of(page, "influence", "u1").reshape(10, 12)
    for k in range(10):
        expected = influence(model, x, output=k)
        assert np.abs(shown[k] / 255 - expected / expected.max()).max() <= 0.5001 / 255
    assert meta["whole"] and meta["window"] == 0 and meta["signals"]["outputs"] == []
    assert meta["predictions"]["title"] == "Largest outputs after the last step"
    y = model(x)[0]
    np.testing.assert_array_equal(block_of(page, "top", "<u4"), np.argsort(-y, kind="stable"))


def test_only_the_first_of_many_are_drawn(rng):
    x, model = draw(rng, 6, 13), predictor(14, 13)
    page = report(model, read_array(model, x), window=2)
    signals = meta_of(page)["signals"]
    assert [len(signals[name]) for name in ("features", "units", "outputs")] == [CURVES] * 3
    np.testing.assert_array_equal(block_of(page, "x", "<f4").reshape(6, CURVES), x[:, :CURVES])
    assert block_of(page, "influence", "u1").size == CURVES * 6 * 2
    for count, what in (13, "features"), (14, "outputs"):
        assert f"The first {CURVES} of {count} {what} are drawn." in page


def test_a_diverged_model_and_one_step():
    model = predictor()
    model.params["0.weight_hh_l0"][...] = np.nan
    page = report(model, read_array(model, np.ones((1, 2))))
    assert np.isnan(block_of(page, "y", "<f4")).all() and not block_of(page, "influence", "u1").any()


def test_names_cannot_end_a_script(rng):
    model, name = predictor(), "</script><b>"
    page = report(model, read_array(model, draw(rng, 3, 2), features=[name, "b"]))
    assert meta_of(page)["signals"]["features"] == [name, "b"] and name not in page


@pytest.mark.filterwarnings("error")
def test_what_float32_cannot_hold_has_no_point():
    np.testing.assert_array_equal(as_curves(np.array([[1e300, 1.5]])), np.array([[np.inf, 1.5]], np.float32))

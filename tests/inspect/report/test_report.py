# SPDX-License-Identifier: BSD-3-Clause
"""The page: its data are those of `trace`."""

import re

import numpy as np
import pytest
from support.inspection import TEXT, VOCABULARY, block_of, meta_of, tagger, text_model
from support.layers import refused

import fastrnn as fr
from fastrnn.inspect import inside_quotes, rank_units, read_array, read_text, report, trace
from fastrnn.inspect._report.predictions import recent_influence
from fastrnn.inspect._report.report import quantized


def test_states_and_gates_are_those_of_the_trace():
    """Each within half a step of the scale of its unit."""
    model = text_model()
    reading = read_text(model, TEXT, VOCABULARY)
    page, result = report(model, reading), trace(model, reading.x)
    meta, T = meta_of(page), len(TEXT)
    assert meta["labels"] == list(TEXT) and meta["unknown"] == [] and not meta["spaced"]
    assert [recurrence["name"] for recurrence in meta["recurrences"]] == ["1: layer 0", "1: layer 1"]
    for k, recurrence in enumerate(meta["recurrences"]):
        assert recurrence["units"] == 20 and [array["name"] for array in recurrence["arrays"]] == list("hcifgo")
        for array in recurrence["arrays"]:
            assert array["gate"] == (array["name"] in "ifo")
            values = result[f"1.{array['name']}"][k, 0, :, 0]
            scale = block_of(page, array["id"] + "-scale", "<f4")
            shown = block_of(page, array["id"], "i1").reshape(T, 20) * scale
            np.testing.assert_allclose(scale, np.abs(values).max(axis=0) / 127, rtol=1e-6)
            assert (np.abs(shown - values) <= 0.5001 * scale).all()


def test_the_next_token():
    """The ten most probable tokens, the probability of the actual one, and the mean of its negative logarithm."""
    model = text_model()
    reading = read_text(model, TEXT, VOCABULARY)
    page, logits = report(model, reading), model(reading.x)[0]
    predicted, p = meta_of(page)["predictions"], np.exp(fr.log_softmax(logits))
    assert predicted["softmax"] and predicted["names"] == VOCABULARY and predicted["top"] == 10
    assert predicted["next"] == [*reading.tokens[1:].tolist(), None]
    top = block_of(page, "top", "<u4").reshape(len(TEXT), 10)
    np.testing.assert_array_equal(top, np.argsort(-p, axis=1, kind="stable")[:, :10])
    values = block_of(page, "top-value", "<f4").reshape(len(TEXT), 10)
    np.testing.assert_allclose(values, np.take_along_axis(p, top.astype(int), 1), rtol=1e-6)
    comes = p[np.arange(len(TEXT) - 1), reading.tokens[1:]]
    np.testing.assert_allclose(block_of(page, "next-p", "<f4")[:-1], comes, rtol=1e-6)
    assert f"{-np.log(comes).mean():.3f} nats per next token" in page


def test_influence():
    model = text_model()
    reading = read_text(model, TEXT, VOCABULARY)
    page, result = report(model, reading, window=5), trace(model, reading.x)
    chosen = np.append(reading.tokens[1:], model(reading.x)[0][-1].argmax())
    expected = recent_influence(model, reading.x, result, chosen, 5, softmax=True)
    shown = block_of(page, "influence", "u1").reshape(len(TEXT), 5)
    assert meta_of(page)["window"] == 5
    assert np.abs(shown / 255 - expected / expected.max(axis=1, keepdims=True)).max() <= 0.5001 / 255


def test_matches_are_the_best_units_of_each_property():
    model = text_model()
    reading = read_text(model, TEXT, VOCABULARY)
    (match,) = (one for one in meta_of(report(model, reading))["matches"] if one["text"].startswith("inside quotes"))
    best = rank_units(trace(model, reading.x), inside_quotes(TEXT))[0]
    assert match["unit"] == best.unit and match["recurrence"] == best.layer
    assert match["text"].endswith(f"unit {best.unit}, {best.name[2:]}, 1: layer {best.layer}, AUC {best.score:.2f}")


def test_signals_and_both_directions():
    """A tagger: its outputs are not tokens, and they depend on later steps, so that no influence is shown."""
    x = np.random.default_rng(0).standard_normal((30, 2)).astype(np.float32)
    model = tagger()
    meta = meta_of(report(model, read_array(model, x)))
    assert [recurrence["name"] for recurrence in meta["recurrences"]] == ["0: layer 0, forward", "0: layer 0, backward"]
    assert meta["window"] == 0 and meta["matches"] == []
    assert meta["predictions"]["names"] == ["output 0", "output 1", "output 2"] and meta["predictions"]["next"] is None


def test_after_pooling_there_are_no_predictions_at_each_step():
    model = fr.Sequential(fr.RNN(2, 5, seed=0), fr.LastStep(), fr.RepeatVector(2), fr.GRU(5, 3, seed=1))
    meta = meta_of(report(model, read_array(model, np.ones((4, 2)))))
    assert [recurrence["name"] for recurrence in meta["recurrences"]] == ["0: layer 0"] and meta["predictions"] is None


def test_a_page_loads_nothing():
    """No address of another file, and a policy that would stop one."""
    page = report(text_model(), read_text(text_model(), TEXT, VOCABULARY), title="<b>&")
    assert "<title>&lt;b&gt;&amp;</title>" in page
    assert not re.search(r"""(?:src|href)\s*=|url\(|@import|https?:""", page)
    assert "default-src 'none'" in page
    assert page.count("</script>") == page.count("<script")  # that of the text is not one


def test_nothing_moves_by_itself():
    """As those wish who prefer reduced motion; the browser jumps, too, where it would scroll smoothly."""
    for model, reading in (
        (text_model(), read_text(text_model(), TEXT, VOCABULARY)),
        (tagger(), read_array(tagger(), np.ones((3, 2)))),
    ):
        assert not re.search(
            r"transition|animat(?!ionFrame)|smooth|setInterval|setTimeout", report(model, reading), re.I
        )


def test_quantized():
    """127 steps to each side; NaN and infinity have a byte of their own; a unit of zeros stays 0."""
    values = np.array([[1.0, 0, np.nan], [-2.0, 0, 3], [0.5, 0, -np.inf]], np.float32)
    q, scale = quantized(values)
    assert q.dtype == np.int8 and q.tolist() == [[64, 0, -128], [-127, 0, 127], [32, 0, -128]]
    np.testing.assert_allclose(scale, [2 / 127, 0, 3 / 127], rtol=1e-6)


def test_bad_arguments():
    model = text_model()
    reading = read_text(model, TEXT, VOCABULARY)
    with refused(TypeError, "reading: expected what read_text or read_array returned, got str"):
        report(model, TEXT)
    with refused(ValueError, "window: expected at least 1, got 0"):
        report(model, reading, window=0)
    encoder, decoder = fr.Sequential(*model.layers[:2]), fr.LSTM(4, 20, 2)
    with refused(ValueError, "model: expected one that reads a single sequence, got Seq2Seq"):
        report(fr.Seq2Seq(encoder, fr.Embedding(5, 4), decoder, fr.Linear(20, 5)), reading)
    with refused(ValueError, "model: expected a recurrent layer in it, got Sequential"):
        report(fr.Sequential(model.layers[0], fr.Linear(4, 5)), reading)


def test_a_model_that_has_diverged():
    """Its page can be made, without a cast that overflows a byte."""
    model = text_model()
    model.params[next(name for name in model.params if "weight_hh" in name)][...] = np.nan
    page = report(model, read_text(model, TEXT, VOCABULARY))
    assert meta_of(page)["labels"] == list(TEXT)


def test_numbers_too_large_for_the_model():
    with pytest.raises(ValueError, match="array: expected finite numbers"):
        read_array(tagger(), np.full((3, 2), 1e300))


def test_parameters_are_counted_once():
    """A layer in two places, and the embedding and the output: V E, 4 H (E + H + 2) and V (H + 1) with E = H."""
    V, lstm = len(VOCABULARY), fr.LSTM(4, 4, seed=0)
    model = fr.Sequential(fr.Embedding(V, 4, seed=0), lstm, lstm, fr.Linear(4, V, seed=0))
    page = report(model, read_text(model, TEXT, VOCABULARY))
    assert f"{V * 4 + 16 * 10 + V * 5} parameters" in page

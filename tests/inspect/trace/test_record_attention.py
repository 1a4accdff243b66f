# SPDX-License-Identifier: BSD-3-Clause
"""trace of models that read several sequences: Seq2Seq and AttentionDecoder."""

import numpy as np
import pytest
from support.inspection import draw, reference_steps
from support.layers import assert_same_arrays, assert_same_bits, refused
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn.inspect import trace


def decoder(**options):
    """Attention over a memory of 5 features; y has 4."""
    fed = 4 if options.get("input_feeding") else 0
    return fr.AttentionDecoder(
        fr.LSTM(3 + fed, 6, 2, zoneout=0.2, seed=0), fr.Attention(6, 5, seed=1), fr.Linear(11, 4, seed=2), **options
    )


def translator(kind="attention", batch_first=False):
    """From tokens 0..8 to tokens 0..6, with and without attention."""
    if kind == "plain":
        last = fr.GRU(3, 8, batch_first=batch_first, seed=2)
    else:
        fed = kind == "fed"
        last = fr.AttentionDecoder(
            fr.GRU(3 + 4 * fed, 8, batch_first=batch_first, seed=2),
            fr.Attention(8, 8, batch_first=batch_first, seed=3),
            fr.Linear(16, 4, seed=4),
            input_feeding=fed,
        )
    return fr.Seq2Seq(
        fr.Sequential(
            fr.Embedding(9, 3, seed=0), fr.GRU(3, 4, bidirectional=True, batch_first=batch_first, dropout=0.0, seed=1)
        ),
        fr.Embedding(7, 3, seed=5),
        last,
        fr.Linear(8 if kind == "plain" else 4, 7, seed=6),
    )


LENGTHS = {"source_lengths": np.array([6, 3, 0]), "target_lengths": np.array([2, 5, 4])}


@pytest.mark.parametrize("kind", ["attention", "fed", "plain"])
def test_seq2seq(kind, rng):
    """Encoder and decoder have their names; the weights are those that a call returns."""
    model = translator(kind)
    inputs = {"source": rng.integers(0, 9, (6, 3)), "target": rng.integers(0, 7, (5, 3)), **LENGTHS}
    logits, weights = model(**inputs)
    result = trace(model, inputs)
    layer = "decoder" if kind == "plain" else "decoder.layer"
    names = [f"encoder.1.{name}" for name in "hrzn"] + [f"{layer}.{name}" for name in "hrzn"]
    assert list(result) == names + (["decoder.attention.weights"] if kind != "plain" else [])
    assert_same_bits(result.y, logits)
    assert result["encoder.1.h"].shape == (1, 2, 6, 3, 4) and result[f"{layer}.h"].shape == (1, 1, 5, 3, 8)
    for name, lengths in (("encoder.1", LENGTHS["source_lengths"]), (layer, LENGTHS["target_lengths"])):
        np.testing.assert_array_equal(result.lengths[name], lengths)
        steps = np.arange(len(result[f"{name}.z"][0, 0]))[:, None]
        np.testing.assert_array_equal(np.isnan(result[f"{name}.z"][0, 0, ..., 0]), steps >= lengths)
    if kind != "plain":
        shown = result["decoder.attention.weights"]
        assert result.axes["decoder.attention.weights"] == ("t", "n", "memory")
        beyond = np.arange(5)[:, None] >= LENGTHS["target_lengths"]
        assert np.isnan(shown[beyond]).all() and (weights[beyond] == 0).all()
        assert_same_bits(shown[~beyond], weights[~beyond])


@pytest.mark.parametrize("kind", ["attention", "fed"])
def test_seq2seq_with_the_batch_first(kind, rng):
    """The axes are still t, n, memory."""
    source, target = rng.integers(0, 9, (6, 3)), rng.integers(0, 7, (5, 3))
    result = trace(translator(kind), (source, target))
    other = trace(translator(kind, batch_first=True), (source.T, target.T))
    assert_same_arrays(dict(other), dict(result))


def test_a_step_with_input_feeding_equals_the_reference(rng):
    """The states of each step follow from the output of the step before, to the tolerance of float32."""
    model, x, memory = decoder(input_feeding=True), draw(rng, 4, 2, 3), draw(rng, 6, 2, 5)
    result = trace(model, (x, memory), lengths=[4, 2])
    y, _, weights = model(x, memory, lengths=[4, 2])
    fed = np.concatenate([np.zeros((1, 2, 4), np.float32), y[:-1]])
    expected = reference_steps("lstm", model.layer, np.concatenate([x, fed], axis=-1), [4, 2], 0.8, 0.8)
    assert list(result) == [f"layer.{name}" for name in "hcifgo"] + ["attention.weights"]
    for name, array in expected.items():
        actual = result[f"layer.{name}"]
        np.testing.assert_array_equal(np.isnan(actual), np.isnan(array))
        actual, array = np.nan_to_num(actual), np.nan_to_num(array)
        assert_close(actual, array, np.float32, terms=3 + 4 + 6, steps=2 * 4, what=name)
    assert_same_bits(np.nan_to_num(result["attention.weights"]), weights)


def test_a_decoder_without_input_feeding(rng):
    model, x, memory = decoder(), draw(rng, 4, 2, 3), draw(rng, 6, 2, 5)
    result = trace(model, {"x": x, "memory": memory, "memory_lengths": [6, 3]}, lengths=[4, 2])
    y, _, weights = model(x, memory, lengths=[4, 2], memory_lengths=[6, 3])
    assert_same_bits(result.y, y)
    assert (result["attention.weights"][:2, 1, 3:] == 0).all()
    assert_same_bits(np.nan_to_num(result["attention.weights"]), weights)
    plain = trace(model.layer, x, [4, 2])
    assert_same_arrays(dict(result.layers["layer"]), dict(plain))


@pytest.mark.parametrize("kind", ["attention", "fed"])
def test_targets_without_a_step(kind, rng):
    result = trace(translator(kind), (rng.integers(0, 9, (6, 2)), np.zeros((0, 2), int)))
    assert result["decoder.attention.weights"].shape == (0, 2, 6)
    assert result.lengths["decoder.attention"].tolist() == [0, 0]


def test_bad_arguments():
    x = np.zeros((5, 2, 3), np.float32)
    with refused(TypeError, "x: expected a tuple (source, target) or a dict for Seq2Seq, got ndarray"):
        trace(translator(), x)
    with refused(TypeError, "x: expected a tuple (x, memory) or a dict for AttentionDecoder, got list"):
        trace(decoder(), [x, x])

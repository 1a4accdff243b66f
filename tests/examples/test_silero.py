# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/silero.py with random weights, and a whole run with those of the package silero-vad."""

import importlib.util
import re

import numpy as np
import pytest
from support.layers import assert_same_bits, assert_slopes

SHAPES = [(128, 129), (64, 128), (64, 64), (128, 64)]  # of the convolutions: features out and in
STRIDES = 1, 2, 2, 1


@pytest.fixture
def weights(rng):
    """Random ones by the names in the file."""
    shapes = {"model.stft.forward_basis_buffer": (258, 1, 256), "model.decoder.decoder.2.weight": (1, 128, 1)}
    shapes |= {f"model.encoder.{k}.reparam_conv.weight": (*shape, 3) for k, shape in enumerate(SHAPES)}
    shapes |= {f"model.encoder.{k}.reparam_conv.bias": shape[:1] for k, shape in enumerate(SHAPES)}
    shapes |= {f"model.decoder.rnn.weight_{kind}": (512, 128) for kind in ("ih", "hh")}
    shapes |= {f"model.decoder.rnn.bias_{kind}": (512,) for kind in ("ih", "hh")} | {
        "model.decoder.decoder.2.bias": (1,)
    }
    return {name: rng.uniform(-0.1, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}


def spread(x, weight, bias, stride, padding):
    """A convolution (O, T') of x (I, T), from its definition."""
    x = np.pad(x, ((0, 0), (padding, padding)))
    steps = range(0, x.shape[1] - weight.shape[2] + 1, stride)
    return np.stack([(weight * x[:, t : t + weight.shape[2]]).sum(axis=(1, 2)) + bias for t in steps], axis=1)


def test_the_features_are_those_of_the_graph(example, rng, weights):
    """From its operators: reflection, convolutions of (I, T) with zeros around them, magnitude and ReLU."""
    encoder = example.make_model(weights)["encoder"]
    chunks = rng.standard_normal((3, 576)).astype(np.float32)
    for y, chunk in zip(encoder(chunks), chunks, strict=True):
        padded = np.pad(chunk.astype(float), (0, 64), mode="reflect")[None]
        parts = spread(padded, weights["model.stft.forward_basis_buffer"], 0, 128, 0)
        assert parts.shape == (258, 4)
        expected = np.hypot(parts[:129], parts[129:])
        for k, stride in enumerate(STRIDES):
            name = f"model.encoder.{k}.reparam_conv"
            expected = spread(expected, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, 1)
            expected = np.maximum(expected, 0)
        assert expected.shape == (128, 1) and expected.any()
        np.testing.assert_allclose(y, expected[:, 0], rtol=1e-4, atol=1e-5)


def test_chunks_have_the_same_bits_however_they_come(example, rng, weights):
    """One after another, all at once, and in a pool."""
    model = example.make_model(weights)
    x = rng.standard_normal((6, 9, 576)).astype(np.float32)
    y, _ = model(x)
    assert y.shape == (6, 9, 1) and len(np.unique(y)) > 20
    assert_same_bits(example.listen(model.stream(9), x), y)
    assert_same_bits(example.listen_pooled(*example.open_pool(model, 9), x), y)
    for n in (0, 8):
        assert_same_bits(example.listen(model.stream(), x[:, n : n + 1]), y[:, n : n + 1])


def test_the_layers_of_the_example_have_gradients(example, rng):
    """Of the convolutions and of the linear layer, by central differences: the network can learn on."""
    import fastrnn as fr

    options = {"dtype": np.float64, "batch_first": True, "seed": 0}
    sizes = dict(zip(("first", "second", "third", "fourth"), SHAPES, strict=True))
    convolutions = {
        name: fr.Conv1d(shape[1], shape[0], 3, stride=stride, padding=1, **options)
        for (name, shape), stride in zip(sizes.items(), STRIDES, strict=True)
    }
    encoder = example.Encoder(spectrum=fr.Conv1d(1, 258, 256, stride=128, **options), **convolutions)
    head = example.Probability(linear=fr.Linear(128, 1, dtype=np.float64, seed=1))
    x, dy = rng.standard_normal((2, 3, 576)), rng.standard_normal((2, 3, 1))
    features, tape = encoder.forward(x)
    y, head_tape = head.forward(features)
    assert encoder.backward(tape, head.backward(head_tape, dy)) is None
    loss = lambda: (head(encoder(x)) * dy).sum()  # noqa: E731
    for layer in (encoder.first, encoder.fourth, head.linear):
        assert_slopes(layer.grads["bias"], loss, layer.params["bias"], "bias")
    assert all(layer.grads["weight"].any() for layer in (*convolutions.values(), head.linear))


def test_each_chunk_begins_with_the_end_of_the_one_before(example):
    sound = np.arange(1, 2000, dtype=np.float32)
    x = example.cut(sound)
    assert x.shape == (3, 1, 576)  # what is left does not fill a chunk
    assert not x[0, 0, :64].any() and x[0, 0, 64] == 1
    np.testing.assert_array_equal(x[1:, 0, :64], x[:-1, 0, -64:])
    np.testing.assert_array_equal(x[:, 0, 64:].ravel(), sound[: 3 * 512])


def test_the_sound_has_speech_and_pauses(example):
    """The same on every run; pauses are 20 dB below speech, at least."""
    sound, speech = example.record(10, 16000, np.random.default_rng(0))
    again, _ = example.record(10, 16000, np.random.default_rng(0))
    assert_same_bits(sound, again)
    assert sound.dtype == np.float32 and np.abs(sound).max() < 0.5 and 0.3 < speech.mean() < 0.9
    assert sound[speech].std() > 10 * sound[~speech].std() > 0


def test_missing_packages_are_named(example, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        SystemExit, match=r'pip install --no-deps "silero-vad.*\n.*install onnx\n.*install onnxruntime$'
    ):
        example.find_models()


@pytest.fixture
def installed(example):
    """Skips without the packages that a whole run needs."""
    missing = [name for name in example.PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(
            f"the example compares with ONNX Runtime on weights of a package; {', '.join(missing)} not installed"
        )


def test_whole_run(run, installed):
    output = run("--seconds", 6, "--streams", 5, "--rounds", 1)
    speech, pause = map(float, re.search(r"speech (.*) where there is, (.*) where there is none", output).groups())
    assert speech > 0.9 and pause < 0.3
    difference = re.search(r"ONNX Runtime's up to (.*); an hour of sound takes .* s\.\n$", output)[1]
    assert float(difference) < 1e-4
    assert (
        len(re.findall(r"^(?:one stream|5 streams|a recording at once) +\d+\.\d +\d+\.\d +\d+\.\d\d$", output, re.M))
        == 3
    )


def test_a_wrong_weight_is_an_error(example, run, installed, monkeypatch):
    read = example.read_weights

    def changed(path):
        weights = read(path)
        return weights | {"model.decoder.decoder.2.bias": weights["model.decoder.decoder.2.bias"] + 0.01}

    monkeypatch.setattr(example, "read_weights", changed)
    with pytest.raises(SystemExit, match="differ from ONNX Runtime's by"):
        run("--seconds", 3, "--streams", 1)

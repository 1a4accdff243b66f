# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of model files share: models of every kind, files taken apart and forged, refusals."""

import json
import struct
import tracemalloc

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from support.layers import attention_decoder, echo_state, learned_state, pooled_model, summariser, translator

import fastrnn as fr
from fastrnn.io import _container as container

MODELS = {
    "activation": lambda dtype=np.float32, seed=0: fr.Activation("leaky_relu", dtype=dtype),
    "attention": lambda **own: fr.Attention(3, 3, attention_size=5, **own),
    "attention_dot": lambda **own: fr.Attention(3, 3, score="dot", batch_first=True, **own),
    "attention_scaled": lambda **own: fr.Attention(3, 3, score="scaled_dot", **own),
    "attention_general": lambda **own: fr.Attention(3, 3, score="general", **own),
    "attention_decoder": lambda **own: attention_decoder(input_feeding=True, num_layers=2, **own),
    "embedding": lambda **own: fr.Embedding(7, 3, **own),
    "embedding_padding": lambda **own: fr.Embedding(7, 3, padding_idx=-1, **own),
    "causal_conv": lambda **own: fr.CausalConv1d(3, 4, 2, dilation=3, **own),
    "conv": lambda **own: fr.Conv1d(3, 6, 2, groups=3, stride=2, padding=1, bias=False, **own),
    "dropout": lambda **own: fr.Dropout(0.25, shared_steps=True, batch_first=True, **own),
    "echo_state": lambda **own: fr.EchoState(3, 4, **own),
    "echo_state_options": echo_state,
    "gru": lambda **own: fr.GRU(3, 4, **own),
    "gru_initial_state": lambda **own: learned_state(fr.GRU, num_layers=2, **own),
    "gru_options": lambda **own: fr.GRU(3, 4, 3, bias=False, reset_after=False, dropout=0.25, **own),
    "last_step": lambda dtype=np.float32, seed=0: fr.LastStep(dtype=dtype),
    "last_step_options": lambda dtype=np.float32, seed=0: fr.LastStep(
        bidirectional=True, batch_first=True, dtype=dtype
    ),
    "layer_norm": lambda dtype=np.float32, seed=0: fr.LayerNorm(3, eps=1e-3, dtype=dtype),
    "linear": lambda **own: fr.Linear(3, 5, **own),
    "linear_without_bias": lambda **own: fr.Linear(3, 5, bias=False, **own),
    "lstm": lambda **own: fr.LSTM(3, 4, **own),
    "lstm_options": lambda **own: fr.LSTM(3, 4, 12, batch_first=True, bidirectional=True, **own),
    "max_pool": lambda dtype=np.float32, seed=0: fr.MaxPool(dtype=dtype),
    "mean_pool": lambda dtype=np.float32, seed=0: fr.MeanPool(batch_first=True, dtype=dtype),
    "repeat_vector": lambda dtype=np.float32, seed=0: fr.RepeatVector(4, dtype=dtype),
    "residual": lambda **own: fr.Residual(fr.LSTM(3, 3, **own)),
    "residual_nested": lambda **own: fr.Residual(
        fr.Sequential(fr.GRU(3, 4, **own), fr.Residual(fr.Residual(fr.Linear(4, 4, **own))), fr.Linear(4, 3, **own))
    ),
    "rnn": lambda **own: fr.RNN(3, 4, **own),
    "rnn_relu": lambda **own: fr.RNN(3, 1, nonlinearity="relu", **own),
    "rnn_selu": lambda **own: fr.RNN(1, 4, 2, nonlinearity="selu", bidirectional=True, **own),
    "seq2seq": lambda **own: translator(input_feeding=True, **own),
    "seq2seq_no_attention": summariser,
    "sequential": lambda **own: fr.Sequential(fr.Embedding(7, 3, **own), fr.GRU(3, 4, **own), fr.Linear(4, 2, **own)),
    "sequential_pooled": pooled_model,
    "nested": lambda **own: fr.Sequential(
        fr.Sequential(fr.Linear(3, 4, **own), fr.Sequential(fr.LSTM(4, 4, **own))), fr.RNN(4, 2, **own)
    ),
}


def bits(model):
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in model.state_dict().items()}


def assert_same(actual, expected):
    assert type(actual) is type(expected)
    assert json.dumps(actual.config()) == json.dumps(expected.config())  # 1, 1.0 and True differ
    assert bits(actual) == bits(expected)
    assert list(actual.params) == list(expected.params) == list(actual.grads)


def output(model, dtype):
    first = model.layers[0] if isinstance(model, fr.Sequential) else model
    rng = np.random.default_rng(1)
    if isinstance(first, fr.Embedding):
        return model(rng.integers(0, 7, (5, 2)))
    features = 1 if getattr(first, "input_size", 3) == 1 else 4 if isinstance(first, fr.LastStep) else 3
    x = rng.standard_normal((5, 2, features)).astype(dtype)
    if isinstance(first, fr.Seq2Seq):
        return model(x if first.bridge else rng.integers(0, 10, (5, 2)), rng.integers(0, 10, (4, 2)))[0]
    if isinstance(first, fr.Attention | fr.AttentionDecoder):
        return model(x, x)
    return model(x[0] if isinstance(first, fr.RepeatVector) else x)


def arrays_in(result):
    return [array for part in result for array in arrays_in(part)] if isinstance(result, tuple) else [result]


def as_json(header):
    text = json.dumps(header, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def split(path):
    """The header of a file, and the bytes of its tensors."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def about_of(path):
    """The metadata of a file."""
    return json.loads(split(path)[0]["__metadata__"]["fastrnn"])


def forge(path, header, data=b""):
    """Write a file."""
    header = as_json(header) if isinstance(header, dict) else header
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def with_about(path, about):
    """Put other metadata into a file."""
    header, data = split(path)
    header["__metadata__"] = {"fastrnn": about if isinstance(about, str) else json.dumps(about)}
    forge(path, header, data)


def refused(path, message):
    """load raises a ValueError that names the file and says `message`; nothing large is allocated on the way."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as caught:
            fr.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert len(text) < len(str(path)) + 600  # quotes no megabytes
    assert peak < 500_000 + 30 * path.stat().st_size


def with_architecture(path, architecture):
    """Put another architecture into a file, with a checksum that is right; a string is JSON."""
    about = about_of(path)
    if isinstance(architecture, str):
        with_about(path, json.dumps(about | {"architecture": "HERE"}).replace('"HERE"', architecture))
        return
    arrays = safetensors.numpy.load(path.read_bytes())
    with_about(path, about | {"architecture": architecture, "crc32": container.checksum(architecture, arrays)})


def architecture_of(path):
    return about_of(path)["architecture"]

# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of `fastrnn.inspect` share: small models, the states of the reference, the data in a page."""

import base64
import json
import re

import numpy as np

import fastrnn as fr
from fastrnn import reference

TEXT = 'A "b c" d.\n\t<a> </script> "e" ' * 3
VOCABULARY = sorted(set(TEXT))


def linear_rnn(W):
    """h_t = W h_(t-1) + x_t."""
    rnn = fr.RNN(len(W), len(W), nonlinearity="identity", bias=False, dtype=np.float64, seed=0)
    rnn.params["weight_ih_l0"], rnn.params["weight_hh_l0"] = np.eye(len(W)), W
    return rnn


def text_model(L=2, H=20):
    """Tokens of VOCABULARY to logits."""
    V = len(VOCABULARY)
    return fr.Sequential(fr.Embedding(V, 4, seed=0), fr.LSTM(4, H, L, seed=1), fr.Linear(H, V, seed=2))


def tagger():
    """x (T, N, 2) to y (T, N, 3), in both directions."""
    return fr.Sequential(fr.GRU(2, 5, bidirectional=True, seed=0), fr.Linear(10, 3, seed=1))


def meta_of(page):
    """The JSON in a page."""
    return json.loads(re.search(r'<script id="meta" type="application/json">(.*?)</script>', page, re.DOTALL)[1])


def block_of(page, name, dtype):
    """One array in a page."""
    text = re.search(rf'<script id="{name}" type="text/plain">(.*?)</script>', page)[1]
    return np.frombuffer(base64.b64decode(text), dtype)


SAVED = {  # what a step of the reference leaves on its tape
    "lstm": ("mask", "h_prev", "c_prev", "i", "f", "g", "o", "tanh_c"),
    "gru": ("mask", "h_prev", "r", "z", "n", "h_n"),
    "gru_reset_before": ("mask", "h_prev", "r", "z", "n"),
}


def reference_steps(cell, layer, x, lengths, take_h=1.0, take_c=1.0):
    """States and gates of every layer and direction in NumPy, in float64: (L, D, T, N, H), NaN beyond the lengths."""
    parameters = {name: array.astype(np.float64) for name, array in layer.state_dict().items()}
    L, D, H = layer.num_layers, layer.num_directions, layer.hidden_size
    y, (T, N, _) = np.asarray(x, np.float64), x.shape
    gates = [name for name in SAVED.get(cell, ()) if len(name) == 1]
    names = ["h", *(["c"] if cell == "lstm" else []), *gates]
    result = {name: np.full((L, D, T, N, H), np.nan) for name in names}
    zero = np.zeros((N, H))
    for k in range(L):
        outputs = []
        for d in range(D):
            arrays = map(parameters.get, layer.parameter_names(k, d))
            how = {"lengths": lengths, "reverse": d == 1, "update": reference.StateUpdate(take_h, take_c)}
            out, _, _, tape = reference.forward(cell, y, zero, zero, *arrays, **how)
            for t, rows, _, _, saved in tape.steps:
                result["h"][k, d, t, rows] = out[t, rows]
                step = dict(zip(SAVED.get(cell, ()), saved, strict=False))
                for name in gates:
                    result[name][k, d, t, rows] = step[name]
                if cell == "lstm":
                    new = step["f"] * step["c_prev"] + step["i"] * step["g"]
                    result["c"][k, d, t, rows] = take_c * new + (1 - take_c) * step["c_prev"]
            outputs.append(out)
        y = np.concatenate(outputs, axis=-1)
    return result


def draw(rng, *shape, dtype=np.float32):
    """Random numbers of a dtype."""
    return rng.standard_normal(shape).astype(dtype)

# SPDX-License-Identifier: BSD-3-Clause
"""fastrnn itself.

Inference: `layer(x)` on packed weights. Training: zero the gradients, forward, backward, on weights that have changed
since the last step, as after an optimizer: they are packed anew in every call.
"""

import numpy as np

import fastrnn as fr

from . import Base


def make(case, params):
    """The layer of a case."""
    options = {"bidirectional": case.D == 2, "dtype": np.dtype(case.dtype), "seed": 0}
    sizes = case.I, case.H, case.L
    if case.cell == "lstm":
        layer = fr.LSTM(*sizes, **options)
    elif case.cell.startswith("gru"):
        layer = fr.GRU(*sizes, reset_after=case.cell == "gru", **options)
    else:
        layer = fr.RNN(*sizes, nonlinearity=case.cell.removeprefix("rnn_"), **options)
    layer.load_state_dict(params)
    return layer


class Peer(Base):
    packages = ("fastrnn",)

    def __init__(self, threads):
        super().__init__(threads)
        fr.set_num_threads(threads)

    def prepare(self, case, data):
        layer, x, dy, lengths = make(case, data["params"]), data["x"], data["dy"], data["lengths"]
        if case.streaming:
            return stream(layer, x[0])
        if not case.training:
            return lambda: layer(x, lengths=lengths), lambda: {"y": layer(x, lengths=lengths)[0]}
        weights = [layer.params[name] for name in layer.params if name.startswith("weight")]

        def step():
            layer.zero_grad()
            y, _, tape = layer.forward(x, lengths=lengths)
            return y, layer.backward(tape, dy)[0]

        def call():
            for weight in weights:
                weight[0, 0] = -weight[0, 0]
            step()

        def result():
            y, dx = step()
            return {"y": y, "dx": dx, **layer.grads}

        return call, result


def stream(layer, x):
    """`stream.step` into an array that the caller has; x is (1, I)."""
    steps, y = layer.stream(), np.empty((1, layer.hidden_size), layer.dtype)

    def result():
        steps.reset()
        for _ in range(3):
            steps.step(x, out=y)
        return {"y": y[None].copy()}

    return lambda: steps.step(x, out=y), result

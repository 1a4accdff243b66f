# SPDX-License-Identifier: BSD-3-Clause
"""fastrnn itself.

Inference is `layer(x)` on packed weights. A training step zeroes the gradients and runs forward and backward on weights
that have changed since the last step, as after an optimizer step, so they are packed again in every call.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr

from ..cases import Case, CaseData
from . import Calls, Outputs, Peer


def make_layer(case: Case, params: dict[str, NDArray[Any]]) -> fr.RNN | fr.LSTM | fr.GRU:
    """The layer of a case, with these parameters."""
    options: dict[str, Any] = {"bidirectional": case.D == 2, "dtype": np.dtype(case.dtype), "seed": 0}
    sizes = case.I, case.H, case.L
    if case.cell == "lstm":
        layer = fr.LSTM(*sizes, **options)
    elif case.cell.startswith("gru"):
        layer = fr.GRU(*sizes, reset_after=case.cell == "gru", **options)
    else:
        layer = fr.RNN(*sizes, nonlinearity=case.cell.removeprefix("rnn_"), **options)
    layer.load_state_dict(params)
    return layer


class FastrnnPeer(Peer):
    packages = ("fastrnn",)

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        fr.set_num_threads(threads)

    def prepare(self, case: Case, data: CaseData) -> Calls:
        layer, x, dy, lengths = make_layer(case, data["params"]), data["x"], data["dy"], data["lengths"]
        if case.streaming:
            prepare = prepare_each if case.each else prepare_pool if case.concurrent else prepare_stream
            return prepare(layer, x[0])
        if not case.training:
            return lambda: layer(x, lengths=lengths), lambda: {"y": layer(x, lengths=lengths)[0]}
        weights = [array for name, array in layer.params.items() if name.startswith("weight")]

        def step() -> tuple[NDArray[Any], NDArray[Any]]:
            layer.zero_grad()
            y, _, tape = layer.forward(x, lengths=lengths)
            return y, layer.backward(tape, dy)[0]

        def call() -> None:
            for weight in weights:
                weight[0, 0] = -weight[0, 0]
            step()

        def outputs() -> Outputs:
            y, dx = step()
            return {"y": y, "dx": dx, **layer.grads}

        return call, outputs


def prepare_stream(layer: fr.RNN | fr.LSTM | fr.GRU, x: NDArray[Any]) -> Calls:
    """Steps of a stream on x (1, I), written into an array allocated beforehand."""
    stream, y = layer.stream(), np.empty((1, layer.hidden_size), layer.dtype)

    def outputs() -> Outputs:
        stream.reset()
        for _ in range(3):
            stream.step(x, out=y)
        return {"y": y[None].copy()}

    return lambda: stream.step(x, out=y), outputs


def prepare_pool(layer: fr.RNN | fr.LSTM | fr.GRU, x: NDArray[Any]) -> Calls:
    """Steps of all streams of a pool on x (N, I)."""
    pool = fr.StreamPool(layer, len(x))
    keys = [pool.open() for _ in x]

    def outputs() -> Outputs:
        for key in keys:
            pool.close(key)
        keys[:] = [pool.open() for _ in x]
        return {"y": [pool.step_rows(keys, x) for _ in range(3)][-1][None]}

    return lambda: pool.step_rows(keys, x), outputs


def prepare_each(layer: fr.RNN | fr.LSTM | fr.GRU, x: NDArray[Any]) -> Calls:
    """Steps of a stream for each row of x (N, I), one after another, written into an array allocated beforehand."""
    y = np.empty((len(x), layer.hidden_size), layer.dtype)
    streams = [layer.stream() for _ in x]
    steps = [(stream.step, row, out) for stream, row, out in zip(streams, x, y, strict=True)]

    def call() -> None:
        for step, row, out in steps:
            step(row, out=out)

    def outputs() -> Outputs:
        for stream in streams:
            stream.reset()
        for _ in range(3):
            call()
        return {"y": y[None].copy()}

    return call, outputs

# SPDX-License-Identifier: BSD-3-Clause
"""Predictions of a model at each step of a sequence, and the influence of the latest steps on them."""

from typing import Any

import numpy as np

from ..._engine.arguments import Array
from ..._engine.layout import Layout, as_state
from ...nn import Layer, RepeatVector, Residual, Sequential, log_softmax
from ...nn._frozen import frozen
from ...nn._layer import every_layer
from ...nn._pool import Pool
from ...nn._recurrent.recurrent import RecurrentBase
from .._gradients.target import split_embedding
from .._trace.trace import Trace

BLOCK = 128  # windows that are processed together: some ten megabytes of tape


def is_causal(model: Layer) -> bool:
    """Whether a model has an output at each step that depends on the steps up to there only."""
    return not any(isinstance(layer, Pool | RepeatVector) or layer.reads_ahead for layer in every_layer(model))


def recent_influence(model: Layer, x: Array, trace: Trace, outputs: Array, window: int, softmax: bool = False) -> Array:
    """How much the output at each step depends on each of the latest steps.

    The influence is the L2 norm of the gradient of output ``outputs[s]`` at step s with respect to the vector that is
    read at step t (for a token its embedding). It is exact, and costs a forward and a backward pass over `window` steps
    for each step: the state before the window comes from the trace, and earlier steps are ignored.

    `model` is one for which `is_causal` holds, x its unbatched input (T,) or (T, I), and `trace` their trace. With
    `softmax` the outputs are logits, and the gradient is that of the logarithm of the probability. The result is
    (T, window): at [s, k] the influence of step s - k, 0 where there is no such step.
    """
    embedding, copy = split_embedding(model.inference_copy())
    frozen(copy)  # dx alone is wanted
    vectors = x if embedding is None else embedding(x)
    T, time_major = len(vectors), Layout(True, bool(copy.batch_first)).time_major
    influence = np.zeros((T, window))
    for block in np.array_split(np.arange(T), -(-T // BLOCK)):
        starts = np.maximum(0, block - window + 1)
        rows, last = np.arange(len(block)), block - starts
        steps = np.minimum(starts + np.arange(window)[:, None], T - 1)  # (window, rows)
        y, _, tape = copy.forward(time_major(vectors[steps]), state_before(copy, "", trace, starts), last + 1)
        logits, dy = time_major(y)[last, rows], np.zeros(y.shape, y.dtype)
        time_major(dy)[last, rows] = -np.exp(log_softmax(logits.astype(np.float64))) if softmax else 0
        time_major(dy)[last, rows, outputs[block]] += 1
        dx, _ = copy.backward(tape, dy)
        norms = np.sqrt(np.square(time_major(dx), dtype=float).sum(axis=-1))
        read = last - np.arange(window)[:, None]  # (window, rows): the latest step, the one before, ...
        influence[block] = np.where(read >= 0, norms[read, rows], 0).T
    return influence


def state_before(layer: Layer, prefix: str, trace: Trace, steps: Array) -> Any:
    """The state of a model before each of these steps, as a batch of them; before step 0 the initial one."""
    if isinstance(layer, Sequential):
        stateful = [(child, f"{prefix}{name}.") for name, child in layer.children().items() if child.stateful]
        return tuple(state_before(child, child_prefix, trace, steps) for child, child_prefix in stateful)
    if isinstance(layer, Residual):
        return state_before(layer.layer, prefix, trace, steps)
    arrays = [trace[prefix + part] for part in ("h", "c") if prefix + part in trace]
    initial = layer.initial_states(len(steps)) if isinstance(layer, RecurrentBase) else (None,) * len(arrays)
    begins, before = steps[:, None] == 0, np.maximum(steps - 1, 0)
    return as_state(  # (L, rows, H)
        np.where(begins, 0 if first is None else first, array[:, 0, before, 0])
        for first, array in zip(initial, arrays, strict=True)
    )

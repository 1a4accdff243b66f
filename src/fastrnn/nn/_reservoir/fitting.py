# SPDX-License-Identifier: BSD-3-Clause
"""What an echo state network does beyond a layer: solve for its readout, predict, and run freely."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..._engine import passes
from ..._engine.arguments import Array, as_nonnegative, as_size
from ..._engine.layout import StateArrays
from .._linear import Linear
from .reservoir import Reservoir
from .ridge import Ridge
from .sequences import as_sequences, batches, clear, finite, groups, pad


def write_outputs(
    reservoir: Reservoir, readout: Callable[[Array], Array], x: Array, start: tuple[StateArrays, Array | None], y: Array
) -> StateArrays:
    """Write the readout of each step into y (T, N, O) and return the final state. `start`: a state and the lengths."""
    state, lengths = start
    final = reservoir.stack.empty_state(x.shape[1])
    for block, features in reservoir.blocks(x, state, lengths, final):
        y[block] = readout(features)
    clear(y, lengths)
    return final


def solved(layer: Any, reservoir: Reservoir, data: tuple[Any, Any, Any], ridge: float) -> tuple[Array, Array]:
    """Weight and bias of the readout that fits x, y and lengths."""
    ridge = as_nonnegative("ridge", ridge)
    regression = Ridge(reservoir.features, layer.output_size)
    for features, targets in _samples(layer, reservoir, data):
        regression.add(features, targets)
    if not regression.samples:
        raise ValueError("x: expected at least one step to fit, got none")
    return regression.solve(ridge)


def _samples(layer: Any, reservoir: Reservoir, data: tuple[Any, Any, Any]) -> Iterator[tuple[Array, Array]]:
    """Features (R, F) and targets (R, O) of the steps to fit, block by block."""
    sizes = layer.input_size, layer.output_size
    for rows, targets, ends in batches(*data, sizes, layer.washout, layer.dtype, layer.batch_first):
        final = reservoir.stack.empty_state(len(ends))
        for block, features in reservoir.blocks(rows, (None,), ends, final):
            t = np.arange(block.start, block.stop)[:, None]
            fitted = (t >= layer.washout) & (t < ends)
            yield finite("x", features[fitted]), finite("y", targets[block][fitted])


def check_fitted(layer: Any) -> None:
    """Raise ValueError if the readout is 0 everywhere."""
    if not any(array.any() for _, array in layer.params.items()):
        raise ValueError("the readout is 0 everywhere: expected a network after fit, update, training or loading")


def predicted(layer: Any, reservoir: Reservoir, readout: Linear, x: Any) -> list[Array]:
    """The outputs of each of several sequences, from a zero state."""
    outputs, sequences = [], as_sequences("x", x, layer.input_size, layer.dtype)
    for group in groups(sequences):
        padded, lengths = pad(sequences[group])
        y = np.empty((*padded.shape[:2], layer.output_size), layer.dtype)
        write_outputs(reservoir, readout, padded, ((None,), lengths), y)
        outputs += [y[:length, row].copy() for row, length in enumerate(lengths)]
    return outputs


def generated(reservoir: Reservoir, readout: Linear, entered: tuple[Any, ...], steps: Any) -> tuple[Array, Array]:
    """Outputs (steps, N, I) after x, each the next input, and the state (L, N, H) before the last of them is read."""
    steps = as_size("steps", steps)
    x, _, state, _ = entered
    T, N, I = x.shape
    if not T or not N:
        raise ValueError(f"x: expected at least one step and one row, got {T} and {N}")
    y = np.empty((steps, N, I), x.dtype)
    final = reservoir.stack.empty_state(N)
    for _, features in reservoir.blocks(x, state, None, final):
        y[0] = readout(features[-1])
    stream = reservoir.stream(final[0])
    stepper = passes.stepper([(readout.weights, np.empty((N, I), x.dtype), None)], [])
    for t in range(1, steps):
        stream.step(y[t - 1])
        stepper.step(stream.features, y[t])
    return y, stream.state

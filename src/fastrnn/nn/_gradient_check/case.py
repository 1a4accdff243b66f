# SPDX-License-Identifier: BSD-3-Clause
"""A layer with its arguments as a scalar loss, with the gradients from `backward`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..._engine.arguments import Array, Generator, as_rng
from .._layer import Layer, every_layer


class Case:
    """One layer with its arguments, as a loss."""

    def __init__(self, layer: Layer, x: Any, state: Any, lengths: Any, seed: int) -> None:
        self.layer, self.rng = layer, as_rng(seed)
        self.inputs = [np.array(part) for part in (x if isinstance(x, tuple) else (x,))]
        if not isinstance(x, tuple) and isinstance(x, list) and self.inputs[0].dtype.kind == "f":
            self.inputs[0] = self.inputs[0].astype(layer.dtype)  # type: ignore[attr-defined]
        self.named = {} if lengths is None else {"lengths": lengths}
        self.random = [part.random_state for part in every_layer(layer)]
        self.single = layer.stateful and len(self.inputs) == 1
        y, *others, _ = self.run()
        if self.single:
            start = moved(others[0], self.rng) if state is None else state
            self.named["state"] = copied(start)
            y, *others, _ = self.run()
        self.dy = self.weights(y)
        self.dstate = each(self.weights, others[0]) if self.single else None

    def weights(self, array: Array) -> Array:
        """Random weights of an output, none of them near 0."""
        return (self.rng.uniform(0.5, 1.5, array.shape) * self.rng.choice([-1, 1], array.shape)).astype(array.dtype)

    def run(self) -> tuple[Any, ...]:
        """`forward`, with the random numbers of the first time."""
        set_random(self.layer, self.random)
        return self.layer.forward(*self.inputs, **self.named)

    def terms(self) -> list[Array]:
        """The terms of the loss, in float64: each output times its weight."""
        y, *others, _ = self.run()
        pairs = [(y, self.dy)]
        if self.single:
            pairs += zip(arrays_in(others[0]), arrays_in(self.dstate), strict=True)
        return [np.multiply(value, weight, dtype=np.float64) for value, weight in pairs]

    def loss(self) -> float:
        """The sum of the terms."""
        return float(sum(term.sum() for term in self.terms()))

    def size(self) -> float:
        """The sum of their magnitudes, which rounding is relative to."""
        return float(sum(np.abs(term).sum() for term in self.terms()))

    def gradients(self) -> tuple[list[str], dict[str, tuple[Array, Array]]]:
        """Immediate errors, and each array that has a gradient, with the result of `backward`."""
        layer, problems = self.layer, list[str]()
        results: Any = ()
        layer.zero_grad()
        for _ in range(2):
            once = {name: grad.copy() for name, grad in layer.grads.items()}
            results = layer.backward(self.run()[-1], self.dy, *([self.dstate] if self.single else []))
            results = results if isinstance(results, tuple) else (results,)
        twice = dict(layer.grads.items())
        for name, grad in once.items():
            limit = 1e3 * np.finfo(grad.dtype).eps * np.abs(grad).max(initial=0)
            if (np.abs(twice[name] - 2 * grad) > limit).any():
                problems.append(f"{name}: expected backward to add to grads, a second time the same; it does not")
        pairs = {name: (array, once[name]) for name, array in layer.params.items()}
        names = ["x"] if len(self.inputs) == 1 else [f"x[{k}]" for k in range(len(self.inputs))]
        for name, array, gradient in zip(names, self.inputs, results, strict=False):
            if array.dtype.kind == "f" and gradient is not None:
                pairs[name] = array, np.asarray(gradient)
            elif array.dtype.kind == "f":
                problems.append(f"{name}: expected a gradient, got None")
        if self.single:
            states, gradients = arrays_in(self.named["state"]), arrays_in(results[1])
            for k, (array, gradient) in enumerate(zip(states, gradients, strict=True)):
                pairs["state" if len(states) == 1 else f"state[{k}]"] = array, gradient
        for name, (array, gradient) in pairs.items():
            if gradient.shape != array.shape:
                raise ValueError(f"{name}: expected a gradient of its shape, {array.shape}, got {gradient.shape}")
        return problems, pairs


def set_random(layer: Layer, states: list[Any]) -> None:
    """Set the random generators of all layers."""
    for part, state in zip(every_layer(layer), states, strict=True):
        part.random_state = state


def each(function: Callable[[Array], Any], state: Any) -> Any:
    """A state of the results of a function of each of its arrays."""
    return tuple(each(function, part) for part in state) if isinstance(state, tuple | list) else function(state)


def copied(state: Any) -> Any:
    """A state of copies of its arrays."""
    return each(np.array, state)


def moved(state: Any, rng: Generator) -> Any:
    """A random state of the shapes of another."""
    return each(lambda array: rng.uniform(-0.5, 0.5, array.shape).astype(array.dtype), state)


def arrays_in(state: Any) -> list[Array]:
    """All arrays of a state."""
    return [array for part in state for array in arrays_in(part)] if isinstance(state, tuple | list) else [state]

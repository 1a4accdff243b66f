# SPDX-License-Identifier: BSD-3-Clause
"""Central differences of a loss along the arrays that it reads, compared with gradients."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..._engine.arguments import Array, Generator

DIRECTIONS = 4  # of an array that is too large to go through entry by entry


class Difference(NamedTuple):
    """Where the gradient of one array differs most from the differences."""

    name: str
    """``"weight"``, ``"x"``, ``"state[0]"``."""
    index: tuple[int, ...]
    """The entry."""
    backward: float
    """The gradient that `backward` gives."""
    differences: float
    """What central differences give."""
    error: float
    """How far they are apart, relative to the largest gradient of the array."""


class Probe:
    """Central differences of a loss along the arrays that it reads."""

    def __init__(self, loss: Callable[[], float], step: float, floor: float, entries: int, rng: Generator) -> None:
        self.loss, self.step, self.floor, self.entries, self.rng = loss, step, floor, entries, rng

    def compare(self, name: str, array: Array, gradient: Array) -> Difference:
        """The entry where the gradient of an array differs most from the differences."""
        scale = max(float(np.abs(gradient[np.isfinite(gradient)]).max(initial=0)), self.floor)
        if array.size <= self.entries:
            slopes = {index: self.along(array, index) for index in np.ndindex(array.shape)}
            scale = max([scale, *(abs(slope) for slope in slopes.values() if np.isfinite(slope))])
            found = [self.difference(name, index, gradient, slope, scale) for index, slope in slopes.items()]
            return max(found, key=lambda one: one.error)
        return max((self.direction(name, array, gradient, scale) for _ in range(DIRECTIONS)), key=lambda one: one.error)

    def difference(self, name: str, index: Any, gradient: Array, slope: float, scale: float) -> Difference:
        """The gradient of one entry beside its slope."""
        value = float(gradient[index])
        gap = abs(value - slope)
        error = float(gap / scale) if np.isfinite(gap) else np.inf
        return Difference(name, tuple(map(int, index)), value, float(slope), error)

    def direction(self, name: str, array: Array, gradient: Array, scale: float) -> Difference:
        """A random direction of all entries; halved until one entry is left, which is then the most suspicious one."""
        signs, flat = self.rng.choice([-1.0, 1.0], array.size), np.arange(array.size)
        rms = max(float(np.sqrt(np.mean(np.square(gradient, dtype=np.float64)))), self.floor)
        total = self.gap(array, gradient, signs, flat) / rms
        while len(flat) > 1:
            halves = np.array_split(self.rng.permutation(flat), 2)
            flat = max(halves, key=lambda half: self.gap(array, gradient, signs, half) * np.sqrt(len(half)))
        index = np.unravel_index(flat[0], array.shape)
        one = self.difference(name, index, gradient, self.along(array, index), scale)
        return one._replace(error=max(one.error, float(total)) if np.isfinite(total) else np.inf)

    def gap(self, array: Array, gradient: Array, signs: Array, flat: Array) -> float:
        """How far the slope is from the gradient when some entries move together, by a vector of length 1."""
        vector = np.zeros(array.size)
        vector[flat] = signs[flat] / np.sqrt(len(flat))
        expected = float(vector @ gradient.ravel().astype(np.float64))
        return float(abs(self.slope(array, self.step * vector.reshape(array.shape)) / self.step - expected))

    def along(self, array: Array, index: Any) -> float:
        """The slope along one entry."""
        move = np.zeros(array.shape)
        move[index] = self.step * max(1.0, abs(float(array[index])))
        return float(self.slope(array, move) / move[index])

    def slope(self, array: Array, move: Array) -> float:
        """Half of how much the loss grows from array - move to array + move."""
        before = array.copy()
        array[...] = before + move
        up = self.loss()
        array[...] = before - move
        down = self.loss()
        array[...] = before
        return (up - down) / 2

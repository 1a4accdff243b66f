# SPDX-License-Identifier: BSD-3-Clause
"""The random generators of a model as a function of the step and the shard."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._state.parameters import random_states, set_random_states


class Masks:
    """The states of the generators of all layers, which begin anew in each shard of each step.

    Parameters
    ----------
    model : object
        If it is a layer, the present states of its generators, and of those of the layers in it, are the seeds.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.first = model, random_states(model)
        self._seeded = [(state, state and _words(k, state)) for k, state in enumerate(self.first)]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """A context at whose end the states are those of the beginning."""
        try:
            yield
        finally:
            set_random_states(self.model, self.first)

    def begin(self, step: int, shard: int) -> None:
        """Set the states for a shard of a step."""
        states = [seed and _state(state, [*seed, step, shard]) for state, seed in self._seeded]
        set_random_states(self.model, states)


def _words(number: int, state: Any) -> list[int]:
    """A seed for one layer: 256 bits of its number and the state of its generator."""
    digest = hashlib.sha256(repr((number, _plain(state))).encode()).digest()
    return np.frombuffer(digest, "<u4").tolist()


def _plain(state: Any) -> Any:
    """A state in Python's own types, of which the text says all."""
    if isinstance(state, dict):
        return sorted((name, _plain(value)) for name, value in state.items())
    return state.tolist() if isinstance(state, np.ndarray) else state


def _state(like: dict[str, Any], seed: list[int]) -> Any:
    """The state of a new generator of the same kind."""
    return getattr(np.random, like["bit_generator"])(np.random.SeedSequence(seed)).state

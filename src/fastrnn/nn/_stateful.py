# SPDX-License-Identifier: BSD-3-Clause
"""Layers that carry a state through time."""

from abc import abstractmethod
from typing import Any, Generic, TypeVar

from numpy.typing import ArrayLike

from .._engine.arguments import Array
from ._layer import Layer
from ._tape import Tape

State = TypeVar("State")


class StatefulLayer(Layer, Generic[State]):
    """Base of layers that read sequences and take and return a state.

    A subclass defines the three passes. Sequences are (T, N, features), with `batch_first` (N, T, features), or
    unbatched (T, features).
    """

    @property
    def stateful(self) -> bool:
        return True

    @property
    def takes_lengths(self) -> bool:
        return True

    @abstractmethod
    def __call__(
        self, x: ArrayLike, state: State | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, State]:
        """Inference: (y, state). Keeps nothing."""

    @abstractmethod
    def forward(
        self, x: ArrayLike, state: State | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, State, Tape]:
        """Training: (y, state, tape)."""

    @abstractmethod
    def backward(self, tape: Tape, dy: ArrayLike, dstate: State | None = None) -> tuple[Any, State]:
        """The gradients of x and of the initial state; those of the parameters are added into `grads`."""

    def apply(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, State, Tape | None]:
        if training:
            return self.forward(x, state, lengths)
        return *self(x, state, lengths), None

    def apply_backward(self, tape: Tape, dy: Any, dstate: Any) -> tuple[Any, State]:
        return self.backward(tape, dy, dstate)

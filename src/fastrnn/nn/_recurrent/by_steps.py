# SPDX-License-Identifier: BSD-3-Clause
"""Backward passes of single steps; the gradients of the parameters are added for many steps at once.

A step changes as many numbers as the matrices have, which takes longer than its other products where rows are few.
"""

from math import prod
from typing import Any

import numpy as np

from ..._engine import passes
from ..._engine.arguments import Array
from .quick import QuickTape


class StepsBack:
    """The backward pass of a unidirectional layer, step by step from the last."""

    def __init__(self, layer: Any, x: Array, y: Array) -> None:
        """x (T, N, I) and y (T, N, H) of all steps."""
        self.layer: Any = layer
        self.T, self.N, self.H = y.shape
        self.x, self.y = x, y
        self._gates: dict[int, Array] = {}  # of each layer of the stack, (T, N, S, H): their gradients
        self._inner: dict[int, Array] = {}  # the outputs of all of them but the last, (T, N, H)
        self._packs: list[Any] = []
        self._h_0: Array | None = None  # (L, N, H), before the first of the steps that are not added yet
        self._waiting = range(0)

    def back(self, t: int, tape: Any, dy: Array, dstate: Any) -> tuple[Array, Any]:
        """`layer.backward` of step t."""
        if self._waiting and self._waiting.start != t + 1:
            self.add()
        kept = tape.kept if type(tape) is QuickTape and not self.layer._frozen else None
        with self.layer._in_backward:
            result = None if kept is None else self.layer._fast_path.backward(kept, dy, dstate, True, True, True)
            if result is not None:
                self._keep(t, kept)
                tape.close()
        return self.layer.backward(tape, dy, dstate) if result is None else result

    def _keep(self, t: int, kept: Any) -> None:
        """Keep what has to be added for a step later."""
        flat, self._h_0 = np.frombuffer(kept.memory, self.x.dtype), None
        for what, k, first, shape in kept.contents():
            array = flat[first : first + prod(shape)].reshape(shape)
            if what == "h_0":
                self._h_0 = array.copy()
            elif what == "gates":
                if k not in self._gates:
                    self._gates[k] = np.empty((self.T, *shape), array.dtype)
                self._gates[k][t] = array
            elif what == "y":
                if k not in self._inner:
                    self._inner[k] = np.empty((self.T, *shape[1:]), array.dtype)
                self._inner[k][t] = array[0]
        self._packs, self._waiting = kept.packs, range(t, self._waiting.stop if self._waiting else t + 1)

    def add(self) -> None:
        """Add the gradients of the parameters of the steps that have not been added yet."""
        if not self._waiting:
            return
        steps, self._waiting = slice(self._waiting.start, self._waiting.stop), range(0)
        x = self.x[steps]
        with self.layer._in_backward:
            for k, pack in enumerate(self._packs):
                y = self._inner[k][steps] if k in self._inner else self.y[steps]
                gates = self._gates[k][steps].reshape(-1, *self._gates[k].shape[2:])
                h_0 = None if self._h_0 is None else self._h_0[k]
                passes.add_gradients(pack, (x, y, h_0), gates, self.layer._weight_grads[k])
                x = y

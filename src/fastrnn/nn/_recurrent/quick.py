# SPDX-License-Identifier: BSD-3-Clause
"""Fast path of small training steps, whose tape is one block of memory."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine import layers
from ..._engine.arguments import Array
from ..._engine.layers import Course, Entry
from ..._engine.layout import Layout
from ..._engine.ragged import FULL, Rows, are_full
from .._stateful import State, StatefulLayer
from .._tape import Tape
from .stack import Stack
from .training import Trained


class QuickTape(Tape):
    """A tape of `_core.Training.forward`. Its content, that of a general pass, is made when it is asked for."""

    __slots__ = ("_made", "kept")

    def __init__(self, layer: Any, kept: Any, shape: tuple[int, ...], x_shape: tuple[int, ...]) -> None:
        self.kept: Any = kept  # None once its content has been made, or used
        self._made: Any = None
        super().__init__(layer, None, shape, x_shape)
        self.kept = kept

    @property
    def _content(self) -> Any:  # type: ignore[override]
        kept = self.kept
        if kept is not None and kept.take():  # unless another thread has it
            layer = self._layer
            self._made, self.kept = (opened(layer.stack, layer.batch_first, kept),), None
        return self._made

    @property
    def _is_used(self) -> bool:  # without making the content
        return self.kept is None and self._made is None

    @_content.setter
    def _content(self, value: Any) -> None:
        self._made, self.kept = value, None


def opened(stack: Stack, batch_first: bool, kept: Any) -> tuple[Layout, Trained]:
    """The saved data of a general forward pass, as views of the same memory."""
    rows = FULL if kept.order is None else Rows(None, None, kept.order)
    packed = kept.order is not None
    layout = Layout(packed or kept.y.ndim == 3, batch_first, packed)
    flat = np.frombuffer(kept.memory, stack.dtype)
    found = {(what, k): flat[first : first + prod(shape)].reshape(shape) for what, k, first, shape in kept.contents()}
    every = range(stack.L * stack.D)
    h_0, c_0 = found.get(("h_0", 0)), found.get(("c_0", 0))
    passed = layers.Pass(
        [Entry(stack.cell, pack, stack.update) for pack in kept.packs],
        Course(rows.order(len(kept.y)), stack.reverse),
        layout.time_major(kept.x),
        [*(found["y", layer] for layer in range(stack.L - 1)), layout.time_major(kept.y)],
        [(None if h_0 is None else h_0[k], None if c_0 is None else c_0[k]) for k in every],
        [(found["gates", k], found.get(("c", k))) for k in every],
        None,
    )
    return layout, Trained(passed, [None for _ in every], rows=rows)


class QuickLayer(StatefulLayer[State]):
    """A layer with a fast path for small arrays: about 1 us of overhead per call, 5 us per training step.

    `_fast_path` is a `_core.Training`; it gives None for what is not small and plain.
    """

    def _quickly(self, run: Callable[..., Any], x: Any, state: Any, lengths: Any, mask: Any, resets: Any) -> Any:
        """The result of the fast path; None if it does not apply."""
        if mask is not None or resets is not None:
            return None
        if lengths is None:
            return run(x, state)
        if type(lengths) is Rows:
            return None if lengths.packed is None else run(x, state, lengths.packed)
        if type(x) is not np.ndarray or x.ndim != 3:
            return None
        T, N = x.shape[:2]
        if self.batch_first:  # type: ignore[attr-defined]
            T, N = N, T
        return run(x, state) if are_full(lengths, T, N) else None

    def forward(
        self, x: ArrayLike, state: State | None = None, lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None, resets: ArrayLike | None = None,
    ) -> tuple[Array, State, Tape]:  # fmt: skip
        path: Any = self._fast_path  # type: ignore[attr-defined]
        if (result := self._quickly(path.forward, x, state, lengths, mask, resets)) is not None:
            y, final, kept = result
            y.setflags(write=False)  # the tape refers to it
            return y, final, QuickTape(self, kept, y.shape, x.shape)  # type: ignore[union-attr]
        return super().forward(x, state, lengths, mask, resets)

    forward.__doc__ = StatefulLayer.forward.__doc__

    def _quick_backward(self, tape: Any, dy: Any, dstate: Any) -> tuple[Array | None, State] | None:
        kept = tape.kept if type(tape) is QuickTape and tape._layer is self else None
        if kept is None:
            return None
        path: Any = self._fast_path  # type: ignore[attr-defined]
        needs_dx = tape.needs_dx or not self._skips_dx
        if (result := path.backward(kept, dy, dstate, self._frozen, needs_dx)) is None:
            return None
        tape.close()
        return result

# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent regularization: leaky units, zoneout, recurrent dropout and clipping of deltas.

Options of a layer become masks drawn for one call; the engine applies them at every step.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._engine.arguments import Array, Generator
from ..._engine.passes import PLAIN, StateUpdate

# What the options of a layer mean.
RECURRENT_DROPOUT = (
    "p, the dropout probability of the state that W_hh is multiplied with, in training. Each row has one mask "
    "for all its steps (Gal and Ghahramani 2016, arXiv 1512.05287)."
)
WEIGHT_DROP = (
    "p, the probability with which an element of W_hh is dropped for a whole call of `forward`; the others are "
    "scaled by 1/(1-p) (Merity et al. 2018, arXiv 1708.02182)."
)
DELTA_CLIP = (
    "In `backward`, the gradient of each pre-activation is clipped to +-delta_clip at every step, before it is "
    "propagated further back (Graves 2013, arXiv 1308.0850)."
)
ZONEOUT = (
    "The probability with which a unit keeps its previous value at a step, in training; in inference each unit "
    "takes the expected value (Krueger et al. 2017, arXiv 1606.01305)."
)


class Regularization(NamedTuple):
    """Options of a recurrent layer. In brackets: the value that changes nothing."""

    recurrent_dropout: float  # [0]
    zoneout: tuple[float, ...]  # [(0,) or (0, 0)] of h, or of h and c
    weight_drop: float  # [0]
    delta_clip: float | None  # [None]
    leak: float  # [1]

    @classmethod
    def of(cls, layer: Any) -> "Regularization":
        """The options of a layer."""
        leak = getattr(layer, "leak", 1.0)
        return cls(layer.recurrent_dropout, layer.zoneout, layer.weight_drop, layer.delta_clip, leak)

    @property
    def active(self) -> bool:
        """Whether any of the options changes anything."""
        return bool(
            self.recurrent_dropout or any(self.zoneout) or self.weight_drop or self.delta_clip or self.leak != 1
        )

    def inference(self, H: int, dtype: np.dtype[Any]) -> StateUpdate:
        """The state update of inference: what zoneout does on average."""
        fractions = [self.leak * (1 - p) for p in self.zoneout]
        arrays = [None if fraction == 1 else np.full(H, fraction, dtype) for fraction in fractions]
        h, c = (*arrays, None)[:2]
        return PLAIN if h is None and c is None else StateUpdate(h, c)

    def training(self, rng: Generator, T: int, N: int, H: int, dtype: np.dtype[Any]) -> StateUpdate:
        """The state update of one layer and direction in one call of `forward`, with masks of its own."""
        fractions = []
        for p in self.zoneout:
            if p:
                fraction = (rng.random((T, N, H), np.float32) >= p).astype(dtype)
                fraction *= dtype.type(self.leak)
            else:
                fraction = None if self.leak == 1 else np.full(H, self.leak, dtype)
            fractions.append(fraction)
        mask = dropout_mask(rng, self.recurrent_dropout, (N, H), dtype) if self.recurrent_dropout else None
        h, c = (*fractions, None)[:2]
        return StateUpdate(h, c, mask, self.delta_clip or 0.0)


def dropout_mask(rng: Generator, p: float, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """0 with probability p, else 1/(1-p)."""
    mask = (rng.random(shape, np.float32) >= p).astype(dtype)
    mask *= dtype.type(1 / (1 - p))
    return mask

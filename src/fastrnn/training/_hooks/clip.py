# SPDX-License-Identifier: BSD-3-Clause
"""Clipping of the gradients, after all that is added to them."""

from typing import TYPE_CHECKING

from ..._engine.arguments import as_positive
from ...optim import clip_grad_norm, clip_grad_value
from .hook import Hook, Step

if TYPE_CHECKING:
    from .._loop.loop import Training


class Clip(Hook):
    """Clips by value, then by norm, so that both hold in the end, and one large element does not make all others small.

    Parameters
    ----------
    max_norm : float or None
        Largest global norm of the gradients.
    max_value : float or None
        Largest magnitude of an element of them.
    """

    def __init__(self, max_norm: float | None, max_value: float | None = None) -> None:
        self.max_norm = None if max_norm is None else as_positive("clip", max_norm)
        self.max_value = None if max_value is None else as_positive("clip_value", max_value)

    def on_gradients(self, run: "Training", step: Step) -> bool:
        if self.max_value is not None:
            clip_grad_value(run.model, self.max_value)
        if self.max_norm is not None and step.norm > self.max_norm:
            clip_grad_norm(run.model, self.max_norm)
        return False  # the norm of the history is that before clipping

# SPDX-License-Identifier: BSD-3-Clause
"""One update of the parameters by their gradients, which leaves only finite numbers behind."""

import math

import numpy as np

from ..._engine.elementwise import sum_of_squares
from ...optim import clip_grad_norm, clip_grad_value

__all__ = ["Update"]

SHOWN = 4  # parameters that a message names


class Update:
    """What stands between gradients and the next step, in this order: are they finite, clip, step, is it finite.

    Parameters
    ----------
    model : object with ``params`` and ``grads``
    optimizer : Optimizer
    clip : float or None
        Largest global norm of the gradients.
    clip_value : float or None
        Largest magnitude of an element of them.
    """

    def __init__(self, model, optimizer, clip, clip_value=None):
        self.model, self.optimizer, self.clip, self.clip_value = model, optimizer, clip, clip_value
        self._before = {name: np.empty_like(p) for name, p in model.params.items()}

    def norm(self, step, loss):
        """The global norm of the gradients.

        Raises
        ------
        FloatingPointError
            It, or the loss, is not finite; says which parameters are to blame. None has been changed.
        """
        try:
            norm = clip_grad_norm(self.model, math.inf)
        except FloatingPointError:
            norm = math.nan
        if math.isfinite(loss) and math.isfinite(norm):
            return norm
        bad = {"gradient of": _not_finite(self.model.grads), "parameter": _not_finite(self.model.params)}
        found = [f"the {what} {_some(names)}" for what, names in bad.items() if names]
        raise FloatingPointError(
            f"step {step}: expected a finite loss and gradient, got loss {loss:.4g} and gradient norm {norm:.4g}; "
            f"not finite: {' and '.join(found) or 'no gradient'}. The parameters are those of step {step - 1}"
        )

    def __call__(self, step, loss, norm):
        """Clip and step.

        Raises
        ------
        FloatingPointError
            A parameter is no longer finite; they all have been set back.
        """
        if self.clip_value is not None:  # first: one element that is far out makes no other one smaller
            clip_grad_value(self.model, self.clip_value)
        if self.clip is not None and norm > self.clip:
            clip_grad_norm(self.model, self.clip)
        params = dict(self.model.params.items())
        for name, p in params.items():
            np.copyto(self._before[name], p)
        with np.errstate(over="ignore", invalid="ignore"):  # found below
            self.optimizer.step()
        if names := _not_finite(params):
            for name, p in params.items():
                np.copyto(p, self._before[name])
            raise FloatingPointError(
                f"step {step}: expected finite parameters, got others in {_some(names)} from loss {loss:.4g}, gradient "
                f"norm {norm:.4g} and lr {self.optimizer.lr:.4g}. The parameters are those of step {step - 1}"
            )


def _not_finite(arrays):
    """The names of arrays with elements that are not."""
    suspect = {name: a for name, a in arrays.items() if not math.isfinite(sum_of_squares(a))}  # it may overflow
    return [name for name, a in suspect.items() if not np.isfinite(a).all()]


def _some(names):
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

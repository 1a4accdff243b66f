# SPDX-License-Identifier: BSD-3-Clause
"""One update of the parameters by their gradients, which leaves only finite numbers behind."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..._engine.arguments import Array
from ..._engine.elementwise import norms_of, sums_of_squares
from ...nn._parameters import distinct
from ...optim import Optimizer
from ...optim._clipping import norm_of_all

SHOWN = 4  # parameters that a message names


class Update:
    """Checks that gradients are finite, steps, and checks that parameters are.

    Parameters
    ----------
    model : object with ``params`` and ``grads``
    optimizer : Optimizer
    """

    def __init__(self, model: Any, optimizer: Optimizer) -> None:
        self.model, self.optimizer = model, optimizer
        self._before = {name: np.empty_like(p) for name, p in distinct(model.params).items()}

    def norm(self, loss: float) -> float:
        """The global norm of the gradients.

        Raises
        ------
        FloatingPointError
            The norm or the loss is not finite. The message says which gradients and parameters are not. None has been
            changed.
        """
        norm = norm_of_all(norms_of([*distinct(self.model.grads).values()]))
        if math.isfinite(loss) and math.isfinite(norm):
            return norm
        norm = norm if math.isfinite(norm) else math.nan
        arrays = {"gradient of": self.model.grads, "parameter": self.model.params}
        causes = {what: _not_finite(distinct(named)) for what, named in arrays.items()}
        words = [f"the {what} {_some(names)}" for what, names in causes.items() if names]
        raise FloatingPointError(
            f"expected a finite loss and gradient, got loss {loss:.4g} and gradient norm {norm:.4g}; "
            f"not finite: {' and '.join(words) or 'no gradient'}"
        )

    def __call__(self, loss: float, norm: float) -> None:
        """Step the optimizer.

        Raises
        ------
        FloatingPointError
            A parameter is no longer finite. All parameters have been set back.
        """
        params = distinct(self.model.params)
        for name, p in params.items():
            self._before[name][...] = p
        with np.errstate(over="ignore", invalid="ignore"):  # checked below
            self.optimizer.step()
        if names := _not_finite(params):
            for name, p in params.items():
                np.copyto(p, self._before[name])
            raise FloatingPointError(
                f"expected finite parameters, got others in {_some(names)} from loss {loss:.4g}, gradient norm "
                f"{norm:.4g} and lr {self.optimizer.lr:.4g}"
            )


def _not_finite(arrays: Mapping[str, Array]) -> list[str]:
    """The names of arrays with elements that are not finite."""
    sums = sums_of_squares(arrays.values())
    if all(map(math.isfinite, sums)):
        return []
    suspect = [name for name, total in zip(arrays, sums, strict=True) if not math.isfinite(total)]  # it may overflow
    return [name for name in suspect if not np.isfinite(arrays[name]).all()]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

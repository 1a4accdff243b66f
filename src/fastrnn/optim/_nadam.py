# SPDX-License-Identifier: BSD-3-Clause
"""NAdam."""

import math

import numpy as np

from .._engine.arguments import NONNEGATIVE, Array
from ..nn._options import Flag, Number
from ._adam import AdamFamily


class NAdam(AdamFamily):
    """Adam with Nesterov momentum and a momentum schedule.

    Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016, algorithm 2, in the form of PyTorch, at step
    t (1 at first)::

        mu_t = beta1 (1 - 0.96**(t momentum_decay) / 2)
        g    = g + weight_decay p
        m    = beta1 m + (1 - beta1) g
        v    = beta2 v + (1 - beta2) g**2
        u    = (1 - mu_t) / (1 - mu_1 ... mu_t) g + mu_(t+1) / (1 - mu_1 ... mu_(t+1)) m
        p   -= lr u / (sqrt(v / (1 - beta2**t)) + eps)

    It is computed in NumPy. The state of a parameter also contains the product of the mu_t so far, ``mu_product``,
    float64 of shape ().

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter is out of range, or `model` or `groups` does not fit.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> p, g = np.array([1.0, 2.0]), np.array([50.0, -0.1])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as in a layer
    >>> nadam = fr.NAdam(model, lr=0.1)
    >>> nadam.step()
    >>> p.round(4)
    array([0.8944, 2.1056])
    """

    lr: Number = Number("Learning rate, of at least 0.", NONNEGATIVE, default=2e-3)
    momentum_decay: Number = Number(
        "How fast the momentum grows towards beta1 with the steps, of at least 0.", NONNEGATIVE, default=4e-3
    )
    decoupled_weight_decay: Flag = Flag("Whether the weight decay is that of `AdamW`.", default=False)

    def update(self, p: Array, g: Array, m: Array, v: Array, mu_product: Array) -> None:
        mu, ahead = self._mu(self.steps), self._mu(self.steps + 1)
        mu_product *= mu
        product = float(mu_product)
        of_g, of_m = self.lr * (1 - mu) / (1 - product), self.lr * ahead / (1 - product * ahead)
        root = math.sqrt(1 - self.beta2**self.steps)
        for part, gradient, mean, square in self._advanced(p, g, m, v):
            part -= (of_g * gradient + of_m * mean) / (np.sqrt(square) / root + self.eps)

    def _mu(self, t: int) -> float:
        """The momentum at step t."""
        return self.beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay))

    def _decay(self) -> tuple[float, float]:
        return self._decoupled_decay() if self.decoupled_weight_decay else super()._decay()

    def _initial_state(self, p: Array) -> dict[str, Array]:
        return super()._initial_state(p) | {"mu_product": np.ones(())}

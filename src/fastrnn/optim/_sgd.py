# SPDX-License-Identifier: BSD-3-Clause
"""SGD."""

from collections.abc import Mapping
from typing import Any, ClassVar

from .._engine import elementwise
from .._engine.arguments import NONNEGATIVE, PROBABILITY, Array
from ..nn._option import KW_ONLY
from ..nn._options import Flag, Number
from ._optimizer import Optimizer


class FusedOptimizer(Optimizer):
    """An optimizer whose rule includes the weight decay: one of csrc/engine/update.h, or a loop over small blocks."""

    def decay_weights(self, p: Array, g: Array) -> Array:
        """The gradient as it is: the rule adds the weight decay."""
        return g


class SGD(FusedOptimizer):
    """Stochastic gradient descent, with momentum if `momentum` > 0.

    In the convention of PyTorch (Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum in
    deep learning", ICML 2013, equations 1 and 2, with the learning rate taken out of the velocity)::

        g  = g + weight_decay p
        v  = momentum v + g
        p -= lr v                     or with nesterov     lr (g + momentum v)

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter is out of range, or `model` or `groups` does not fit.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> p, g = np.array([1.0, 2.0]), np.array([5.0, -5.0])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as in a layer
    >>> fr.SGD(model, lr=0.1).step()
    >>> p
    array([0.5, 2.5])
    """

    lr: Number = Number("Learning rate, of at least 0.", NONNEGATIVE, default=1e-3)
    momentum: Number = Number("Decay of the velocity, in [0, 1).", PROBABILITY, default=0.0)
    _: KW_ONLY
    nesterov: Flag = Flag(
        "Nesterov's momentum (equations 3 and 4 of the paper, in the form that needs only the gradient at `p`). Needs "
        "momentum > 0, in every group.",
        default=False,
    )
    weight_decay: Number = Number("L2 penalty, of at least 0.", NONNEGATIVE, default=0.0)
    moments: ClassVar[tuple[str, ...]] = ("velocity",)

    def _setup(self, groups: Mapping[str, Mapping[str, Any]] | None) -> None:
        super()._setup(groups)
        for name in self.state:
            values = self.hyperparameters(name)
            if values["nesterov"] and values["momentum"] == 0:
                raise ValueError(f"nesterov: expected momentum > 0 with it, got 0.0 for {name}")

    def update(self, p: Array, g: Array, velocity: Array) -> None:
        elementwise.update(
            "plain", p, g, v=velocity if self.momentum else None,
            rate=self.lr, decay=self.weight_decay, momentum=self.momentum, nesterov=self.nesterov,
        )  # fmt: skip

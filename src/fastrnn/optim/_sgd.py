# SPDX-License-Identifier: BSD-3-Clause
"""SGD."""

from collections.abc import Mapping
from typing import Any, ClassVar

from .._engine.arguments import NONNEGATIVE, PROBABILITY, Array
from .._engine.elementwise import Rule
from ..nn._option import KW_ONLY
from ..nn._options import Flag, Number
from ._fused import EngineRule, FusedOptimizer


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
        self._engine_rule().update(p, g, velocity=velocity)

    def _engine_rule(self) -> EngineRule:
        rule = Rule(
            "plain", rate=self.lr, decay=self.weight_decay, momentum=self.momentum, nesterov=self.nesterov
        )  # fmt: skip
        return EngineRule(rule, v="velocity" if self.momentum else None)

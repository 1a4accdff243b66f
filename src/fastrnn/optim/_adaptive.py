# SPDX-License-Identifier: BSD-3-Clause
"""Adagrad and RMSprop: each element has a step size of its own, from the squares of its gradients so far."""

from typing import ClassVar

from .._engine.arguments import NONNEGATIVE, POSITIVE, PROBABILITY, Array
from .._engine.elementwise import Rule
from ..nn._options import Flag, Number
from ._fused import EngineRule, FusedOptimizer


class Adagrad(FusedOptimizer):
    """Adagrad: steps shrink with the sum of all squared gradients, element by element.

    Duchi, Hazan, Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 12, 2011,
    figure 1, with PyTorch's decay of the learning rate, at step t (1 at first)::

        g  = g + weight_decay p
        s  = s + g**2
        p -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter is out of range, or `model` or `groups` does not fit.

    Examples
    --------
    The first step has the size of the learning rate, a second one like it 1 / sqrt(2) of it.

    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from fastrnn.optim import Adagrad
    >>> p, g = np.array([1.0, 2.0]), np.array([50.0, -0.1])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as in a layer
    >>> adagrad = Adagrad(model, lr=0.1)
    >>> adagrad.step()
    >>> p.round(4)
    array([0.9, 2.1])
    >>> adagrad.step()
    >>> p.round(4)
    array([0.8293, 2.1707])
    """

    lr: Number = Number("Learning rate, of at least 0.", NONNEGATIVE, default=1e-2)
    lr_decay: Number = Number(
        "How fast the learning rate falls with the steps, of at least 0.", NONNEGATIVE, default=0.0
    )
    weight_decay: Number = Number("L2 penalty, of at least 0.", NONNEGATIVE, default=0.0)
    eps: Number = Number("Added to the root, above 0.", POSITIVE, default=1e-10)
    moments: ClassVar[tuple[str, ...]] = ("s",)

    def update(self, p: Array, g: Array, s: Array) -> None:
        self._engine_rule().update(p, g, s=s)

    def _engine_rule(self) -> EngineRule:
        rate = self.lr / (1 + (self.steps - 1) * self.lr_decay)
        return EngineRule(Rule("adagrad", rate=rate, decay=self.weight_decay, eps=self.eps), s="s")


class RMSprop(FusedOptimizer):
    """RMSprop: steps are divided by a running root mean square of the gradients.

    Tieleman, Hinton, "Neural networks for machine learning", Coursera 2012, lecture 6.5; `centered` and `momentum` are
    those of Graves, "Generating sequences with recurrent neural networks", 2013, equations 38 to 41, in the form of
    PyTorch::

        g  = g + weight_decay p
        s  = alpha s + (1 - alpha) g**2
        m  = alpha m + (1 - alpha) g                     if centered
        u  = g / (sqrt(s) + eps)                         or, centered, g / (sqrt(s - m**2) + eps)
        v  = momentum v + u                              if momentum > 0
        p -= lr u                                        or, with momentum, lr v

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter is out of range, or `model` or `groups` does not fit.

    Examples
    --------
    The first step is lr / sqrt(1 - alpha), whatever the size of the gradient.

    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from fastrnn.optim import RMSprop
    >>> p, g = np.array([1.0, 2.0]), np.array([50.0, -0.1])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as in a layer
    >>> RMSprop(model, lr=0.1, alpha=0.75).step()
    >>> p.round(4)
    array([0.8, 2.2])
    """

    lr: Number = Number("Learning rate, of at least 0.", NONNEGATIVE, default=1e-2)
    alpha: Number = Number("Decay of the running means, in [0, 1).", PROBABILITY, default=0.99)
    eps: Number = Number("Added to the root, above 0.", POSITIVE, default=1e-8)
    weight_decay: Number = Number("L2 penalty, of at least 0.", NONNEGATIVE, default=0.0)
    momentum: Number = Number("Decay of the velocity, in [0, 1).", PROBABILITY, default=0.0)
    centered: Flag = Flag(
        "Divide by a running standard deviation instead. A variance that rounding makes negative counts as 0; in "
        "PyTorch it gives nan.",
        default=False,
    )
    moments: ClassVar[tuple[str, ...]] = ("s", "m", "v")

    def update(self, p: Array, g: Array, s: Array, m: Array, v: Array) -> None:
        self._engine_rule().update(p, g, s=s, m=m, v=v)

    def _engine_rule(self) -> EngineRule:
        rule = Rule(
            "rmsprop_centered" if self.centered else "rmsprop",
            rate=self.lr, decay=self.weight_decay, beta1=self.alpha, beta2=self.alpha, eps=self.eps,
            momentum=self.momentum,
        )  # fmt: skip
        return EngineRule(rule, "m" if self.centered else None, "s", "v" if self.momentum else None)

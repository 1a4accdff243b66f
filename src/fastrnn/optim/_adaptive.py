# SPDX-License-Identifier: BSD-3-Clause
"""Optimizers that give each element of a parameter a step size of its own, from the gradients seen so far."""

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._engine import elementwise
from .._engine.arguments import NONNEGATIVE, POSITIVE, PROBABILITY, Array, as_probability
from ..nn._option import Option
from ..nn._options import Flag, Number
from ._sgd import KernelOptimizer


class Adagrad(KernelOptimizer):
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
        rate = self.lr / (1 + (self.steps - 1) * self.lr_decay)
        elementwise.update("adagrad", p, g, s=s, rate=rate, decay=self.weight_decay, eps=self.eps)


class RMSprop(KernelOptimizer):
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
        rule, mean = ("rmsprop_centered", m) if self.centered else ("rmsprop", None)
        elementwise.update(
            rule, p, g, m=mean, s=s, v=v if self.momentum else None,
            rate=self.lr, decay=self.weight_decay, beta1=self.alpha, beta2=self.alpha, eps=self.eps,
            momentum=self.momentum,
        )  # fmt: skip


class Betas(Option[tuple[float, float], tuple[float, float]]):
    """Two probabilities in one argument; the attributes, and hyper-parameters, are `beta1` and `beta2`."""

    type_text: str = "(float, float)"

    def _check(self, name: str, value: Any) -> tuple[float, float]:
        if np.shape(value) != (2,):
            raise ValueError(f"{name}: expected two probabilities in [0, 1), got {value!r}")
        return as_probability("beta1", value[0]), as_probability("beta2", value[1])

    if not TYPE_CHECKING:

        def __get__(self, instance, owner):
            return self if instance is None else (instance.beta1, instance.beta2)

        def __set__(self, instance, value):
            instance.beta1, instance.beta2 = value


class Adam(KernelOptimizer):
    """Adam, with bias correction.

    Kingma, Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1, at step t (1 at first)::

        g  = g + weight_decay p
        m  = beta1 m + (1 - beta1) g
        v  = beta2 v + (1 - beta2) g**2
        p -= lr m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps)

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter is out of range, or `model` or `groups` does not fit.

    Examples
    --------
    The first step has the size of the learning rate, whatever that of the gradient.

    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> p, g = np.array([1.0, 2.0]), np.array([50.0, -0.1])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as in a layer
    >>> fr.Adam(model, lr=0.1).step()
    >>> p.round(4)
    array([0.9, 2.1])
    """

    lr: Number = Number("Learning rate, of at least 0.", NONNEGATIVE, default=1e-3)
    betas: Betas = Betas(
        "Decay of the two moments, each in [0, 1): the hyper-parameters `beta1` and `beta2`.", default=(0.9, 0.999)
    )
    beta1: Number = Number("Decay of the mean.", PROBABILITY, init=False)
    beta2: Number = Number("Decay of the mean of squares.", PROBABILITY, init=False)
    eps: Number = Number(
        "Added to the root of the second moment after its bias correction, above 0.", POSITIVE, default=1e-8
    )
    weight_decay: Number = Number(
        "L2 penalty, of at least 0. It is scaled like the rest of the gradient; usually `AdamW` is the better choice.",
        NONNEGATIVE,
        default=0.0,
    )
    moments: ClassVar[tuple[str, ...]] = ("m", "v")

    def update(self, p: Array, g: Array, m: Array, v: Array) -> None:
        decay, keep = self._decay()
        elementwise.update(
            "adam", p, g, m=m, s=v, decay=decay, keep=keep,
            rate=self.lr / (1 - self.beta1**self.steps), root=math.sqrt(1 - self.beta2**self.steps),
            beta1=self.beta1, beta2=self.beta2, eps=self.eps,
        )  # fmt: skip

    def _decay(self) -> tuple[float, float]:
        """What weight decay is to the rule: `decay` and `keep`."""
        return self.weight_decay, 1.0


class AdamW(Adam):
    """Adam with decoupled weight decay: the decay shrinks parameters directly, not through the gradient.

    Loshchilov, Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2, in the form of PyTorch, where
    the decay is a multiple of the learning rate::

        p *= 1 - lr weight_decay
        then as in Adam without weight decay

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter is out of range, or `model` or `groups` does not fit.

    Examples
    --------
    Without a gradient only the decay is left.

    >>> import fastrnn as fr
    >>> layer = fr.Linear(1, 1, seed=0)
    >>> layer.params["weight"][...] = layer.params["bias"][...] = 2
    >>> fr.AdamW(layer, lr=0.5, weight_decay=0.5, groups={"*bias*": {"weight_decay": 0.0}}).step()
    >>> print(layer.params["weight"], layer.params["bias"])
    [[1.5]] [2.]
    """

    weight_decay: Number = Number(
        "Decay, of at least 0. Biases are usually left out: ``groups={'*bias*': {'weight_decay': 0.0}}``.",
        NONNEGATIVE,
        default=1e-2,
    )

    def _decay(self) -> tuple[float, float]:
        return 0.0, 1 - self.lr * self.weight_decay

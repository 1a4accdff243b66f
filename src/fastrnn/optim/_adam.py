# SPDX-License-Identifier: BSD-3-Clause
"""Adam and AdamW, with AMSGrad, and what optimizers with their two moments share."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._engine import elementwise
from .._engine.arguments import NONNEGATIVE, POSITIVE, PROBABILITY, Array, as_flag, as_probability
from .._engine.elementwise import Rule
from ..nn._options import Flag, Number
from ._fused import EngineRule, FusedOptimizer
from ._groups import Several


class Betas(Several[tuple[float, float], tuple[float, float]]):
    """Two probabilities in one argument; the attributes, and hyper-parameters, are `beta1` and `beta2`."""

    type_text: str = "(float, float)"
    parts: tuple[str, ...] = ("beta1", "beta2")

    def _check(self, name: str, value: Any) -> tuple[float, float]:
        if np.shape(value) != (2,):
            raise ValueError(f"{name}: expected two probabilities in [0, 1), got {value!r}")
        before, _, behind = name.rpartition(self.name)  # name may be "groups['*']['betas']"
        first, second = (as_probability(f"{before}{part}{behind}", value[k]) for k, part in enumerate(self.parts))
        return first, second

    if not TYPE_CHECKING:

        def __get__(self, instance, owner):
            return self if instance is None else (instance.beta1, instance.beta2)

        def __set__(self, instance, value):
            instance.beta1, instance.beta2 = value


class AdamFamily(FusedOptimizer):
    """Base class of optimizers with running means of the gradients, m, and of their squares, v."""

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

    def _decay(self) -> tuple[float, float]:
        """Weight decay as two factors: `decay`, which adds to the gradient, and `keep`, which scales parameters."""
        return self.weight_decay, 1.0

    def _decoupled_decay(self) -> tuple[float, float]:
        return 0.0, 1 - self.lr * self.weight_decay

    def _advanced(self, parameter: Array, gradient: Array, *moments: Array) -> Iterator[tuple[Array, ...]]:
        """Decay and bring m and v to this step, block by block; (p, g, m, v, ...) of each block, to be written."""
        decay, keep = self._decay()
        for p, m, v, *more, g in elementwise.blocks((parameter, *moments), gradient):
            g = g + decay * p if decay else g
            p *= keep
            m *= self.beta1
            m += (1 - self.beta1) * g
            v *= self.beta2
            v += (1 - self.beta2) * (g * g)
            yield p, g, m, v, *more


class Adam(AdamFamily):
    """Adam, with bias correction.

    Kingma, Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1, at step t (1 at first)::

        g  = g + weight_decay p
        m  = beta1 m + (1 - beta1) g
        v  = beta2 v + (1 - beta2) g**2
        p -= lr m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps)

    With `amsgrad` the largest v so far takes the place of v in the last line (Reddi, Kale, Kumar, "On the convergence
    of Adam and beyond", ICLR 2018, algorithm 2, in the form of PyTorch)::

        v_max = max(v_max, v)

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

    amsgrad: Flag = Flag(
        "Whether to divide by the root of the largest second moment so far, so that step sizes never grow again. It "
        "cannot be changed later.",
        default=False,
        omit=True,
    )

    def update(self, p: Array, g: Array, m: Array, v: Array, v_max: Array | None = None) -> None:
        if v_max is None:
            self._adam().update(p, g, m=m, v=v)
            return
        rate, root = self._rate_and_root()
        for part, _, mean, square, largest in self._advanced(p, g, m, v, v_max):
            np.maximum(largest, square, out=largest)
            part -= mean / (np.sqrt(largest) / root + self.eps) * rate

    def _engine_rule(self) -> EngineRule | None:
        return None if self.amsgrad else self._adam()

    def _adam(self) -> EngineRule:
        """The rule of this step without `amsgrad`."""
        (decay, keep), (rate, root) = self._decay(), self._rate_and_root()
        rule = Rule(
            "adam", decay=decay, keep=keep, rate=rate, root=root, beta1=self.beta1, beta2=self.beta2, eps=self.eps
        )
        return EngineRule(rule, "m", "v")

    def _rate_and_root(self) -> tuple[float, float]:
        """The corrections of the bias of m and of v at this step: the rate, and what sqrt(v) is divided by."""
        return self.lr / (1 - self.beta1**self.steps), math.sqrt(1 - self.beta2**self.steps)

    def _initial_state(self, p: Array) -> dict[str, Array]:
        state = super()._initial_state(p)
        return state | {"v_max": np.zeros(p.shape, p.dtype)} if self.amsgrad else state

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "amsgrad" and (value := as_flag(name, value)) != self.amsgrad:
            raise ValueError(f"amsgrad: expected {self.amsgrad}, as the optimizer was made, got {value}")
        super().__setattr__(name, value)


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
        return self._decoupled_decay()

# SPDX-License-Identifier: BSD-3-Clause
"""Optimizers that give each element of a parameter a step size of its own, from the gradients it has seen."""

import math

import numpy as np

from .._engine import elementwise
from ._hyperparameters import Flag, Hyperparameter
from ._sgd import KernelOptimizer

__all__ = ["Adagrad", "Adam", "AdamW", "RMSprop"]


class Adagrad(KernelOptimizer):
    """Adagrad: steps shrink with the sum of all squared gradients, element by element.

    Duchi, Hazan, Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, 2011, figure 1, with PyTorch's decay of the learning rate, at step t
    (1 at first)::

        g  = g + weight_decay p
        s  = s + g**2
        p -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    Parameters
    ----------
    model : object with ``params``, ``grads`` and ``zero_grad()``
        The parameters are updated in place.
    lr : float, default 1e-2
        Learning rate, >= 0.
    lr_decay : float, default 0.0
        How fast the learning rate falls with the steps, >= 0.
    weight_decay : float, default 0.0
        L2 penalty, >= 0.
    eps : float, default 1e-10
        Added to the root, > 0.
    groups : mapping of str to mapping, optional
        Parameters with hyper-parameters of their own, by patterns over their names: see
        `fastrnn.optim.Optimizer`.

    Raises
    ------
    TypeError, ValueError
        If a hyper-parameter is not a number in its range, or `model` or `groups` does not fit.

    Examples
    --------
    The first step has the size of the learning rate, a second one like it 1 / sqrt(2) of it.

    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from fastrnn.optim.adaptive import Adagrad
    >>> p, g = np.array([1.0, 2.0]), np.array([50.0, -0.1])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as a layer has them
    >>> adagrad = Adagrad(model, lr=0.1)
    >>> adagrad.step()
    >>> p.round(4)
    array([0.9, 2.1])
    >>> adagrad.step()
    >>> p.round(4)
    array([0.8293, 2.1707])
    """

    lr_decay = Hyperparameter(0)
    eps = Hyperparameter(0, ends="()")
    moments = ("s",)

    def __init__(self, model, lr=1e-2, lr_decay=0.0, weight_decay=0.0, eps=1e-10, *, groups=None):
        super().__init__(model, lr, weight_decay, groups=groups)
        self.lr_decay = lr_decay
        self.eps = eps

    def update(self, p, g, s):
        rate = self.lr / (1 + (self.steps - 1) * self.lr_decay)
        elementwise.update("adagrad", p, g, s=s, rate=rate, decay=self.weight_decay, eps=self.eps)


class RMSprop(KernelOptimizer):
    """RMSprop: steps are divided by a running root mean square of the gradients.

    Tieleman, Hinton, "Neural networks for machine learning", Coursera 2012, lecture 6.5; `centered`
    and `momentum` are those of Graves, "Generating sequences with recurrent neural networks", 2013,
    equations 38 to 41, in the form of PyTorch::

        g  = g + weight_decay p
        s  = alpha s + (1 - alpha) g**2
        m  = alpha m + (1 - alpha) g                     if centered
        u  = g / (sqrt(s) + eps)                         or, centered, g / (sqrt(s - m**2) + eps)
        v  = momentum v + u                              if momentum > 0
        p -= lr u                                        or, with momentum, lr v

    Parameters
    ----------
    model : object with ``params``, ``grads`` and ``zero_grad()``
        The parameters are updated in place.
    lr : float, default 1e-2
        Learning rate, >= 0.
    alpha : float, default 0.99
        Decay of the running means, in [0, 1).
    eps : float, default 1e-8
        Added to the root, > 0.
    weight_decay : float, default 0.0
        L2 penalty, >= 0.
    momentum : float, default 0.0
        In [0, 1).
    centered : bool, default False
        Divide by a running standard deviation instead. Where rounding makes the variance negative
        it is 0 here and nan in PyTorch.
    groups : mapping of str to mapping, optional
        Parameters with hyper-parameters of their own, by patterns over their names: see
        `fastrnn.optim.Optimizer`.

    Raises
    ------
    TypeError, ValueError
        If a hyper-parameter is not a number in its range, or `model` or `groups` does not fit.

    Examples
    --------
    The first step is lr / sqrt(1 - alpha), whatever the size of the gradient.

    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from fastrnn.optim.adaptive import RMSprop
    >>> p, g = np.array([1.0, 2.0]), np.array([50.0, -0.1])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as a layer has them
    >>> RMSprop(model, lr=0.1, alpha=0.75).step()
    >>> p.round(4)
    array([0.8, 2.2])
    """

    alpha = Hyperparameter(0, 1)
    eps = Hyperparameter(0, ends="()")
    momentum = Hyperparameter(0, 1)
    centered = Flag()
    moments = ("s", "m", "v")

    def __init__(
        self,
        model,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0.0,
        momentum=0.0,
        centered=False,
        *,
        groups=None,
    ):
        super().__init__(model, lr, weight_decay, groups=groups)
        self.alpha = alpha
        self.eps = eps
        self.momentum = momentum
        self.centered = centered

    def update(self, p, g, s, m, v):
        rule, mean = ("rmsprop_centered", m) if self.centered else ("rmsprop", None)
        elementwise.update(
            rule, p, g, m=mean, s=s, v=v if self.momentum else None,
            rate=self.lr, decay=self.weight_decay, beta1=self.alpha, beta2=self.alpha, eps=self.eps,
            momentum=self.momentum,
        )  # fmt: skip


class Adam(KernelOptimizer):
    """Adam, with bias correction.

    Kingma, Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1, at step t
    (1 at first)::

        g  = g + weight_decay p
        m  = beta1 m + (1 - beta1) g
        v  = beta2 v + (1 - beta2) g**2
        p -= lr m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps)

    Parameters
    ----------
    model : object with ``params``, ``grads`` and ``zero_grad()``
        The parameters are updated in place.
    lr : float, default 1e-3
        Learning rate, >= 0.
    betas : (float, float), default (0.9, 0.999)
        Decay of the two moments, each in [0, 1); the hyper-parameters `beta1` and `beta2`.
    eps : float, default 1e-8
        Added to the root of the second moment, after its bias correction; > 0.
    weight_decay : float, default 0.0
        L2 penalty, >= 0, which is scaled like the rest of the gradient: `AdamW` is what one mostly
        wants.
    groups : mapping of str to mapping, optional
        Parameters with hyper-parameters of their own, by patterns over their names: see
        `fastrnn.optim.Optimizer`.

    Raises
    ------
    TypeError, ValueError
        If a hyper-parameter is not a number in its range, or `model` or `groups` does not fit.

    Examples
    --------
    The first step has the size of the learning rate, whatever that of the gradient.

    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> p, g = np.array([1.0, 2.0]), np.array([50.0, -0.1])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as a layer has them
    >>> fr.Adam(model, lr=0.1).step()
    >>> p.round(4)
    array([0.9, 2.1])
    """

    beta1 = Hyperparameter(0, 1)
    beta2 = Hyperparameter(0, 1)
    eps = Hyperparameter(0, ends="()")
    moments = ("m", "v")

    def __init__(self, model, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, *, groups=None):
        super().__init__(model, lr, weight_decay, groups=groups)
        if np.shape(betas) != (2,):
            raise ValueError(f"betas: expected two numbers in [0, 1), got {betas}")
        self.beta1, self.beta2 = betas
        self.eps = eps

    def update(self, p, g, m, v):
        elementwise.update(
            "adam", p, g, m=m, s=v,
            rate=self.lr / (1 - self.beta1**self.steps), root=math.sqrt(1 - self.beta2**self.steps),
            beta1=self.beta1, beta2=self.beta2, eps=self.eps, **self._decay(),
        )  # fmt: skip

    def _decay(self):
        """What weight decay is to the rule."""
        return {"decay": self.weight_decay}


class AdamW(Adam):
    """Adam with decoupled weight decay: parameters shrink by themselves, not through the gradient.

    Loshchilov, Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2, in the form
    of PyTorch, where the decay is a multiple of the learning rate::

        p *= 1 - lr weight_decay
        then as in Adam without weight decay

    Parameters
    ----------
    model : object with ``params``, ``grads`` and ``zero_grad()``
        The parameters are updated in place.
    lr : float, default 1e-3
        Learning rate, >= 0.
    betas : (float, float), default (0.9, 0.999)
        Decay of the two moments, each in [0, 1); the hyper-parameters `beta1` and `beta2`.
    eps : float, default 1e-8
        Added to the root of the second moment, after its bias correction; > 0.
    weight_decay : float, default 1e-2
        >= 0. Biases are usually left out: ``groups={"*bias*": {"weight_decay": 0.0}}``.
    groups : mapping of str to mapping, optional
        Parameters with hyper-parameters of their own, by patterns over their names: see
        `fastrnn.optim.Optimizer`.

    Raises
    ------
    TypeError, ValueError
        If a hyper-parameter is not a number in its range, or `model` or `groups` does not fit.

    Examples
    --------
    Without a gradient only the decay is left.

    >>> import fastrnn as fr
    >>> from fastrnn.optim.adaptive import AdamW
    >>> layer = fr.Linear(1, 1, seed=0)
    >>> layer.params["weight"][...] = layer.params["bias"][...] = 2
    >>> AdamW(layer, lr=0.5, weight_decay=0.5, groups={"*bias*": {"weight_decay": 0.0}}).step()
    >>> print(layer.params["weight"], layer.params["bias"])
    [[1.5]] [2.]
    """

    def __init__(self, model, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, *, groups=None):
        super().__init__(model, lr, betas, eps, weight_decay, groups=groups)

    def _decay(self):
        return {"keep": 1 - self.lr * self.weight_decay}

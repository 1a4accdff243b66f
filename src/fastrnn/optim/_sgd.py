# SPDX-License-Identifier: BSD-3-Clause
"""SGD."""

from .._engine import elementwise
from ._hyperparameters import Flag, Hyperparameter
from ._optimizer import Optimizer


class KernelOptimizer(Optimizer):
    """An optimizer whose rule runs in C, weight decay and all: one of csrc/engine/update.h."""

    def decay_weights(self, p, g):
        """The gradient as it is: the rule adds what weight decay does."""
        return g


class SGD(KernelOptimizer):
    """Stochastic gradient descent, with momentum if `momentum` > 0.

    In the convention of PyTorch (Sutskever, Martens, Dahl, Hinton, "On the importance of
    initialization and momentum in deep learning", ICML 2013, equations 1 and 2, with the learning
    rate taken out of the velocity)::

        g  = g + weight_decay p
        v  = momentum v + g
        p -= lr v                     or with nesterov     lr (g + momentum v)

    Parameters
    ----------
    model : object with ``params``, ``grads`` and ``zero_grad()``
        The parameters are updated in place.
    lr : float, default 1e-3
        Learning rate, >= 0.
    momentum : float, default 0.0
        In [0, 1).
    nesterov : bool, default False
        Nesterov's momentum (equations 3 and 4 there, in the form that needs the gradient at `p`
        alone). Needs momentum > 0, in every group.
    weight_decay : float, default 0.0
        L2 penalty, >= 0.
    groups : mapping of str to mapping, optional
        Parameters with hyper-parameters of their own, by patterns over their names: see
        `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        If a hyper-parameter is not a number in its range, or `model` or `groups` does not fit.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> p, g = np.array([1.0, 2.0]), np.array([5.0, -5.0])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as a layer has them
    >>> fr.SGD(model, lr=0.1).step()
    >>> p
    array([0.5, 2.5])
    """

    momentum = Hyperparameter(0, 1)
    nesterov = Flag()
    moments = ("velocity",)

    def __init__(self, model, lr=1e-3, momentum=0.0, *, nesterov=False, weight_decay=0.0, groups=None):
        super().__init__(model, lr, weight_decay, groups=groups)
        self.momentum = momentum
        self.nesterov = nesterov
        for name in self.state:
            rule = self._rule(name)
            if rule.nesterov and rule.momentum == 0:
                raise ValueError(f"nesterov: expected momentum > 0 with it, got 0.0 for {name}")

    def update(self, p, g, velocity):
        elementwise.update(
            "plain", p, g, v=velocity if self.momentum else None,
            rate=self.lr, decay=self.weight_decay, momentum=self.momentum, nesterov=self.nesterov,
        )  # fmt: skip

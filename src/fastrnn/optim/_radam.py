# SPDX-License-Identifier: BSD-3-Clause
"""RAdam."""

import math

import numpy as np

from .._engine.arguments import Array
from ..nn._options import Flag
from ._adam import AdamFamily


class RAdam(AdamFamily):
    """Rectified Adam: Adam with smaller steps while its second moment is averaged over few gradients.

    Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020, algorithm 2, in the form of
    PyTorch, at step t (1 at first)::

        g   = g + weight_decay p
        m   = beta1 m + (1 - beta1) g
        v   = beta2 v + (1 - beta2) g**2
        m_t = m / (1 - beta1**t)
        R   = 2 / (1 - beta2) - 1
        r   = R - 2 t beta2**t / (1 - beta2**t)
        p  -= lr m_t                                                                       while r <= 5
        p  -= lr m_t sqrt((r-4) (r-2) R / ((R-4) (R-2) r)) sqrt(1 - beta2**t) / (sqrt(v) + eps)    from then on

    While r is at most 5 (5 steps with the default `beta2`) it is gradient descent with momentum: the size of a step is
    that of the gradient then, which may be far larger than `lr`. Its rule is written in NumPy.

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter is out of range, or `model` or `groups` does not fit.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> p, g = np.array([1.0, 2.0]), np.array([5.0, -0.1])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as in a layer
    >>> radam = fr.RAdam(model, lr=0.1)
    >>> radam.step()
    >>> p.round(4)
    array([0.5 , 2.01])
    """

    decoupled_weight_decay: Flag = Flag("Whether the weight decay is that of `AdamW`.", default=False)

    def update(self, p: Array, g: Array, m: Array, v: Array) -> None:
        rest = 1 - self.beta2**self.steps
        longest = 2 / (1 - self.beta2) - 1  # R, the length of the running mean of squares in the end
        length = longest - 2 * self.steps * self.beta2**self.steps / rest  # r, and so far
        rate = self.lr / (1 - self.beta1**self.steps)
        if length > 5:
            rate *= math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length) * rest)
        for part, _, mean, square in self._advanced(p, g, m, v):
            part -= rate * mean / (np.sqrt(square) + self.eps) if length > 5 else rate * mean

    def _decay(self) -> tuple[float, float]:
        return self._decoupled_decay() if self.decoupled_weight_decay else super()._decay()

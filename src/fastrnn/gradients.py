# SPDX-License-Identifier: BSD-3-Clause
"""What is done to gradients between `backward` and the optimizer's step."""

import math
from numbers import Real

import numpy as np

__all__ = ["clip_grad_norm"]


def clip_grad_norm(model, max_norm):
    """Scale all gradients of a model together so that their global norm is at most `max_norm`.

    Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", ICML
    2013, algorithm 1, with the small constant of ``torch.nn.utils.clip_grad_norm_``::

        norm  = sqrt(sum of g**2 over every element of every gradient)
        scale = min(1, max_norm / (norm + 1e-6))
        g    *= scale

    Parameters
    ----------
    model : object with ``grads``
        A layer or model; `grads` maps names to float32 or float64 arrays, scaled in place.
    max_norm : float
        Largest global L2 norm allowed, >= 0. With ``math.inf`` the norm is only measured.

    Returns
    -------
    norm : float
        The norm before scaling, accumulated in float64.

    Raises
    ------
    FloatingPointError
        If the norm of a gradient is not finite: the first such parameter is named, and all
        gradients are left as they were. (Scaling by a norm of nan or inf would spread nan to
        every parameter.)
    TypeError, ValueError
        If `model` has no `grads`, or `max_norm` is not a number >= 0.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> model = SimpleNamespace(grads={"w": np.array([3.0, 0.0]), "b": np.array([4.0])})
    >>> fr.clip_grad_norm(model, max_norm=1.0)
    5.0
    >>> model.grads["w"].round(4), model.grads["b"].round(4)
    (array([0.6, 0. ]), array([0.8]))
    """
    if not hasattr(model, "grads"):
        raise TypeError(f"model: expected an object with grads, got {type(model).__name__}")
    if not isinstance(max_norm, Real):
        raise TypeError(f"max_norm: expected a number, got {type(max_norm).__name__}")
    if not max_norm >= 0:
        raise ValueError(f"max_norm: expected a number >= 0, got {max_norm}")

    norms = {name: _norm(grad) for name, grad in model.grads.items()}
    for name, norm in norms.items():
        if not math.isfinite(norm):
            raise FloatingPointError(f"grads[{name!r}]: expected a finite norm, got {norm}")

    norm = math.hypot(*norms.values())  # the norm of the norms
    scale = float(max_norm) / (norm + 1e-6)
    if scale < 1:
        for grad in model.grads.values():
            grad *= scale
    return norm


def _norm(grad):
    """L2 norm in float64, without a float64 copy, and in one order: no threaded BLAS."""
    flat = grad.reshape(-1)
    return math.sqrt(np.einsum("i,i->", flat, flat, dtype=np.float64))

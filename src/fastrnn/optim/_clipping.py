# SPDX-License-Identifier: BSD-3-Clause
"""Clipping of gradients, between `backward` and the optimizer's step."""

import math
from collections.abc import Sequence

import numpy as np

from .._engine.arguments import LIMIT, Interval, as_number
from .._engine.elementwise import largest_magnitude, norm_of, norms_of
from ..nn._parameters import distinct
from ._trainable import Models, as_model

ORDER = Interval(0, math.inf, "(]", "a number above 0")


def clip_grad_norm(model: Models, max_norm: float, norm_type: float = 2.0, *, each: bool = False) -> float:
    """Scale all gradients of a model, or of several, together so that their global norm is at most `max_norm`.

    Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1, with
    the small constant of ``torch.nn.utils.clip_grad_norm_``::

        norm  = (sum of |g|**p over every element of every gradient)**(1/p)       p = norm_type, or
        norm  = largest |g|                                                       p = inf
        scale = min(1, max_norm / (norm + 1e-6))
        g    *= scale

    Parameters
    ----------
    model : Trainable, or list or dict of Trainable
        A layer or model, or any object with `grads`, which maps names to float32 or float64 arrays. They are scaled in
        place. Several are scaled together: the norm is that of all their gradients.
    max_norm : float
        Largest norm allowed, of at least 0. With ``math.inf`` the norm is only measured.
    norm_type : float, default 2.0
        p, above 0: 2 for the L2 norm, 1 for the sum of magnitudes, ``math.inf`` for the largest magnitude.
    each : bool, default False
        Scale each gradient separately, so that the norm of each is at most `max_norm`.

    Returns
    -------
    float
        The global norm before scaling, also with `each`; accumulated in float64.

    Raises
    ------
    FloatingPointError
        The norm of a gradient, or of all of them, is not finite. The message names the first such parameter, and all
        gradients are unchanged: scaling by a norm of nan or inf would spread nan to every parameter.
    TypeError, ValueError
        `model` has no `grads`, `max_norm` is not a number of at least 0, or `norm_type` is not one above 0.

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
    grads = distinct(as_model(model, "grads").grads)
    max_norm, p = as_number("max_norm", max_norm, LIMIT), as_number("norm_type", norm_type, ORDER)
    norms = norms_of([*grads.values()], p)
    total = norm_of_all(norms, p)
    if not math.isfinite(total):
        for name, norm in zip(grads, norms, strict=True):
            if not math.isfinite(norm):
                raise FloatingPointError(f"grads[{name!r}]: expected a finite norm, got {norm}")
        raise FloatingPointError(f"grads: expected a finite norm of all of them, got {total}")
    for norm, grad in zip(norms, grads.values(), strict=True):
        scale = max_norm / ((norm if each else total) + 1e-6)
        if scale < 1:
            grad *= scale
    return total


def norm_of_all(norms: Sequence[float], p: float = 2.0) -> float:
    """The norm of all gradients, given those of each: the norm of the norms; nan or inf if one of them is."""
    return math.hypot(*norms) if p == 2 else norm_of(np.array(norms), p)


def clip_grad_value(model: Models, limit: float) -> float:
    """Clip every element of every gradient of a model, or of several, to [-limit, limit].

    Parameters
    ----------
    model : Trainable, or list or dict of Trainable
        A layer or model, or any object with `grads`, which maps names to float32 or float64 arrays. They are clipped
        in place.
    limit : float
        Largest magnitude allowed, of at least 0. With ``math.inf`` the magnitude is only measured.

    Returns
    -------
    float
        The largest magnitude before clipping; 0 if there are no gradients.

    Raises
    ------
    FloatingPointError
        An element of a gradient is not finite. The message names the first such parameter, and all gradients are
        unchanged.
    TypeError, ValueError
        `model` has no `grads`, or `limit` is not a number of at least 0.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from fastrnn.optim import clip_grad_value
    >>> model = SimpleNamespace(grads={"w": np.array([3.0, -0.5]), "b": np.array([-4.0])})
    >>> clip_grad_value(model, limit=1.0)
    4.0
    >>> model.grads["w"], model.grads["b"]
    (array([ 1. , -0.5]), array([-1.]))
    """
    grads = distinct(as_model(model, "grads").grads)
    limit = as_number("limit", limit, LIMIT)
    largest = {name: largest_magnitude(f"grads[{name!r}]", grad) for name, grad in grads.items()}
    for name, grad in grads.items():
        if largest[name] > limit:
            np.clip(grad, -limit, limit, out=grad)
    return max(largest.values(), default=0.0)

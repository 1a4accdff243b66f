# SPDX-License-Identifier: BSD-3-Clause
"""Clipping of gradients, between `backward` and the optimizer's step."""

import math

import numpy as np

from .._engine.arguments import LIMIT, as_number
from .._engine.elementwise import largest_magnitude, sum_of_squares
from ..nn._parameters import distinct
from ._trainable import Trainable, check_model


def clip_grad_norm(model: Trainable, max_norm: float, *, each: bool = False) -> float:
    """Scale all gradients of a model together so that their global norm is at most `max_norm`.

    Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1, with
    the small constant of ``torch.nn.utils.clip_grad_norm_``::

        norm  = sqrt(sum of g**2 over every element of every gradient)
        scale = min(1, max_norm / (norm + 1e-6))
        g    *= scale

    Parameters
    ----------
    model : Trainable
        A layer or model, or any object with `grads`, which maps names to float32 or float64 arrays. They are scaled in
        place.
    max_norm : float
        Largest L2 norm allowed, of at least 0. With ``math.inf`` the norm is only measured.
    each : bool, default False
        Scale each gradient separately, so that the norm of each is at most `max_norm`.

    Returns
    -------
    float
        The global norm before scaling, also with `each`; accumulated in float64.

    Raises
    ------
    FloatingPointError
        The norm of a gradient is not finite. The message names the first such parameter, and all gradients are
        unchanged: scaling by a norm of nan or inf would spread nan to every parameter.
    TypeError, ValueError
        `model` has no `grads`, or `max_norm` is not a number of at least 0.

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
    check_model(model, "grads")
    max_norm = as_number("max_norm", max_norm, LIMIT)
    grads = distinct(model.grads)
    norms = {name: math.sqrt(sum_of_squares(grad)) for name, grad in grads.items()}
    for name, norm in norms.items():
        if not math.isfinite(norm):
            raise FloatingPointError(f"grads[{name!r}]: expected a finite norm, got {norm}")

    total = math.hypot(*norms.values())  # the norm of the norms
    for name, grad in grads.items():
        scale = max_norm / ((norms[name] if each else total) + 1e-6)
        if scale < 1:
            grad *= scale
    return total


def clip_grad_value(model: Trainable, limit: float) -> float:
    """Clip every element of every gradient of a model to [-limit, limit].

    Parameters
    ----------
    model : Trainable
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
    check_model(model, "grads")
    limit = as_number("limit", limit, LIMIT)
    grads = distinct(model.grads)
    largest = {name: largest_magnitude(f"grads[{name!r}]", grad) for name, grad in grads.items()}
    for name, grad in grads.items():
        if largest[name] > limit:
            np.clip(grad, -limit, limit, out=grad)
    return max(largest.values(), default=0.0)

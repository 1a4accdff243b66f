# SPDX-License-Identifier: BSD-3-Clause
"""What is done to gradients between `backward` and the optimizer's step."""

import math
from fnmatch import fnmatchcase
from numbers import Real

import numpy as np

from .._engine import elementwise

__all__ = ["add_penalty", "clip_grad_norm", "clip_grad_value"]


def clip_grad_norm(model, max_norm, *, each=False):
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
        Largest L2 norm allowed, >= 0. With ``math.inf`` the norm is only measured.
    each : bool, default False
        Scale every gradient by itself, so that the norm of each is at most `max_norm`.

    Returns
    -------
    norm : float
        The global norm before scaling, accumulated in float64; also with `each`.

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
    _check_model(model, "grads")
    _check_number("max_norm", max_norm)
    norms = {name: math.sqrt(elementwise.sum_of_squares(grad)) for name, grad in model.grads.items()}
    for name, norm in norms.items():
        if not math.isfinite(norm):
            raise FloatingPointError(f"grads[{name!r}]: expected a finite norm, got {norm}")

    total = math.hypot(*norms.values())  # the norm of the norms
    for name, grad in model.grads.items():
        scale = float(max_norm) / ((norms[name] if each else total) + 1e-6)
        if scale < 1:
            grad *= scale
    return total


def clip_grad_value(model, limit):
    """Clip every element of every gradient of a model to [-limit, limit].

    Parameters
    ----------
    model : object with ``grads``
        A layer or model; `grads` maps names to float32 or float64 arrays, clipped in place.
    limit : float
        Largest magnitude allowed, >= 0. With ``math.inf`` the magnitude is only measured.

    Returns
    -------
    largest : float
        The largest magnitude before clipping; 0 if there is no gradient.

    Raises
    ------
    FloatingPointError
        If an element of a gradient is not finite: the first such parameter is named, and all
        gradients are left as they were.
    TypeError, ValueError
        If `model` has no `grads`, or `limit` is not a number >= 0.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from fastrnn.gradients import clip_grad_value
    >>> model = SimpleNamespace(grads={"w": np.array([3.0, -0.5]), "b": np.array([-4.0])})
    >>> clip_grad_value(model, limit=1.0)
    4.0
    >>> model.grads["w"], model.grads["b"]
    (array([ 1. , -0.5]), array([-1.]))
    """
    _check_model(model, "grads")
    _check_number("limit", limit)
    limit = float(limit)
    largest = {name: _largest(f"grads[{name!r}]", grad) for name, grad in model.grads.items()}
    for name, grad in model.grads.items():
        if largest[name] > limit:
            np.clip(grad, -limit, limit, out=grad)
    return max(largest.values(), default=0.0)


def add_penalty(model, l1=0.0, l2=0.0, names="*weight*"):
    """Add the gradient of an L1 and L2 penalty of parameters to their gradients.

    ::

        penalty = sum over the elements p of the parameters of  l1 |p| + l2 / 2 p**2
        g      += l1 sign(p) + l2 p                    sign(0) = 0

    So `l2` is the optimizers' `weight_decay`, except that of AdamW.

    Parameters
    ----------
    model : object with ``params`` and ``grads``
        A layer or model; the parameters are only read, the gradients changed in place.
    l1, l2 : float, default 0.0
        Weights of the two penalties, finite and >= 0.
    names : str, default "*weight*"
        A pattern of `fnmatch`: the parameters of matching names are penalised.

    Returns
    -------
    penalty : float
        Its value, accumulated in float64: to be added to the loss.

    Raises
    ------
    FloatingPointError
        If a parameter that is penalised, its gradient or their sum is not finite: the first one is
        named, and all gradients are left as they were.
    TypeError, ValueError
        If `model` has no `params` and `grads`, `l1` or `l2` is not a finite number >= 0, or `names`
        matches no parameter.

    Examples
    --------
    >>> import fastrnn as fr
    >>> from fastrnn.gradients import add_penalty
    >>> layer = fr.Linear(2, 1, seed=0)
    >>> layer.params["weight"] = [[3.0, -4.0]]
    >>> add_penalty(layer, l1=1.0, l2=0.5)  # 3 + 4 + 0.25 (9 + 16)
    13.25
    >>> print(layer.grads["weight"], layer.grads["bias"])
    [[ 2.5 -3. ]] [0.]
    """
    pairs = penalised(model, l1, l2, names)
    l1, l2 = float(l1), float(l2)  # Python's own leave an array its dtype
    for name, (p, g) in pairs.items():
        reach = _largest(f"grads[{name!r}]", g) + l1 + l2 * _largest(f"params[{name!r}]", p)
        if reach > float(np.finfo(g.dtype).max):
            raise FloatingPointError(f"grads[{name!r}]: expected a sum that fits {g.dtype}, got one up to {reach}")

    penalty = 0.0
    with np.errstate(over="ignore"):  # of the value alone: the gradients fit
        for p, g in pairs.values():
            if l1:
                penalty += l1 * float(np.abs(p).sum(dtype=np.float64))
                g += l1 * np.sign(p)
            if l2:
                penalty += l2 / 2 * elementwise.sum_of_squares(p)
                g += l2 * p
    return penalty


def penalised(model, l1=0.0, l2=0.0, names="*weight*"):
    """The parameters and gradients, by name, that `add_penalty` would see; its errors if the arguments are wrong."""
    _check_model(model, "params", "grads")
    _check_number("l1", l1, "finite number")
    _check_number("l2", l2, "finite number")
    if not isinstance(names, str):
        raise TypeError(f"names: expected a pattern of parameter names, got {type(names).__name__}")
    pairs = {name: (model.params[name], model.grads[name]) for name in model.params if fnmatchcase(name, names)}
    if not pairs:
        raise ValueError(f"names: expected a match among {', '.join(model.params)}, got none for {names!r}")
    return pairs


def _check_model(model, *parts):
    if not all(hasattr(model, part) for part in parts):
        raise TypeError(f"model: expected an object with {' and '.join(parts)}, got {type(model).__name__}")


def _check_number(name, value, kind="number"):
    if not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not value >= 0 or (kind == "finite number" and value == math.inf):
        raise ValueError(f"{name}: expected a {kind} >= 0, got {value}")


def _largest(what, array):
    """Largest magnitude in an array, 0 if it is empty; FloatingPointError that says what is not finite."""
    with np.errstate(invalid="ignore"):
        largest = float(max(array.max(initial=0), -array.min(initial=0)))
    if not math.isfinite(largest):
        raise FloatingPointError(f"{what}: expected finite values, got {largest}")
    return largest

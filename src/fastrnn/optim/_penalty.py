# SPDX-License-Identifier: BSD-3-Clause
"""L1 and L2 penalties of parameters, between `backward` and the optimizer's step."""

import numpy as np

from .._engine.arguments import Array, as_nonnegative
from .._engine.elementwise import largest_magnitude, sum_of_squares
from ..nn._parameters import first_names
from ._groups import matches
from ._trainable import Models, as_model


def add_penalty(model: Models, l1: float = 0.0, l2: float = 0.0, names: str = "*weight*") -> float:
    """Add the gradient of an L1 and L2 penalty of parameters to their gradients.

    ::

        penalty = sum over the elements p of the parameters of  l1 |p| + l2 / 2 p**2
        g      += l1 sign(p) + l2 p                    sign(0) = 0

    So `l2` is the optimizers' `weight_decay`, except that of AdamW.

    Parameters
    ----------
    model : Trainable, or list or dict of Trainable
        A layer or model, or any object with `params` and `grads`. The parameters are only read, the gradients are
        changed in place.
    l1, l2 : float, default 0.0
        Weights of the two penalties, finite and at least 0.
    names : str, default "*weight*"
        A pattern of `fnmatch`: parameters with matching names are penalized, each once, however many names it has.

    Returns
    -------
    float
        The value of the penalty, to be added to the loss; accumulated in float64.

    Raises
    ------
    FloatingPointError
        A penalized parameter, its gradient or their sum is not finite. The message names the first one, and all
        gradients are unchanged.
    TypeError, ValueError
        `model` has no `params` and `grads`, `l1` or `l2` is not a finite number of at least 0, or `names` matches no
        parameter.

    Examples
    --------
    >>> import fastrnn as fr
    >>> layer = fr.Linear(2, 1, seed=0)
    >>> layer.params["weight"] = [[3.0, -4.0]]
    >>> fr.add_penalty(layer, l1=1.0, l2=0.5)  # 3 + 4 + 0.25 (9 + 16)
    13.25
    >>> print(layer.grads["weight"], layer.grads["bias"])
    [[ 2.5 -3. ]] [0.]
    """
    pairs = penalized(model, l1, l2, names)
    l1, l2 = float(l1), float(l2)  # Python's own leave an array its dtype
    for name, (p, g) in pairs.items():
        largest = largest_magnitude(f"grads[{name!r}]", g) + l1 + l2 * largest_magnitude(f"params[{name!r}]", p)
        if largest > float(np.finfo(g.dtype).max):
            raise FloatingPointError(f"grads[{name!r}]: expected a sum that fits {g.dtype}, got one up to {largest}")

    penalty = 0.0
    with np.errstate(over="ignore"):  # in the value only: the gradients fit
        for p, g in pairs.values():
            if l1:
                penalty += l1 * float(np.abs(p).sum(dtype=np.float64))
                g += l1 * np.sign(p)
            if l2:
                penalty += l2 / 2 * sum_of_squares(p)
                g += l2 * p
    return penalty


def penalized(
    model: Models, l1: float = 0.0, l2: float = 0.0, names: str = "*weight*"
) -> dict[str, tuple[Array, Array]]:
    """The parameters and gradients, by name, that `add_penalty` would change; its errors for wrong arguments."""
    model = as_model(model, "params", "grads")
    as_nonnegative("l1", l1)
    as_nonnegative("l2", l2)
    if not isinstance(names, str):
        raise TypeError(f"names: expected a pattern of parameter names, got {type(names).__name__}")
    params, grads = model.params, model.grads
    first = first_names(params)
    pairs = {name: (params[name], grads[name]) for name in matches(first, names)}
    if not pairs:
        raise ValueError(f"names: expected a match among {', '.join(first)}, got none for {names!r}")
    return pairs

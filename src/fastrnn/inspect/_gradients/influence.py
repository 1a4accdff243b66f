# SPDX-License-Identifier: BSD-3-Clause
"""How much outputs depend on inputs, by the gradient of each output with respect to each input."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array
from ...nn import Layer
from .._documented import documented
from .probes import ARGUMENTS, ERRORS
from .target import AttributionTarget

REDUCTIONS = ("norm", "sum", None)


@documented(first=ARGUMENTS, last=ERRORS)
def influence(
    model: Layer, x: ArrayLike, lengths: ArrayLike | None = None, *, state: Any = None,
    output: ArrayLike | None = None, at: ArrayLike | None = None, reduce: Literal["norm", "sum"] | None = "norm",
) -> Array:  # fmt: skip
    """The influence of each input step on each output step: dy_s / dx_t for all s and t.

    For tokens, the derivative is with respect to their embedding vectors.

    Parameters
    ----------
    output : int or array_like of int, optional
        A feature of y, or one for each row and step, with the shape of y without its last axis: the next tokens, for
        example. By default all F features together, which takes F times as long.
    at : int or sequence of int, optional
        The steps s of y; a negative step counts from the end of each row. All by default.
    reduce : {"norm", "sum", None}, default "norm"
        How the features of x are reduced: the Euclidean norm (for all features of y the Frobenius norm of the matrix
        dy_s / dx_t); the sum, which has a sign; or not at all, which leaves the gradients as they are. The last two
        need an `output`.

    Returns
    -------
    influence : ndarray, shape (N, S, T), float64
        Without N where x is unbatched, without S where `at` is an integer or y has no steps; (..., T, I) with
        ``reduce=None``. It is 0 where s or t is beyond the length of a row, and where no path leads from x_t to y_s.

    Notes
    -----
    One backward pass gives one row of the matrix, and a batch of them runs at a time: S passes for each row of x, in
    blocks whose tapes have at most 64 MB.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import influence
    >>> x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    >>> J = influence(fr.RNN(3, 4, seed=0), x)
    >>> J.shape, bool((np.triu(J, 1) == 0).all())  # no output depends on later inputs
    ((5, 5), True)
    """
    if reduce not in REDUCTIONS:
        raise ValueError(f"reduce: expected one of {', '.join(map(repr, REDUCTIONS))}, got {reduce!r}")
    if output is None and reduce != "norm":
        raise ValueError(f"output: expected a feature of y, which reduce={reduce!r} needs, got None")
    target = AttributionTarget(model, x, lengths, state)
    (T, N, I), F = target.x.shape, target.y.shape[-1]
    steps = target.steps(at)
    result = np.zeros((N, steps.shape[1], T, *(() if reduce else (I,))))
    rows, places = np.nonzero(steps >= 0)
    blocks = target.blocks(len(rows))
    for feature in range(F) if output is None else [output]:
        units = target.units(feature)
        for block in blocks:
            n, s = rows[block], steps[rows[block], places[block]]
            dx = target.gradients(target.x[:, n], n, s, units[s, n])
            dx = np.asarray(dx.swapaxes(0, 1), np.float64)
            if reduce == "norm":
                result[n, places[block]] += np.square(dx).sum(axis=-1)
            else:
                result[n, places[block]] = dx.sum(axis=-1) if reduce else dx
    return target.result(np.sqrt(result) if reduce == "norm" else result, at)

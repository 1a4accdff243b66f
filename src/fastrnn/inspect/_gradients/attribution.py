# SPDX-License-Identifier: BSD-3-Clause
"""How much each input step contributes to an output: integrated gradients, and occlusion."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_size
from ...nn import Layer
from .._documented import documented
from .probes import ARGUMENTS, ERRORS
from .target import AttributionTarget


@documented(first=ARGUMENTS, last=ERRORS)
def integrated_gradients(
    model: Layer, x: ArrayLike, lengths: ArrayLike | None = None, *, state: Any = None, output: ArrayLike,
    at: ArrayLike | None = None, baseline: ArrayLike | None = None, points: int = 32,
) -> Array:  # fmt: skip
    """Integrated gradients: the contribution of each input step to an output.

    Sundararajan, Taly, Yan, "Axiomatic attribution for deep networks", ICML 2017, equation 1: the gradient is averaged
    on the straight line from a baseline x' to x, and multiplied by x - x'::

        share_t = sum over i of (x_ti - x'_ti) * integral over a in 0..1 of dy_s / dx_ti at x' + a (x - x')

    The shares of all steps add up to y_s(x) - y_s(x').

    Parameters
    ----------
    output, at : int or array_like of int
        The feature of y to explain and the steps of y, as in `influence`.
    baseline : array_like, optional
        An array that broadcasts to x, or for a model of tokens a token or tokens. By default zeros, which for tokens
        means a vector of zeros.
    points : int, default 32
        At how many points the integral is evaluated, by Gauss-Legendre quadrature.

    Returns
    -------
    shares : ndarray, shape (N, S, T), float64
        The axes are those of `influence`; shares have a sign.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import integrated_gradients
    >>> x = np.random.default_rng(0).standard_normal((5, 3))
    >>> rnn = fr.RNN(3, 4, dtype=np.float64, seed=0)
    >>> shares = integrated_gradients(rnn, x, output=2, at=-1)
    >>> y, _ = rnn(x)
    >>> y_0, _ = rnn(np.zeros_like(x))
    >>> shares.shape, bool(np.isclose(shares.sum(), y[-1, 2] - y_0[-1, 2]))
    ((5,), True)
    """
    points = as_size("points", points)
    target = AttributionTarget(model, x, lengths, state)
    steps, units, start = target.steps(at), target.units(output), target.baseline(baseline)
    difference = target.x - start
    nodes, weights = np.polynomial.legendre.leggauss(points)  # on -1..1
    nodes, weights = (1 + nodes) / 2, weights / 2
    T, N, _ = target.x.shape
    shares = np.zeros((N, steps.shape[1], T))
    rows, places = (np.repeat(index, points) for index in np.nonzero(steps >= 0))
    alphas, weights = (np.tile(array, len(rows) // points) for array in (nodes, weights))
    for block in target.blocks(len(rows)):
        n, s = rows[block], steps[rows[block], places[block]]
        between = start[:, n] + alphas[block].astype(difference.dtype)[:, None] * difference[:, n]
        dx = target.gradients(between, n, s, units[s, n])
        share = weights[block, None] * np.einsum("tri,tri->rt", dx, difference[:, n], dtype=np.float64)
        np.add.at(shares, (n, places[block]), share)
    return target.result(shares, at)


@documented(first=ARGUMENTS, last=ERRORS)
def occlusion(
    model: Layer, x: ArrayLike, lengths: ArrayLike | None = None, *, state: Any = None,
    output: ArrayLike | None = None, at: ArrayLike | None = None, baseline: ArrayLike | None = None,
) -> Array:  # fmt: skip
    """Occlusion: the change of the outputs when one step of x is removed, y_s(x) - y_s(x without step t).

    The baseline replaces the step that is left out (Zeiler, Fergus, "Visualizing and understanding convolutional
    networks", ECCV 2014, section 4.2; for words Li, Monroe, Jurafsky, arXiv 1612.08220).

    Parameters
    ----------
    output, at : int or array_like of int, optional
        As in `influence`. With one feature the difference has a sign; by default it is the Euclidean norm over all.
    baseline : array_like, optional
        As in `integrated_gradients`.

    Returns
    -------
    change : ndarray, shape (N, S, T), float64
        The axes are those of `influence`.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import occlusion
    >>> x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    >>> change = occlusion(fr.GRU(3, 4, seed=0), x)
    >>> change.shape, bool((np.triu(change, 1) == 0).all())
    ((5, 5), True)
    """
    target = AttributionTarget(model, x, lengths, state)
    steps, start = target.steps(at), target.baseline(baseline)
    units = None if output is None else target.units(output)
    T, N, _ = target.x.shape
    change = np.zeros((N, steps.shape[1], T))
    rows, omitted = np.nonzero(np.arange(T) < target.lengths[:, None])
    for block in target.blocks(len(rows)):
        n, t = rows[block], omitted[block]
        every = np.arange(len(n))
        without = target.x[:, n]
        without[t, every] = start[t, n]
        difference = target.y[:, n].astype(np.float64) - target.run(without, n)
        s = steps[n].T  # (S, rows)
        value = np.linalg.norm(difference[s, every], axis=-1) if units is None else difference[s, every, units[s, n]]
        change[n, :, t] = np.where(s >= 0, value, 0).T
    return target.result(change, at)

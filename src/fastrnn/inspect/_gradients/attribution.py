# SPDX-License-Identifier: BSD-3-Clause
"""What each input step has contributed to an output: integrated gradients, and occlusion."""

import numpy as np

from ..._engine import arguments
from .target import Subject


def integrated_gradients(model, x, lengths=None, *, state=None, output, at=None, baseline=None, points=32):
    """The share of each input step in the difference that x makes to an output.

    Sundararajan, Taly, Yan, "Axiomatic attribution for deep networks", ICML 2017, equation 1: the gradient is
    averaged on the straight way from a baseline x' to x, and multiplied by x - x'::

        share_t = sum over i of (x_ti - x'_ti) * integral over a in 0..1 of dy_s / dx_ti at x' + a (x - x')

    The shares of all steps add up to y_s(x) - y_s(x').

    Parameters
    ----------
    model, x, lengths, state, at
        As in `influence`.
    output : int or array_like of int
        The feature of y that is asked about, as in `influence`.
    baseline : array_like, optional
        What broadcasts to x, or of a model of tokens a token or tokens. Zero by default; of tokens a vector of zeros.
    points : int
        At which the integral is taken, by the rule of Gauss and Legendre.

    Returns
    -------
    shares : ndarray, shape (N, S, T), float64
        As of `influence`; with a sign.

    Raises
    ------
    TypeError, ValueError
        As of `influence`, or `baseline` does not fit x.

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
    points = arguments.as_size("points", points)
    subject = Subject(model, x, lengths, state)
    steps, units, start = subject.steps(at), subject.units(output), subject.baseline(baseline)
    way = subject.x - start
    nodes, weights = np.polynomial.legendre.leggauss(points)  # on -1..1
    nodes, weights = (1 + nodes) / 2, weights / 2
    T, N, I = subject.x.shape
    shares = np.zeros((N, steps.shape[1], T))
    rows, places = (np.repeat(index, points) for index in np.nonzero(steps >= 0))
    alphas, weights = (np.tile(array, len(rows) // points) for array in (nodes, weights))
    for block in subject.blocks(len(rows)):
        n, s = rows[block], steps[rows[block], places[block]]
        between = start[:, n] + alphas[block].astype(way.dtype)[:, None] * way[:, n]
        dx = subject.gradients(between, n, s, units[s, n])
        share = weights[block, None] * np.einsum("tri,tri->rt", dx, way[:, n], dtype=np.float64)
        np.add.at(shares, (n, places[block]), share)
    return subject.answer(shares, at)


def occlusion(model, x, lengths=None, *, state=None, output=None, at=None, baseline=None):
    """What changes in the outputs when a step of x is left out: y_s(x) - y_s(x without step t).

    A step that is left out reads as the baseline (Zeiler, Fergus, "Visualizing and understanding convolutional
    networks", ECCV 2014, section 4.2; of words Li, Monroe, Jurafsky, arXiv 1612.08220).

    Parameters
    ----------
    model, x, lengths, state, at
        As in `influence`.
    output : int or array_like of int, optional
        The feature of y that is asked about, as in `influence`: then the difference has a sign. By default all of them
        together: the Euclidean norm of the difference.
    baseline : array_like, optional
        As in `integrated_gradients`.

    Returns
    -------
    change : ndarray, shape (N, S, T), float64
        As of `influence`.

    Raises
    ------
    TypeError, ValueError
        As of `integrated_gradients`.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import occlusion
    >>> x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    >>> change = occlusion(fr.GRU(3, 4, seed=0), x)
    >>> change.shape, bool((np.triu(change, 1) == 0).all())
    ((5, 5), True)
    """
    subject = Subject(model, x, lengths, state)
    steps, start = subject.steps(at), subject.baseline(baseline)
    units = None if output is None else subject.units(output)
    T, N, _ = subject.x.shape
    change = np.zeros((N, steps.shape[1], T))
    rows, left_out = np.nonzero(np.arange(T) < subject.lengths[:, None])
    for block in subject.blocks(len(rows)):
        n, t = rows[block], left_out[block]
        without = subject.x[:, n]
        without[t, np.arange(len(n))] = start[t, n]
        difference = subject.y[:, n].astype(np.float64) - subject.run(without, n)
        for place in range(steps.shape[1]):
            s = steps[n, place]
            here = difference[s, np.arange(len(n))]
            value = np.linalg.norm(here, axis=-1) if units is None else here[np.arange(len(n)), units[s, n]]
            change[n, place, t] = np.where(s >= 0, value, 0)
    return subject.answer(change, at)

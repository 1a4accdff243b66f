# SPDX-License-Identifier: BSD-3-Clause
"""How a small change of a state travels: Jacobians, singular values, norms by distance, Lyapunov exponents.

The state s_t is h, of an LSTM (h, c) as one vector of n = 2 H numbers, of one layer and direction: see `strands`. All
but the single Jacobians comes of one walk from the end of a row back to its beginning, which multiplies k gradients at
once by the transposed Jacobian of each step and makes them orthonormal again::

    J_t^T Q_(t+1) = Q_t R_t                         Q_T orthonormal (n, k), random
    (ds_T / ds_t)^T Q_T = Q_t R_t R_(t+1) ... R_(T-1)

The product of the triangular R (k, k) has the singular values of the product of the Jacobians if k = n, and the mean
logarithms of their diagonals tend to the exponents.
"""

import numpy as np

from ..._engine import arguments
from .probes import strands
from .recurrences import flipped, within


def state_jacobians(model, x, lengths=None, *, state=None):
    """The Jacobian of every step, ds_t / ds_(t-1), with x held as it is.

    Parameters
    ----------
    model : Layer
        With an RNN, LSTM or GRU in it. Dropout is off, zoneout its mean.
    x, lengths, state
        As the model takes them.

    Returns
    -------
    dict of str to ndarray, each (T, N, n, n), float64
        By strand: ``"1.l0_reverse"`` is the layer and direction of ``"1.weight_hh_l0_reverse"``. ``[t, :, i, j]`` is
        the derivative of number i of the state after step t with respect to number j of the state before it. (In a
        reverse direction that is the state after step t + 1.) 0 beyond a row's length; without N where x is unbatched.

    Raises
    ------
    TypeError, ValueError
        There is no recurrent layer in the model, x has no steps or is not finite, or an argument has the wrong type or
        shape.
    FloatingPointError
        A state is not finite.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import state_jacobians
    >>> rnn = fr.RNN(3, 4, nonlinearity="identity", seed=0)
    >>> J = state_jacobians(rnn, np.ones((5, 3), np.float32))["l0"]
    >>> J.shape, bool(np.allclose(J, rnn.params["weight_hh_l0"]))
    ((5, 4, 4), True)
    """
    found = {}
    for strand in strands(model, x, lengths, state):
        strand.check_finite()
        T, N, _ = strand.x.shape
        units = np.broadcast_to(np.eye(strand.size), (N, strand.size, strand.size))
        jacobians = np.empty((T, *units.shape))
        for t in range(T):
            jacobians[t] = strand.pull_back(t, units)
        found[strand.name] = strand.answer(strand.in_time(jacobians), 1)
    return found


def singular_values(model, x, lengths=None, *, state=None):
    """The singular values of the products of the Jacobians, ds_T / ds_(T-d), for every distance d.

    What they multiply, in n directions, is what arrives of a gradient d steps before the end of a row: a net remembers
    in as many directions as there are values near 1 (Saxe, McClelland, Ganguli, arXiv 1312.6120).

    Parameters
    ----------
    model, x, lengths, state
        As in `state_jacobians`. For the products that end at step t, give x as far as step t.

    Returns
    -------
    dict of str to ndarray, each (T + 1, N, n), float64
        By strand: ``[d]`` are the singular values over d steps, the largest first; those of d = 0 are 1. NaN where d is
        more than a row's length; without N where x is unbatched. Below some 1e-7 (float32; 1e-16) of the largest, a
        value is rounding.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As of `state_jacobians`.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import singular_values
    >>> rnn = fr.init.orthogonal(fr.RNN(3, 4, nonlinearity="identity", dtype=np.float64), seed=0)
    >>> values = singular_values(rnn, np.ones((50, 3)))["l0"]
    >>> values.shape, bool(np.allclose(values, 1))
    ((51, 4), True)
    """
    (rng,) = arguments.as_rng(0).spawn(1)  # no matter: all n directions are walked
    return {
        strand.name: strand.answer(_by_distance(strand, strand.size, rng, _singular, np.ones(strand.size)), 1)
        for strand in strands(model, x, lengths, state)
    }


def jacobian_norms(model, x, lengths=None, *, state=None, k=16, seed=0):
    """How much is left of a gradient after d steps back, for every distance d: its norm, if at d = 0 it is 1.

    The gradients are of random direction. In the mean of their squares that is ``|ds_T / ds_(T-d)| / sqrt(n)`` with the
    Frobenius norm, the root mean square of the `singular_values`.

    Parameters
    ----------
    model, x, lengths, state
        As in `state_jacobians`.
    k : int
        How many gradients, at right angles to each other; with n or more of them the mean is exact.
    seed : int, Generator or None
        Of their directions.

    Returns
    -------
    dict of str to ndarray, each (T + 1, N), float64
        By strand. NaN where d is more than a row's length; without N where x is unbatched.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As of `state_jacobians`.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import jacobian_norms, memory_length
    >>> rnn = fr.init.orthogonal(fr.RNN(3, 4, nonlinearity="identity"), gain=0.9, seed=0)
    >>> norms = jacobian_norms(rnn, np.ones((50, 3), np.float32))["l0"]
    >>> bool(np.allclose(norms, 0.9 ** np.arange(51), rtol=1e-4)), round(float(memory_length(norms)), 2)
    (True, 9.49)
    """
    k = arguments.as_size("k", k)
    (rng,) = arguments.as_rng(seed).spawn(1)
    return {strand.name: strand.answer(norms_of(strand, k, rng), 1) for strand in strands(model, x, lengths, state)}


def memory_length(norms):
    """Effective memory: the steps until a norm has fallen to 1/e of what it is at distance 0.

    Parameters
    ----------
    norms : array_like, shape (D + 1, ...)
        By distance, as of `jacobian_norms`; at least 0. NaN says that there are no further ones.

    Returns
    -------
    steps : ndarray, shape (...), float64
        Between two distances it is found on the line between the logarithms. Infinite where no norm is that small: the
        memory is then longer than the row. NaN where the norm at distance 0 is 0.

    Raises
    ------
    TypeError, ValueError
        `norms` are not numbers of at least 0.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.inspect import memory_length
    >>> memory_length(0.5 ** np.arange(10)).round(4)  # 1 / ln 2
    np.float64(1.4427)
    """
    norms = arguments.as_array("norms", norms)
    if norms.dtype.kind not in "fiu":
        raise TypeError(f"norms: expected numbers, got {norms.dtype}")
    if norms.ndim == 0 or len(norms) == 0 or (norms < 0).any():
        raise ValueError(
            f"norms: expected one of at least 0 for each distance, got "
            f"{'a negative one' if norms.size else f'shape {norms.shape}'}"
        )
    norms = norms.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(norms) - np.log(norms[0])
        fallen = logs <= -1
        at = fallen.argmax(axis=0)
        low, high = np.take_along_axis(logs, np.stack([at, np.maximum(at - 1, 0)]), axis=0)
        steps = at - 1 + (-1 - high) / (low - high)
    steps = np.where(fallen.any(axis=0), steps, np.inf)
    return np.where(norms[0] == 0, np.nan, steps)[()]


def lyapunov_exponents(model, x, lengths=None, *, state=None, k=1, settle=None, seed=0):
    """The largest Lyapunov exponents: the mean logarithm of what a step multiplies a gradient by.

    Below 0 gradients vanish and the net forgets its initial state, above 0 they explode and the net is chaotic.
    Benettin, Galgani, Giorgilli, Strelcyn (Meccanica 15, 1980) with QR decompositions, as Engelken, Wolf, Abbott,
    "Lyapunov spectra of chaotic recurrent neural networks", Physical Review Research 5, 043044 (2023), do it; here from
    the end to the beginning, as gradients go. The exponents are the same.

    Parameters
    ----------
    model, x, lengths, state
        As in `state_jacobians`. A row should have some hundred steps: these are means over its steps.
    k : int
        How many exponents, at most n.
    settle : int, optional
        So many steps, from the end of each row, are walked but not counted: the directions come from a random start. A
        tenth of the row by default.
    seed : int, Generator or None
        Of that start.

    Returns
    -------
    dict of str to ndarray, each (N, k), float64
        By strand, in units of 1 per step, the largest first; of a stack of layers, the exponents are those of all its
        layers together. NaN for a row with no step to count; without N where x is unbatched.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As of `state_jacobians`, or `k` is more than n.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import lyapunov_exponents
    >>> rnn = fr.init.orthogonal(fr.RNN(3, 4, nonlinearity="identity"), gain=0.9, seed=0)
    >>> lyapunov_exponents(rnn, np.ones((50, 3), np.float32))["l0"].round(4), np.log(0.9).round(4)
    (array([-0.1054]), np.float64(-0.1054))
    """
    k = arguments.as_size("k", k)
    settle = None if settle is None else arguments.as_size("settle", settle, 0)
    (rng,) = arguments.as_rng(seed).spawn(1)
    found = {}
    for strand in strands(model, x, lengths, state):
        if k > strand.size:
            raise ValueError(f"k: expected at most {strand.size}, the numbers in a state of {strand.name}, got {k}")
        T, N, _ = strand.x.shape
        growth = np.empty((T, N, k))
        for t, R in _walk(strand, k, rng):
            with np.errstate(divide="ignore"):
                growth[t] = np.log(np.abs(np.diagonal(R, axis1=-2, axis2=-1)))
        counted = np.maximum(strand.lengths - (strand.lengths // 10 if settle is None else settle), 0)
        growth[~within(T, counted)] = 0
        with np.errstate(invalid="ignore", divide="ignore"):
            found[strand.name] = strand.answer(growth.sum(axis=0) / counted[:, None], 0)
    return found


def _walk(strand, k, rng):
    """From the last step to the first: (t, R (N, k, k)); R is the identity for a row that has ended."""
    strand.check_finite()
    T, N, _ = strand.x.shape
    Q = np.linalg.qr(rng.standard_normal((strand.size, k)))[0]
    Q = np.broadcast_to(Q, (N, *Q.shape))  # a row starts alike in any batch
    for t in reversed(range(T)):
        runs = (t < strand.lengths)[:, None, None]
        before, R = np.linalg.qr(strand.pull_back(t, Q.swapaxes(1, 2)).swapaxes(1, 2))
        Q = np.where(runs, before, Q)
        yield t, np.where(runs, R, np.eye(k))


def norms_of(strand, k, rng):
    """`jacobian_norms` of one strand, (T + 1, N)."""
    return _by_distance(strand, min(k, strand.size), rng, _root_mean_square, 1.0)


def _singular(matrices):
    """Singular values (..., k) of (..., k, k), the largest first."""
    return np.linalg.svd(matrices, compute_uv=False)


def _root_mean_square(matrices):
    """Of their singular values."""
    return np.linalg.norm(matrices, axis=(-2, -1)) / np.sqrt(matrices.shape[-1])


def _by_distance(strand, k, rng, measure, at_0):
    """`measure` of the product of the R over every distance, (T + 1, N, ...); `measure` is linear in its scale."""
    T, N, _ = strand.x.shape
    product, logs = np.broadcast_to(np.eye(k), (N, k, k)), np.zeros(N)
    measured = np.empty((T + 1, N, *np.shape(at_0)))
    measured[T] = at_0
    for t, R in _walk(strand, k, rng):
        product = R @ product
        scale = np.abs(product).max(axis=(-2, -1))
        scale[scale == 0] = 1
        product, logs = product / scale[:, None, None], logs + np.log(scale)
        with np.errstate(over="ignore", under="ignore"):
            measured[t] = (measure(product).T * np.exp(logs)).T
    measured = flipped(measured, strand.lengths + 1)
    measured[~within(T + 1, strand.lengths + 1)] = np.nan
    return measured

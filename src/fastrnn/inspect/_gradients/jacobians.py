# SPDX-License-Identifier: BSD-3-Clause
"""How a small change of a state propagates: Jacobians, singular values, norms, memory, Lyapunov exponents."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, SeedLike, as_array, as_rng, as_size
from ..._engine.ragged import length_mask
from ...nn import Layer
from .._documented import documented
from .probes import ARGUMENTS, ERRORS, NOT_FINITE, run_recurrences
from .products import norms_by_distance, qr_factors, singular_values_by_distance


@documented(first=ARGUMENTS, last=ERRORS + NOT_FINITE)
def state_jacobians(model: Layer, x: Any, lengths: ArrayLike | None = None, *, state: Any = None) -> dict[str, Array]:
    """The Jacobian of every step, ds_t / ds_(t-1), with x held fixed.

    The state s_t is h, or for an LSTM h and c as one vector of n = 2 H numbers, of one layer and direction.

    Parameters
    ----------

    Returns
    -------
    dict of str to ndarray, each (T, N, n, n), float64
        By layer and direction: ``"1.l0_reverse"`` is that of ``"1.weight_hh_l0_reverse"``. ``[t, :, i, j]`` is the
        derivative of number i of the state after step t with respect to number j of the state before it. (In a reverse
        direction the state before it is the one after step t + 1.) 0 beyond the length of a row; without N where x is
        unbatched.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import state_jacobians
    >>> rnn = fr.RNN(3, 4, nonlinearity="identity", seed=0)
    >>> J = state_jacobians(rnn, np.ones((5, 3), np.float32))["l0"]
    >>> J.shape, bool(np.allclose(J, rnn.params["weight_hh_l0"]))
    ((5, 4, 4), True)
    """
    result = {}
    for recurrence in run_recurrences(model, x, lengths, state):
        recurrence.check_finite()
        T, N, _ = recurrence.x.shape
        identity = np.broadcast_to(np.eye(recurrence.size), (N, recurrence.size, recurrence.size))
        jacobians = np.empty((T, *identity.shape))
        for t in range(T):
            jacobians[t] = recurrence.pull_back(t, identity)
        result[recurrence.name] = recurrence.result(recurrence.in_input_order(jacobians), 1)
    return result


@documented(first=ARGUMENTS, last=ERRORS + NOT_FINITE)
def singular_values(model: Layer, x: Any, lengths: ArrayLike | None = None, *, state: Any = None) -> dict[str, Array]:
    """The singular values of the products of the Jacobians, ds_T / ds_(T-d), for every distance d.

    They are the factors, in n directions, by which a gradient at the end of a row has changed d steps before it: a
    network remembers in as many directions as there are values near 1 (Saxe, McClelland, Ganguli, arXiv 1312.6120).
    For the products that end at step t, pass x up to step t.

    Parameters
    ----------

    Returns
    -------
    dict of str to ndarray, each (T + 1, N, n), float64
        By layer and direction: ``[d]`` are the singular values over d steps, the largest first; for d = 0 they are 1.
        NaN where d is more than the length of a row; without N where x is unbatched. A value below about 1e-7
        (float32) or 1e-16 (float64) of the largest is rounding.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import singular_values
    >>> rnn = fr.init.orthogonal(fr.RNN(3, 4, nonlinearity="identity", dtype=np.float64), seed=0)
    >>> values = singular_values(rnn, np.ones((50, 3)))["l0"]
    >>> values.shape, bool(np.allclose(values, 1))
    ((51, 4), True)
    """
    (rng,) = as_rng(0).spawn(1)  # the seed does not matter: all n directions are followed
    return {
        recurrence.name: recurrence.result(singular_values_by_distance(recurrence, rng), 1)
        for recurrence in run_recurrences(model, x, lengths, state)
    }


@documented(first=ARGUMENTS, last=ERRORS + NOT_FINITE)
def jacobian_norms(
    model: Layer, x: Any, lengths: ArrayLike | None = None, *, state: Any = None, k: int = 16, seed: SeedLike = 0
) -> dict[str, Array]:
    """The norm of a gradient d steps back, relative to d = 0, for every distance d.

    The gradients have random directions. The mean of their squared norms estimates the square of
    ``|ds_T / ds_(T-d)| / sqrt(n)``, with the Frobenius norm: the root mean square of the `singular_values`.

    Parameters
    ----------
    k : int, default 16
        How many gradients are followed, orthogonal to each other; with n or more of them the result is exact.
    seed : int, Generator or None, default 0
        Of their directions.

    Returns
    -------
    dict of str to ndarray, each (T + 1, N), float64
        By layer and direction. NaN where d is more than the length of a row; without N where x is unbatched.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import jacobian_norms, memory_length
    >>> rnn = fr.init.orthogonal(fr.RNN(3, 4, nonlinearity="identity"), gain=0.9, seed=0)
    >>> norms = jacobian_norms(rnn, np.ones((50, 3), np.float32))["l0"]
    >>> bool(np.allclose(norms, 0.9 ** np.arange(51), rtol=1e-4)), round(float(memory_length(norms)), 2)
    (True, 9.49)
    """
    k = as_size("k", k)
    (rng,) = as_rng(seed).spawn(1)
    return {
        recurrence.name: recurrence.result(norms_by_distance(recurrence, k, rng), 1)
        for recurrence in run_recurrences(model, x, lengths, state)
    }


def memory_length(norms: ArrayLike) -> Array:
    """Effective memory: the number of steps after which a norm has fallen to 1/e of its initial value.

    Parameters
    ----------
    norms : array_like, shape (D + 1, ...)
        By distance, as from `jacobian_norms`; at least 0. NaN marks distances without a norm.

    Returns
    -------
    steps : ndarray, shape (...), float64
        Interpolated between two distances, linearly in the logarithm. Infinite where no norm is that small: the memory
        is then longer than the row. NaN where the norm at distance 0 is 0.

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
    norms = as_array("norms", norms)
    if norms.dtype.kind not in "fiu":
        raise TypeError(f"norms: expected numbers, got {norms.dtype}")
    if norms.ndim == 0 or len(norms) == 0 or (norms < 0).any():
        got = "a negative one" if norms.size else f"shape {norms.shape}"
        raise ValueError(f"norms: expected one of at least 0 for each distance, got {got}")
    norms = norms.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(norms) - np.log(norms[0])
        fallen = logs <= -1
        at = fallen.argmax(axis=0)
        low, high = np.take_along_axis(logs, np.stack([at, np.maximum(at - 1, 0)]), axis=0)
        steps = at - 1 + (-1 - high) / (low - high)
    steps = np.where(fallen.any(axis=0), steps, np.inf)
    return np.where(norms[0] == 0, np.nan, steps)[()]


@documented(first=ARGUMENTS, last=ERRORS + NOT_FINITE)
def lyapunov_exponents(
    model: Layer, x: Any, lengths: ArrayLike | None = None, *, state: Any = None, k: int = 1,
    settle: int | None = None, seed: SeedLike = 0,
) -> dict[str, Array]:  # fmt: skip
    """The largest Lyapunov exponents: the mean logarithm of the factor by which a step multiplies a gradient.

    Below 0 gradients vanish and the network forgets its initial state, above 0 they explode and the network is chaotic.
    The method is that of Benettin, Galgani, Giorgilli, Strelcyn (Meccanica 15, 1980), with QR decompositions as in
    Engelken, Wolf, Abbott, "Lyapunov spectra of chaotic recurrent neural networks", Physical Review Research 5, 043044
    (2023), but from the end to the beginning, as gradients go. The exponents are the same.
    A row should have a few hundred steps, since they are means over its steps.

    Parameters
    ----------
    k : int, default 1
        How many exponents, at most n, the size of a state.
    settle : int, optional
        How many steps at the end of each row are not counted, because the directions start at random. By default a
        tenth of the row.
    seed : int, Generator or None, default 0
        Of that start.

    Returns
    -------
    dict of str to ndarray, each (N, k), float64
        By layer and direction, per step, the largest first. The exponents of a stack are those of all its layers
        together. NaN for a row with no step to count; without N where x is unbatched.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import lyapunov_exponents
    >>> rnn = fr.init.orthogonal(fr.RNN(3, 4, nonlinearity="identity"), gain=0.9, seed=0)
    >>> lyapunov_exponents(rnn, np.ones((50, 3), np.float32))["l0"].round(4), np.log(0.9).round(4)
    (array([-0.1054]), np.float64(-0.1054))
    """
    k = as_size("k", k)
    settle = None if settle is None else as_size("settle", settle, 0)
    (rng,) = as_rng(seed).spawn(1)
    result = {}
    for recurrence in run_recurrences(model, x, lengths, state):
        if k > recurrence.size:
            raise ValueError(
                f"k: expected at most {recurrence.size}, the size of the state of {recurrence.name}, got {k}"
            )
        T, N, _ = recurrence.x.shape
        growth = np.empty((T, N, k))
        for t, R in qr_factors(recurrence, k, rng):
            with np.errstate(divide="ignore"):
                growth[t] = np.log(np.abs(np.diagonal(R, axis1=-2, axis2=-1)))
        counted = np.maximum(recurrence.lengths - (recurrence.lengths // 10 if settle is None else settle), 0)
        growth[~length_mask(counted, T)] = 0
        with np.errstate(invalid="ignore", divide="ignore"):
            result[recurrence.name] = recurrence.result(growth.sum(axis=0) / counted[:, None], 0)
    return result

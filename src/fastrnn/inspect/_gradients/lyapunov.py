# SPDX-License-Identifier: BSD-3-Clause
"""Lyapunov exponents: whether gradients vanish or explode in the long run."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, SeedLike, as_rng, as_size
from ..._engine.ragged import length_mask
from ...nn import Layer
from .._documented import documented
from .probes import ARGUMENTS, ERRORS, NOT_FINITE, run_recurrences
from .products import qr_factors


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

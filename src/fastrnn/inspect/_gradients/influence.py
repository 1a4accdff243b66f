# SPDX-License-Identifier: BSD-3-Clause
"""Which input steps the outputs hang on, by the gradient of each output with respect to each input."""

import numpy as np

from .target import Subject

REDUCTIONS = ("norm", "sum", None)


def influence(model, x, lengths=None, *, state=None, output=None, at=None, reduce="norm"):
    """How much each output step hangs on each input step: dy_s / dx_t for all s and t.

    Parameters
    ----------
    model : Layer
        With a recurrent layer in it. Dropout is off, zoneout its mean; neither parameters nor gradients are touched.
    x : array_like, shape (T, N, I), with `batch_first` (N, T, I), or unbatched (T, I)
        As the model takes it. Tokens, (T, N) and so on, stand for the vectors of the embedding that reads them: the
        influence of a step is that of its vector.
    lengths : array_like of int, shape (N,), optional
    state : array_like or tuple, optional
        The initial state, as the model takes it. Zero by default.
    output : int or array_like of int, optional
        The feature of y that is asked about, or one for each row and step, of y's shape without its last axis: the
        token that came, say. By default all F features together, which takes F times as long.
    at : int or sequence of int, optional
        The steps s of y; a negative one counts from each row's own end. All by default.
    reduce : {"norm", "sum", None}
        Over the features of x: the Euclidean norm (for all features of y the Frobenius norm of the matrix
        dy_s / dx_t), the sum, which has a sign, or nothing, which leaves the gradients as they are. The last two are of
        one `output`.

    Returns
    -------
    influence : ndarray, shape (N, S, T), float64
        Without N where x is unbatched, without S where `at` is an integer or y has no steps; (..., T, I) with
        ``reduce=None``. It is 0 where s or t is beyond a row's length, and where no path leads from x_t to y_s.

    Raises
    ------
    TypeError, ValueError
        There is no recurrent layer in the model, x has no steps or is not finite, or an argument has the wrong type or
        shape.

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
    >>> J.shape, bool((np.triu(J, 1) == 0).all())  # nothing hangs on what comes later
    ((5, 5), True)
    """
    if reduce not in REDUCTIONS:
        raise ValueError(f"reduce: expected one of {', '.join(map(repr, REDUCTIONS))}, got {reduce!r}")
    if output is None and reduce != "norm":
        raise ValueError(f"output: expected a feature of y, as reduce={reduce!r} is of one, got None")
    subject = Subject(model, x, lengths, state)
    (T, N, I), F = subject.x.shape, subject.y.shape[-1]
    steps = subject.steps(at)
    found = np.zeros((N, steps.shape[1], T, *(() if reduce else (I,))))
    rows, places = np.nonzero(steps >= 0)
    blocks = subject.blocks(len(rows))
    for feature in range(F) if output is None else [output]:
        units = subject.units(feature)
        for block in blocks:
            n, s = rows[block], steps[rows[block], places[block]]
            dx = subject.gradients(subject.x[:, n], n, s, units[s, n])
            dx = np.asarray(dx.swapaxes(0, 1), np.float64)
            if reduce == "norm":
                found[n, places[block]] += np.square(dx).sum(axis=-1)
            else:
                found[n, places[block]] = dx.sum(axis=-1) if reduce else dx
    return subject.answer(np.sqrt(found) if reduce == "norm" else found, at)

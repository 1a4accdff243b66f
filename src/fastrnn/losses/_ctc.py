# SPDX-License-Identifier: BSD-3-Clause
"""Connectionist temporal classification: the loss of a sequence of labels whose times are unknown."""

import numpy as np
from numpy.typing import ArrayLike

from .._engine import recycled
from .._engine.arguments import Array, as_flag, as_integer
from .._engine.losses import ctc
from .._engine.ragged import as_lengths
from ._ctc_labels import as_labels, check_fit
from ._masking import Options, as_prediction, as_reduction
from ._mean import Mean


def ctc_loss(
    logits: ArrayLike,
    targets: ArrayLike,
    input_lengths: ArrayLike | None,
    target_lengths: ArrayLike | None = None,
    *,
    blank: int = 0,
    batch_first: bool = False,
    zero_infinity: bool = False,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> tuple[Mean, Array]:
    """Connectionist temporal classification (CTC), and its gradient.

    A path assigns one class or `blank` to each step of a row. It spells the target of the row if the target is what
    remains after repeated classes are merged and then blanks are dropped. With p = softmax(logits) (Graves, Fernandez,
    Gomez, Schmidhuber, "Connectionist temporal classification: labelling unsegmented sequence data with recurrent
    neural networks", ICML 2006, section 4)::

        P       = sum over all paths that spell the target of the product of p[t, path[t]]
        loss    = mean over the rows of -log P / max(labels of the row, 1)
        dlogits = (p - share of P that passes through the class at that step) / max(labels, 1) / N

    The sum runs over a lattice of states: the labels, with a blank before, between and after them. alpha[t, s] is the
    part of P up to step t that ends in state s, beta[t, s] the part after step t. Both are stored with exponents of
    their own, so that nothing underflows.

    Parameters
    ----------
    logits : array_like, shape (T, N, V), float32 or float64
        Unnormalised log-probabilities of V classes, including `blank`. -inf forbids a class.
    targets : array_like of integers, shape (N, S), or a list of N sequences of integers
        The labels of each row, in 0..V-1 but not `blank`. What follows the labels of a row is padding, with any values.
    input_lengths : array_like of integers, shape (N,), or None
        Number of steps of each row, 0..T, in any order; None if all rows have T. Later steps are ignored.
    target_lengths : array_like of integers, shape (N,), optional
        Number of labels of each row, 0..S. By default all that `targets` has for the row.
    blank : int, default 0
        The class that stands for "no label".
    batch_first : bool, default False
        Whether logits are (N, T, V).
    zero_infinity : bool, default False
        Whether a row whose loss is infinite, as one with fewer steps than its target needs, counts as 0, with gradient
        0 (as in PyTorch). By default such a row is an error.
    sample_weight : array_like of numbers or bools, shape (N,), optional
        Weight of each row, finite and >= 0. A row of weight 0 is ignored, and its logits and target are not read.
    reduction : {"mean", "sum"}, default "mean"
        "mean" divides the sum over the rows by that of their weights, which are 1 by default. "sum" does not, and does
        not divide by the labels of a row either (as in PyTorch): the loss is in nats.

    Returns
    -------
    loss : Mean
        A float: the mean over the rows, in nats per label, accumulated in float64 (PyTorch's "mean"); 0.0 if no row
        counts. A row without steps and labels counts as 0.
    dlogits : ndarray, shape and dtype of `logits`
        Gradient of `loss` with respect to `logits`; 0 beyond the end of a row.

    Raises
    ------
    TypeError
        If `logits` is not float32 or float64, `sample_weight` not real numbers, `batch_first` or `zero_infinity` not a
        bool, or another argument does not consist of integers.
    ValueError
        If a shape does not fit, a label, a length, a weight or `reduction` is out of range, or a row has fewer steps
        than its target needs: one for each label, and one for a blank between two equal labels.

    Notes
    -----
    The inputs are never written to. Logits of any finite size are safe. NaN or +inf in a row, or -inf for all classes
    of a step, makes the loss and the gradient of this row NaN, without a warning. If -inf forbids the target, the loss
    is inf and the gradient of this row NaN, unless `zero_infinity`.

    Memory: six float64 arrays of about (T, S) for each thread, with S the number of labels of the longest target.

    Examples
    --------
    Two steps over {blank, a}, all equally likely: "a" is spelled by 3 of the 4 paths.

    >>> import numpy as np
    >>> import fastrnn as fr
    >>> loss, dlogits = fr.ctc_loss(np.zeros((2, 1, 2)), [[1]], [2])
    >>> round(float(np.exp(-loss)), 4)
    0.75
    >>> dlogits[:, 0].round(4)
    array([[ 0.1667, -0.1667],
           [ 0.1667, -0.1667]])
    """
    logits = as_prediction("logits", logits)
    batch_first, zero_infinity = as_flag("batch_first", batch_first), as_flag("zero_infinity", zero_infinity)
    if logits.ndim != 3 or logits.shape[2] == 0:
        axes = "(N, T, V)" if batch_first else "(T, N, V)"
        raise ValueError(f"logits: expected {axes} with V >= 1, got {logits.shape}")
    z = logits.swapaxes(0, 1) if batch_first else logits
    T, N, V = z.shape
    blank = as_integer("blank", blank)
    if not 0 <= blank < V:
        raise ValueError(f"blank: expected an integer in 0..{V - 1}, got {blank}")
    steps = np.full(N, T, np.intp)
    if input_lengths is not None:
        steps = as_lengths(input_lengths, T, N, name="input_lengths", of="logits")
    reduced = as_reduction("logits", (N,), (N,), Options(None, False, sample_weight, reduction))
    labels, U = as_labels(targets, target_lengths, N, V, blank, reduced.mask)  # (N, S), (N,)
    if reduced.mask is not None:
        steps = np.where(reduced.mask, steps, 0)  # a row that does not count is an empty one
    if not zero_infinity:
        check_fit(labels, U, steps)

    w = np.ones(N) if reduced.weights is None else reduced.weights
    W = float(w.sum())
    per_label = np.maximum(U, 1) if reduced.how == "mean" else np.ones(N)
    scale = w / (per_label * reduced.divisor(W))
    dlogits = recycled.empty(logits.shape, logits.dtype)
    dz = dlogits.swapaxes(0, 1) if batch_first else dlogits
    losses = ctc(z, (labels, U, steps), blank, scale, zero_infinity, dz)
    with np.errstate(all="ignore"):
        loss = 0.0 + float(np.sum(w * losses / per_label))  # not -0.0
    return reduced.of(loss, W), dlogits

# SPDX-License-Identifier: BSD-3-Clause
"""Cross-entropy of one class out of several."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import UNIT, Array, as_array, as_integer, as_integers, as_number
from ._masking import Options, as_prediction, as_reduction, as_weights, check_entries
from ._mean import Mean
from ._positions import of_positions
from ._softmax import ClassOptions, Targets, class_targets, soft_targets

SUM_TOLERANCE = 1e-3  # of probabilities: float16 rounds them by half of that


@of_positions
def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    ignore_index: int = -100,
    lengths: ArrayLike | None = None,
    batch_first: bool = False,
    weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> tuple[Mean, Array]:
    """Mean cross-entropy of softmax(logits) against classes or probabilities of classes, and its gradient.

    With p = softmax(z) of one position and y its target (Goodfellow, Bengio, Courville, "Deep Learning", 2016, section
    6.2.2.3; the gradient is Bishop, "Pattern Recognition and Machine Learning", 2006, equation 4.109)::

        loss = mean of -log p[y] = mean of log(sum_k exp(z[k] - max z)) - (z[y] - max z)
        dz   = (p - onehot(y)) / M

    The mean runs over the M positions that are not ignored. With class weights w and label smoothing e (Szegedy et al.,
    "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7; weighted as in PyTorch)::

        q    = (1 - e) w[y] onehot(y) + (e / V) w
        loss = sum of -sum_k q[k] log p[k], divided by the sum of w[y]
        dz   = (p sum_k q[k] - q) / the sum of w[y]

    With probabilities y[k] of the classes as target, and the mean over the positions whatever w is, as in PyTorch::

        q    = w ((1 - e) y + e / V)

    Parameters
    ----------
    logits : array_like, shape (..., V), float32 or float64
        Unnormalised log-probabilities of V classes, usually (T, N, V). -inf forbids a class.
    targets : array_like of integers, shape (...), or of floats, shape (..., V)
        The correct class of each position, in 0..V-1; what lies outside of it is an error unless it is ignored. Or the
        probabilities of its classes, which sum to 1 within 0.001.
    ignore_index : int, default -100
        Positions with this target are ignored. Not for probabilities.
    lengths : array_like of integers, shape (N,), optional
        Requires logits of shape (T, N, V). Positions ``t >= lengths[n]`` are ignored, whatever their logits and targets
        contain. Each length is in 0..T, in any order. By default every row has T steps.
    batch_first : bool, default False
        Whether logits with time, of three axes or more, are (N, T, V).
    weight : array_like of numbers, shape (V,), optional
        Weight of each class, finite and >= 0. By default every class has weight 1.
    label_smoothing : float, default 0.0
        The part of each target, in [0, 1], that is spread evenly over all classes, including the correct one.
    sample_weight : array_like of numbers or bools, optional
        Weights, finite and >= 0, of rows (N,), or of positions (...): the number of axes says which. A position of
        weight 0 is ignored, and its logits and target are not read.
    reduction : {"mean", "sum"}, default "mean"
        Whether the sum of the losses is divided by that of the weights: of the sample weight, which is 1 by default,
        times w[y].

    Returns
    -------
    loss : Mean
        A float: the mean over the positions that are not ignored, in nats, accumulated in float64. If all positions are
        ignored or all targets have weight 0, it is 0.0 and the gradient is zero, so that an empty batch leaves the
        parameters and running averages of a training loop finite (PyTorch returns nan).
    dlogits : ndarray, shape and dtype of `logits`
        Gradient of `loss` with respect to `logits`; 0 at ignored positions.

    Raises
    ------
    TypeError
        If `logits` is not float32 or float64, `targets` are neither integers nor probabilities, `lengths` or
        `ignore_index` are not integers, or `weight`, `sample_weight` or `label_smoothing` are not real numbers.
    ValueError
        If a shape does not fit, or a target that is not ignored, a length, a weight, `label_smoothing` or `reduction`
        is out of range.

    Notes
    -----
    The inputs are never written to. Logits of any finite size are safe. At a position that is not ignored, NaN or +inf,
    or -inf for all of its classes, makes the loss NaN, without a warning. -inf for the target alone, or under label
    smoothing for any class, makes the loss inf unless the class has weight 0.

    Examples
    --------
    Two equal classes cost log 2 nats; the second step is padding and is not read.

    >>> import numpy as np
    >>> import fastrnn as fr
    >>> logits = np.array([[[0.0, 0.0]], [[np.nan, np.nan]]])  # (T, N, V) = (2, 1, 2)
    >>> loss, dlogits = fr.cross_entropy(logits, np.array([[1], [0]]), lengths=[1])
    >>> round(loss, 4)
    0.6931
    >>> dlogits[:, 0]
    array([[ 0.5, -0.5],
           [ 0. ,  0. ]])
    """
    logits = as_prediction("logits", logits)
    options = Options(lengths, batch_first, sample_weight, reduction)
    checked = checked_targets(logits.shape, logits.dtype, targets, options, (ignore_index, weight, label_smoothing))
    losses, dz = checked.losses(logits.reshape(-1, logits.shape[-1]))
    return checked.value(losses), dz.reshape(logits.shape)


def checked_targets(
    shape: tuple[int, ...], dtype: np.dtype[Any], targets: ArrayLike, options: Options, of_classes: tuple[Any, ...]
) -> Targets:
    """The targets of logits of a shape and dtype, given the arguments of `cross_entropy`, or an error.

    Parameters
    ----------
    shape, dtype
        Of the logits.
    targets : array_like
    options : Options
    of_classes : tuple
        `ignore_index`, `weight` and `label_smoothing`.
    """
    ignore_index, weight, label_smoothing = of_classes
    targets, soft = _as_targets(targets, shape)
    _check_shapes(shape, targets.shape[:-1] if soft else targets.shape)
    V, units = shape[-1], shape[:-1]
    reduced = as_reduction("logits", shape, units, options, "V")
    smoothing = as_number("label_smoothing", label_smoothing, UNIT)
    if weight is not None:
        weight = as_weights("weight", weight, np.float64)
        if weight.shape != (V,):
            raise ValueError(f"weight: expected ({V},), got {weight.shape}")

    ignored = as_integer("ignore_index", ignore_index)
    if soft:
        if ignored != -100:
            raise ValueError(f"ignore_index: expected none for probabilities, which are not classes, got {ignored}")
        mask = np.ones(units, bool) if reduced.mask is None else reduced.mask
        _check_probabilities(targets, mask)
    else:
        mask = targets != ignored
        if reduced.mask is not None:
            mask &= reduced.mask
        numbers = np.asarray(targets, np.intp, order="C")
        outside = numbers.view(np.uintp) >= V  # one comparison, for which a negative number is a large one
        if np.count_nonzero(outside):
            check_entries("targets", targets, outside & mask, f"integers in 0..{V - 1}")
        targets = numbers

    y = targets.reshape(-1, V) if soft else targets.reshape(-1)
    w = None if reduced.weights is None else reduced.weights.reshape(-1)
    classes = ClassOptions(V, weight, smoothing, dtype)
    return (soft_targets if soft else class_targets)(y, mask.reshape(-1), w, classes, reduced)


def _as_targets(value: ArrayLike, logits: tuple[int, ...]) -> tuple[Array, bool]:
    """Targets as integers, or as probabilities, given the shape of the logits; and whether they are the latter."""
    targets = as_array("targets", value, "integers")
    if not logits or targets.shape != logits or targets.dtype.kind not in "fiub":
        return as_integers("targets", value), False
    if targets.dtype.kind != "f":
        raise ValueError(
            f"targets: expected the class of each position, integers {logits[:-1]}, got {targets.dtype} "
            f"{targets.shape}; use targets.argmax(axis=-1) if they are one-hot, targets.astype(float) if probabilities"
        )
    return targets, True


def _check_probabilities(targets: Array, mask: Array) -> None:
    """Raise ValueError unless targets (..., V) within the mask (...) are at least 0 and sum to 1."""
    with np.errstate(all="ignore"):
        check_entries("targets", targets, ~(targets >= 0) & mask[..., None], "probabilities >= 0")
        sums = targets.sum(axis=-1, dtype=np.float64)
        check_entries("targets.sum(axis=-1)", sums, ~(np.abs(sums - 1) <= SUM_TOLERANCE) & mask, "probabilities, 1")


def _check_shapes(logits: tuple[int, ...], targets: tuple[int, ...]) -> None:
    """Raise ValueError unless the shapes are (..., V) and (...), with V of at least 2."""
    if logits[-1:] in ((), (0,)):
        raise ValueError(f"logits: expected (..., V) with V >= 2, got {logits}")
    if logits[-1] == 1:  # a loss of 0 from the first step on would look like learning
        raise ValueError(
            f"logits: expected (..., V) with V >= 2, got {logits}: nothing can be learned about a single class; "
            "for yes or no in one logit use binary_cross_entropy_with_logits"
        )
    if targets != logits[:-1]:
        raise ValueError(f"targets: expected {logits[:-1]}, got {targets}")

# SPDX-License-Identifier: BSD-3-Clause
"""Cross-entropy of the outputs of a Linear, some rows at a time, so that the logits of all rows never exist at once."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array
from .._engine.ragged import rows_with_gradient
from ..nn import Linear
from ..nn._linear import GRADIENT_ROWS
from ..nn._options import kind_of
from ._cross_entropy import checked_targets, cross_entropy
from ._heads import with_linear
from ._masking import Options
from ._mean import Mean
from ._positions import of_positions
from ._softmax import Targets

See: TypeAlias = Callable[[Array, Array], None]  # of the numbers of rows (k,) and their logits (k, V)

# Bytes of logits in a part, at least: there the loss and the gradients find them in L2, which is 1 or 2 MB on servers.
# One thread of Zen 5, parts of 0.5, 1, 2, 4 and 8 MB, in the time of all at once: 0.98, 0.90, 0.90, 0.99, 1.01 with
# 4000 rows of 300 classes; 0.93, 0.89, 0.90, 0.93, 0.96 with 2800 of 1000. With 10,000 classes one block of
# GRADIENT_ROWS has 10 MB: 1.03 with 700 rows, 0.98 with 2000, and 0.5 where malloc maps the logits of these anew.
PART_BYTES = 1 << 20

# Bytes of logits up to which they are computed all at once. They stay in the caches then, and parts cost calls: 1.22 of
# the time with 64 rows of 100 classes, 1.01 with 700 of 300 (0.8 MB), 0.98 with 700 of 700 (1.9 MB); above, 0.97 with
# 700 of 1000 (2.7 MB), 0.90 with 4000 of 300 (4.6 MB).
FEW_BYTES = 1 << 21


@of_positions
def linear_cross_entropy(
    linear: Linear,
    x: ArrayLike,
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
    """Memory-efficient `cross_entropy` of ``linear(x)``, with the gradients of x and of the parameters of the layer.

    It gives bit-identical results to::

        logits, tape = linear.forward(x)
        loss, dlogits = fr.cross_entropy(logits, targets, ...)
        dx = linear.backward(tape, dlogits)

    but computes logits for a few hundred rows at a time, replaces them by their gradient, and discards them. With
    10,000 classes and 700 positions in float32 this takes 10 MB instead of twice 28 MB. `fastrnn.fit` does this
    automatically where possible.

    Parameters
    ----------
    linear : Linear
        The last layer of a model, which computes logits. Gradients are added to ``linear.grads``.
    x : array_like, shape (..., I)
        The input of the layer, with the same dtype.
    targets, ignore_index, lengths, batch_first, weight, label_smoothing, sample_weight, reduction
        As `cross_entropy` takes them.

    Returns
    -------
    loss : Mean
        As `cross_entropy` returns it.
    dx : ndarray, shape and dtype of `x`
        The gradient of `loss` with respect to `x`.

    Raises
    ------
    TypeError
        `linear` is no `Linear`, but perhaps one of a subclass, which may compute something else; or an argument is of a
        type that `cross_entropy` does not take.
    ValueError
        A shape does not fit, or an argument is out of range. No gradient has been added then.

    Examples
    --------
    A step of a language model:

    >>> import numpy as np, fastrnn as fr
    >>> tokens = np.random.default_rng(0).integers(0, 5000, (9, 2))  # (T + 1, N)
    >>> body = fr.Sequential(fr.Embedding(5000, 16, seed=0), fr.GRU(16, 32, seed=1))
    >>> head = fr.Linear(32, 5000, seed=2)
    >>> adam = fr.Adam(fr.Sequential(*body, head))
    >>> for step in range(3):
    ...     adam.zero_grad()
    ...     h, state, tape = body.forward(tokens[:-1])
    ...     loss, dh = fr.losses.linear_cross_entropy(head, h, tokens[1:])
    ...     dx, dstate = body.backward(tape, dh)
    ...     adam.step()
    >>> bool(loss < np.log(5000))
    True
    """
    classes = {"ignore_index": ignore_index, "weight": weight, "label_smoothing": label_smoothing}
    reduced = {"lengths": lengths, "batch_first": batch_first, "sample_weight": sample_weight, "reduction": reduction}
    return linear_cross_entropy_cost(linear, x, targets, **classes, **reduced)


@of_positions
def linear_cross_entropy_cost(
    linear: Linear, x: ArrayLike, targets: ArrayLike, *, see: See | None = None, **options: Any
) -> tuple[Mean, Array]:
    """`linear_cross_entropy`, of the same arguments; all logits are shown to `see`, those of ignored rows, too."""
    x, rows, checked = _checked(linear, x, targets, **options)
    linear.check_grads()
    if _are_few(rows, linear):
        losses, dx = _losses_at_once(linear, rows, checked, see)
    else:
        dx = np.zeros(rows.shape, rows.dtype)
        losses = _losses(linear, rows, checked, dx, see)
    return checked.value(losses), dx.reshape(x.shape)


@of_positions
def linear_cross_entropy_value(
    linear: Linear, x: ArrayLike, targets: ArrayLike, *, see: See | None = None, **options: Any
) -> Mean:
    """The value of `linear_cross_entropy`, of the same arguments, without gradients."""
    _, rows, checked = _checked(linear, x, targets, **options)
    if not _are_few(rows, linear):
        return checked.value(_losses(linear, rows, checked, see=see))
    logits = linear(rows)
    if see is not None:
        see(np.arange(len(rows)), logits)
    return checked.value(checked.losses(logits)[0])


with_linear(cross_entropy, linear_cross_entropy_cost, linear_cross_entropy_value)


def _checked(
    linear: Any,
    x: ArrayLike,
    targets: ArrayLike,
    *,
    ignore_index: int = -100,
    weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    **reduced: Any,
) -> tuple[Array, Array, Targets]:
    """x as an array, and as rows (M, I), and their targets."""
    if type(linear) is not Linear:
        raise TypeError(f"linear: expected a Linear, got {kind_of(linear)}")
    x = linear._checked(x)
    shape, of_classes = (*x.shape[:-1], linear.out_features), (ignore_index, weight, label_smoothing)
    checked = checked_targets(shape, linear.dtype, targets, Options(**reduced), of_classes)
    return x, x.reshape(-1, linear.in_features), checked


def _are_few(rows: Array, linear: Linear) -> bool:
    """Whether the logits of all rows may exist at once."""
    return len(rows) * linear.out_features * rows.itemsize <= FEW_BYTES


def _losses_at_once(linear: Linear, rows: Array, targets: Targets, see: See | None) -> tuple[Array, Array]:
    """The loss of each row (M,), and the gradient of the rows; those of the linear are added."""
    logits, saved = linear._forward(rows, training=True)
    if see is not None:
        see(np.arange(len(rows)), logits)
    losses, dlogits = targets.losses(logits)
    with linear._in_backward:
        return losses, linear._backward(saved, dlogits)


def _losses(linear: Linear, rows: Array, targets: Targets, dx: Array | None = None, see: See | None = None) -> Array:
    """The loss of each row (M,). With dx, which is zero, all gradients are added."""
    losses, pack = np.zeros(len(rows)), linear.weights.pack()
    at = np.flatnonzero(targets.classes >= 0) if see is None else np.arange(len(rows))
    blocks = max(1, PART_BYTES // (GRADIENT_ROWS * linear.out_features * rows.itemsize))
    size = blocks * GRADIENT_ROWS
    z = np.empty((min(size, len(at)), linear.out_features), rows.dtype)
    filled = at[:0]  # the rows whose gradients are in z, from the first on
    while len(at):
        n = len(filled)
        new, at = at[: size - n], at[size - n :]
        part = z[n : n + len(new)]
        linear.write_rows(pack, rows[new], part)
        if see is not None:
            see(new, part)
        losses[new], _ = targets.rows(new).losses(part, part)
        if dx is None:
            continue
        if (used := rows_with_gradient(part)) is not None:  # as `Linear.backward`, which sums blocks of other rows
            part[: len(used)], new = part[used], new[used]
        filled = np.concatenate([filled, new])
        if len(filled) == size or (len(filled) and not len(at)):
            dx[filled] = linear.rows_back(pack, rows[filled], z[: len(filled)])
            filled = filled[:0]
    return losses

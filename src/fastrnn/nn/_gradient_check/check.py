# SPDX-License-Identifier: BSD-3-Clause
"""check_gradients, and what it reports."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_positive, as_rng, as_size
from .._layer import Layer, every_layer
from .case import Case, set_random
from .differences import Difference, Probe

# Per dtype: the step, some eps^(1/3), where the third derivative and rounding disturb alike; and the error allowed.
STEPS = {"float32": 1e-2, "float64": 1e-5}
TOLERANCES = {"float32": 1e-2, "float64": 1e-6}


class GradientCheck(NamedTuple):
    """The result of `check_gradients`. Print it to read a report.

    Attributes
    ----------
    ok : bool
        Whether all gradients agree.
    error : float
        The largest relative error.
    tolerance : float
        The largest error that is allowed.
    worst : dict of str to Difference
        For each array, the checked entry with the largest difference.
    problems : list of str
        What is wrong, in words; empty if nothing is.
    """

    ok: bool
    error: float
    tolerance: float
    worst: dict[str, Difference]
    problems: list[str]

    def __str__(self) -> str:
        if self.ok:
            return f"the gradients agree: the largest relative error is {self.error:.1e} (allowed: {self.tolerance:g})"
        return "\n  ".join([f"the gradients differ (relative error allowed: {self.tolerance:g}):", *self.problems])

    def __bool__(self) -> bool:
        return self.ok


def check_gradients(
    layer: Layer, x: Any, *, state: Any = None, lengths: ArrayLike | None = None, step: float | None = None,
    tolerance: float | None = None, max_entries: int = 100, seed: int = 0,
) -> GradientCheck:  # fmt: skip
    """Compare the gradients from `backward` with central differences, for every parameter, the inputs and the state.

    The loss is a sum of all outputs, and of the final state where there is one, with random weights. Parameters,
    gradients and random generators are as before when it returns; x is not changed.

    Parameters
    ----------
    layer : Layer
        Use ``dtype=np.float64`` for a precise check. In float32 it only finds large errors.
    x : array_like or tuple of them
        The input; of a layer that reads several, such as `Attention`, all of them. Tokens have no gradient.
    state : optional
        The initial state, in the form that the layer takes. Random by default.
    lengths : array_like of int, shape (N,), optional
        As the layer takes them.
    step : float, optional
        How far an entry v moves, times the larger of 1 and abs(v). Default 1e-5, in float32 1e-2.
    tolerance : float, optional
        The largest relative error. Default 1e-6, in float32 1e-2.
    max_entries : int, default 100
        Arrays with at most this many entries are checked entry by entry. Larger ones are checked along four random
        directions; if these disagree, bisection finds a wrong entry.
    seed : int, default 0
        Of everything random here.

    Returns
    -------
    GradientCheck
        Use it as ``report = fr.check_gradients(layer, x)`` and ``assert report, report``.

    Raises
    ------
    TypeError, ValueError
        `layer` is not a layer, or an argument does not fit it.

    Notes
    -----
    An error is relative to the largest gradient of its array, or to what rounding of the loss lets through where all
    of them are tiny. Dropout of any kind is differentiated with its masks held fixed: each pass begins with the random
    state of the first. Differences are wrong where the function has a kink within a step, as relu or `MaxPool` may,
    and gradients differ from them by design with ``omega``, ``delta_clip``, scheduled sampling, and at the padding row
    of an `Embedding`.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> x = np.random.default_rng(0).standard_normal((5, 2, 3))
    >>> report = fr.check_gradients(fr.GRU(3, 4, dtype=np.float64, seed=0), x, lengths=[5, 2])
    >>> report.ok, list(report.worst)
    (True, ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0', 'x', 'state'])
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"layer: expected a layer, got {type(layer).__name__}")
    dtype = np.dtype(layer.dtype)  # type: ignore[attr-defined]
    h = STEPS[dtype.name] if step is None else as_positive("step", step)
    tolerance = TOLERANCES[dtype.name] if tolerance is None else as_positive("tolerance", tolerance)
    as_size("max_entries", max_entries)
    before = [part.random_state for part in every_layer(layer)]
    params, grads = ({name: a.copy() for name, a in named.items()} for named in (layer.params, layer.grads))
    try:
        case = Case(layer, x, state, lengths, seed)
        problems, found = case.gradients()
        noise = float(np.finfo(dtype).eps) * case.size() / h
        probe = Probe(case.loss, h, noise / tolerance, max_entries, as_rng(seed))
        worst = {name: probe.compare(name, *pair) for name, pair in found.items() if pair[0].size}
    finally:
        set_random(layer, before)
        for named, values in ((layer.params, params), (layer.grads, grads)):
            for name, array in named.items():
                array[...] = values[name]
    wrong = [one for one in worst.values() if not one.error <= tolerance]
    problems += [sentence(one, found[one.name][1]) for one in wrong]
    return GradientCheck(
        not problems, max((one.error for one in worst.values()), default=0.0), tolerance, worst, problems
    )


def sentence(one: Difference, gradient: Array) -> str:
    """A sentence about the gradient of one array that is wrong."""
    at = f"{one.name}[{', '.join(map(str, one.index))}]" if one.index else one.name
    if not gradient.any():
        return f"{one.name}: backward adds nothing to its gradient; differences give {one.differences:.6g} at {at}"
    return (
        f"{at}: backward gives {one.backward:.6g}, differences {one.differences:.6g} (relative error {one.error:.1e})"
    )

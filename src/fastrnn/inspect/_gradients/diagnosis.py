# SPDX-License-Identifier: BSD-3-Clause
"""Whether gradients vanish or explode, where, and what of this package helps: in words."""

from dataclasses import dataclass

import numpy as np

from ..._engine import arguments
from ...nn._recurrent.gru import GRU
from ...nn._recurrent.lstm import LSTM
from .flow import gradient_flow
from .jacobians import memory_length, norms_of
from .probes import strands
from .recurrences import within

VANISHED, EXPLODED = 1e-3, 1e3  # of the norm with which a gradient sets out
DIRECTIONS = 16  # of gradients that are followed


@dataclass(frozen=True, eq=False)
class Finding:
    """What there is to say about one layer and direction.

    Attributes
    ----------
    name, kind : str
        ``"1.l0"``, ``"LSTM"``.
    verdict : {"vanish", "fade", "last", "explode", "overflow"}
        What gradients do. They fade if they fall below 1/e, and no further than to a thousandth; "overflow" is of
        states that are not finite, about which nothing else can be said.
    norms : ndarray, shape (T + 1,)
        What is left of a gradient after every number of steps back: `jacobian_norms`, in the geometric mean of the
        longest rows.
    memory : float
        Effective memory: steps until it has fallen to 1/e, infinite if it does not.
    passed : int or None
        Steps until it is below a thousandth or above a thousand.
    remedies : tuple of str
        What of this package helps, the best first.
    """

    name: str
    kind: str
    verdict: str
    norms: np.ndarray
    memory: float
    passed: int | None
    remedies: tuple

    @property
    def factor(self):
        """What a step back multiplies a gradient by, in the geometric mean of the steps."""
        return float(self.norms[-1] ** (1 / max(len(self.norms) - 1, 1)))

    def __str__(self):
        if self.verdict == "overflow":
            lines = [f"{self.name} ({self.kind}): the states overflow, and gradients with them."]
        else:
            steps, left = len(self.norms) - 1, self.norms[-1]
            share = f"grows {left:.1e} times" if self.verdict == "explode" else f"has {left:.2g} of its norm left"
            when = {
                "vanish": f"1/e is left after {self.memory:.1f} steps, a thousandth after {self.passed}",
                "fade": f"1/e is left after {self.memory:.1f} steps",
                "last": "never less than 1/e is left",
                "explode": f"a thousand times after {self.passed} steps",
            }[self.verdict]
            lines = [
                f"{self.name} ({self.kind}): gradients {self.verdict}.",
                f"{steps} steps back one {share}, a factor of {self.factor:.3g} a step; {when}.",
            ]
        return "\n    ".join([*lines, *(f"- {remedy}" for remedy in self.remedies)])


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What `diagnose` found; printed, it is a report in words.

    Attributes
    ----------
    findings : tuple of Finding
        One for each layer and direction, from the first.
    depth : float
        The gradient that arrives at the first of them over that at the last, at the step where each is largest.
    """

    findings: tuple
    depth: float

    def __str__(self):
        lines = list(map(str, self.findings))
        if self.depth < VANISHED:
            lines.append(
                f"Between the layers gradients vanish: {self.depth:.1e} of what arrives at {self.findings[-1].name} "
                f"arrives at {self.findings[0].name}.\n    - fr.Residual(layer): y = x + layer(x)\n    - fr.LayerNorm "
                f"between the layers"
            )
        return "\n".join(lines)


def diagnose(model, x, lengths=None, *, dy=None, state=None):
    """Say whether gradients vanish or explode, in which layer and after how many steps, and what helps.

    Of each layer and direction, gradients of random direction are sent from the end of the longest rows back to their
    beginning: see `jacobian_norms`. They vanish if less than a thousandth is left there, and explode if they have grown
    a thousand times. Within the steps of x they may do neither, and either in a longer sequence.

    Parameters
    ----------
    model, x, lengths, state
        As in `jacobian_norms`; x should be as long as what the net is to learn from.
    dy : array_like or callable, optional
        As in `gradient_flow`: for what arrives at one layer of what arrives at another.

    Returns
    -------
    Diagnosis
        To be printed.

    Raises
    ------
    TypeError, ValueError
        There is no recurrent layer in the model, x has no steps or is not finite, or an argument has the wrong type or
        shape.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import diagnose
    >>> x = np.random.default_rng(0).standard_normal((100, 8, 3)).astype(np.float32)
    >>> print(diagnose(fr.GRU(3, 32, seed=0), x))  # doctest: +ELLIPSIS
    l0 (GRU): gradients vanish.
        100 steps back one has ...e-21 of its norm left, a factor of 0.6... a step; 1/e is left after ...
        - fr.init.chrono(layer, T_max=100): units that forget after 2 to 100 steps
        - fr.MeanPool or fr.Attention behind it: a way to the output from every step
    """
    (rng,) = arguments.as_rng(0).spawn(1)
    taken = strands(model, x, lengths, state)
    own = within(len(taken[0].x), taken[0].lengths)
    if not own.any() or not np.isfinite(taken[0].x[own]).all():
        raise ValueError(f"x: expected finite values, got {'nan or inf' if own.any() else 'rows of no length'}")
    findings = tuple(_finding(strand, rng) for strand in taken)
    largest = [strand.norms().mean(axis=-1).max() for strand in gradient_flow(model, x, lengths, dy=dy, state=state)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return Diagnosis(findings, float(largest[0] / largest[-1]))


def _finding(strand, rng):
    kind = type(strand.layer).__name__
    try:
        norms = norms_of(strand, DIRECTIONS, rng)
    except FloatingPointError:
        return Finding(strand.name, kind, "overflow", np.full(1, np.nan), np.nan, None, _remedies(strand, "overflow"))
    norms = norms[: strand.lengths.max() + 1, strand.lengths == strand.lengths.max()]  # a mean over the longest rows
    with np.errstate(divide="ignore"):
        norms = np.exp(np.log(norms).mean(axis=1))
    left, memory = norms[-1], float(memory_length(norms))
    if left < VANISHED or left > EXPLODED:
        verdict = "vanish" if left < VANISHED else "explode"
        passed = int((norms < VANISHED if verdict == "vanish" else norms > EXPLODED).argmax())
    else:
        verdict, passed = "fade" if memory < np.inf else "last", None
    return Finding(strand.name, kind, verdict, norms, memory, passed, _remedies(strand, verdict))


def _remedies(strand, verdict):
    """What helps, the best first."""
    layer, T = strand.layer, max(int(strand.lengths.max()), 2)
    orthogonal = "fr.init.orthogonal(layer): recurrent weights that keep the length of a gradient"
    penalty = 'fr.add_penalty(model, l2=1e-4, names="*weight_hh*"): smaller recurrent weights'
    chrono = f"fr.init.chrono(layer, T_max={T}): units that forget after 2 to {T} steps"
    if verdict in ("last", "fade"):
        return ()
    if verdict == "overflow":
        return 'nonlinearity="tanh": states in -1..1', orthogonal, penalty
    if verdict == "explode":
        clip = "fr.clip_grad_norm(model, max_norm=1.0) before the optimizer's step"
        delta_clip = "delta_clip=1.0: gradients kept within bounds at every step back"
        return clip, delta_clip, penalty if isinstance(layer, LSTM | GRU) else orthogonal
    shortcut = "fr.MeanPool or fr.Attention behind it: a way to the output from every step"
    if isinstance(layer, GRU):
        return chrono, shortcut
    if isinstance(layer, LSTM):
        return chrono, "fr.init.forget_bias(layer, 1.0), or more: forget gates that begin open", shortcut
    identity = "fr.init.identity(layer): recurrent weights that keep a state as it is"
    return (
        "fr.LSTM or fr.GRU in its place: a state that is kept unless a gate lets it go",
        identity if layer.nonlinearity == "relu" else orthogonal,
        "omega=1.0: a regulariser that asks gradients to keep their length",
        f"leak={2 / T:.2g}: leaky units, which keep most of a state at every step",
        shortcut,
    )

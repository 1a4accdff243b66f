# SPDX-License-Identifier: BSD-3-Clause
"""Diagnosis of vanishing and exploding gradients."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_rng
from ..._engine.ragged import length_mask
from ...nn import GRU, LSTM, Layer
from .._documented import documented
from .flow import LossGradient, gradient_flow
from .jacobians import memory_length
from .probes import ARGUMENTS, ERRORS, run_recurrences
from .products import norms_by_distance
from .recurrences import Recurrence

VANISHED, EXPLODED = 1e-3, 1e3  # relative to the norm of the gradient at the start
DIRECTIONS = 16  # gradients that are followed

Verdict = Literal["vanish", "fade", "last", "explode", "overflow"]


@dataclass(frozen=True, eq=False)
class Finding:
    """The result for one layer and direction.

    Attributes
    ----------
    name, kind : str
        ``"1.l0"``, ``"LSTM"``.
    verdict : {"vanish", "fade", "last", "explode", "overflow"}
        What gradients do. They fade if they fall below 1/e, but not below a thousandth; "overflow" means that states
        are not finite, so that nothing else is known.
    norms : ndarray, shape (T + 1,)
        How much of a gradient remains after every number of steps back: `jacobian_norms`, as the geometric mean of the
        longest rows.
    memory : float
        Effective memory: steps until the gradient has fallen to 1/e, infinite if it does not fall that far.
    passed : int or None
        Steps until the gradient is below a thousandth or above a thousand.
    remedies : tuple of str
        What helps, the best first.
    """

    name: str
    kind: str
    verdict: Verdict
    norms: Array
    memory: float
    passed: int | None
    remedies: tuple[str, ...]

    @property
    def factor(self) -> float:
        """The factor by which a gradient changes per step back, as a geometric mean over the steps."""
        return float(self.norms[-1] ** (1 / max(len(self.norms) - 1, 1)))

    def __str__(self) -> str:
        if self.verdict == "overflow":
            lines = [f"{self.name} ({self.kind}): the states overflow, and so do gradients."]
        else:
            steps, left = len(self.norms) - 1, self.norms[-1]
            change = f"grown {left:.1e} times" if self.verdict == "explode" else f"kept {left:.2g} of its norm"
            when = {
                "vanish": f"it has fallen to 1/e after {self.memory:.1f} steps, to a thousandth after {self.passed}",
                "fade": f"it has fallen to 1/e after {self.memory:.1f} steps",
                "last": "it never falls to 1/e",
                "explode": f"it has grown a thousand times after {self.passed} steps",
            }[self.verdict]
            lines = [
                f"{self.name} ({self.kind}): gradients {self.verdict}.",
                f"{steps} steps back a gradient has {change}, a factor of {self.factor:.3g} per step; {when}.",
            ]
        return "\n    ".join([*lines, *(f"- {remedy}" for remedy in self.remedies)])


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """The result of `diagnose`. Print it to read a report.

    Attributes
    ----------
    findings : tuple of Finding
        One for each layer and direction, from the first.
    depth : float
        The gradient at the first recurrence divided by that at the last, each at the step where it is largest.
    """

    findings: tuple[Finding, ...]
    depth: float

    def __str__(self) -> str:
        lines = list(map(str, self.findings))
        if self.depth < VANISHED:
            lines.append(
                f"Between the layers gradients vanish: {self.depth:.1e} of the gradient at {self.findings[-1].name} "
                f"arrives at {self.findings[0].name}.\n    - fr.Residual(layer): y = x + layer(x)\n    - fr.LayerNorm "
                f"between the layers"
            )
        return "\n".join(lines)


@documented(first=ARGUMENTS, last=ERRORS)
def diagnose(
    model: Layer, x: Any, lengths: ArrayLike | None = None, *, dy: LossGradient | None = None, state: Any = None
) -> Diagnosis:
    """Diagnose vanishing and exploding gradients: in which layer, after how many steps, and what helps.

    In each layer and direction, random gradients are propagated from the end of the longest rows back to their
    beginning, as in `jacobian_norms`. They vanish if less than a thousandth arrives there, and explode if they have
    grown a thousand times. The result depends on the length of x: use sequences as long as those that the network is to
    be trained on.

    Parameters
    ----------
    dy : array_like or callable, optional
        As in `gradient_flow`, to compare the gradients that arrive at different layers.

    Returns
    -------
    Diagnosis
        To be printed.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import diagnose
    >>> x = np.random.default_rng(0).standard_normal((100, 8, 3)).astype(np.float32)
    >>> print(diagnose(fr.GRU(3, 32, seed=0), x))  # doctest: +ELLIPSIS
    l0 (GRU): gradients vanish.
        100 steps back a gradient has kept ...e-21 of its norm, a factor of 0.6... per step; it has fallen to 1/e ...
        - fr.init.chrono(layer, T_max=100): units that forget after 2 to 100 steps
        - fr.MeanPool or fr.Attention after it: a path to the output from every step
    """
    (rng,) = as_rng(0).spawn(1)
    recurrences = run_recurrences(model, x, lengths, state)
    steps = recurrences[0].x[length_mask(recurrences[0].lengths, len(recurrences[0].x))]
    if not len(steps) or not np.isfinite(steps).all():
        raise ValueError(f"x: expected finite values, got {'nan or inf' if len(steps) else 'rows of length 0'}")
    findings = tuple(_finding(recurrence, rng) for recurrence in recurrences)
    largest = [flow.norms().mean(axis=-1).max() for flow in gradient_flow(model, x, lengths, dy=dy, state=state)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return Diagnosis(findings, float(largest[0] / largest[-1]))


def _finding(recurrence: Recurrence, rng: np.random.Generator) -> Finding:
    name, kind, T = recurrence.name, type(recurrence.layer).__name__, recurrence.lengths.max()
    try:
        norms = norms_by_distance(recurrence, DIRECTIONS, rng)
    except FloatingPointError:
        return Finding(name, kind, "overflow", np.full(1, np.nan), np.nan, None, _remedies(recurrence, "overflow"))
    norms = norms[: T + 1, recurrence.lengths == T]
    with np.errstate(divide="ignore"):
        norms = np.exp(np.log(norms).mean(axis=1))
    left, memory = norms[-1], float(memory_length(norms))
    verdict: Verdict
    if left < VANISHED or left > EXPLODED:
        verdict = "vanish" if left < VANISHED else "explode"
        passed = int((norms < VANISHED if verdict == "vanish" else norms > EXPLODED).argmax())
    else:
        verdict, passed = "fade" if memory < np.inf else "last", None
    return Finding(name, kind, verdict, norms, memory, passed, _remedies(recurrence, verdict))


def _remedies(recurrence: Recurrence, verdict: Verdict) -> tuple[str, ...]:
    """Suggested changes, the best first."""
    layer, T = recurrence.layer, max(int(recurrence.lengths.max()), 2)
    orthogonal = "fr.init.orthogonal(layer): recurrent weights that preserve the norm of a gradient"
    penalty = 'fr.add_penalty(model, l2=1e-4, names="*weight_hh*"): smaller recurrent weights'
    if verdict in ("last", "fade"):
        return ()
    if verdict == "overflow":
        return 'nonlinearity="tanh": states in -1..1', orthogonal, penalty
    if verdict == "explode":
        return (
            "fr.clip_grad_norm(model, max_norm=1.0) before the optimizer's step",
            "delta_clip=1.0: gradients clipped at every step back",
            penalty if isinstance(layer, LSTM | GRU) else orthogonal,
        )
    shortcut = "fr.MeanPool or fr.Attention after it: a path to the output from every step"
    if isinstance(layer, LSTM | GRU):
        bias = "fr.init.forget_bias(layer, 1.0), or more: forget gates that start open"
        chrono = f"fr.init.chrono(layer, T_max={T}): units that forget after 2 to {T} steps"
        return (chrono, bias, shortcut) if isinstance(layer, LSTM) else (chrono, shortcut)
    identity = "fr.init.identity(layer): recurrent weights that preserve a state"
    return (
        "fr.LSTM or fr.GRU instead: a state that is kept until a gate clears it",
        identity if getattr(layer, "nonlinearity", None) == "relu" else orthogonal,
        "omega=1.0: a regularizer that asks gradients to keep their norm",
        f"leak={2 / T:.2g}: leaky units, which keep most of a state at every step",
        shortcut,
    )

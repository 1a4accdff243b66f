# SPDX-License-Identifier: BSD-3-Clause
"""The whole steps that are measured, one declaration each, and the arrays that they run on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
ADDITIVE = "additive"


@dataclass(frozen=True)
class Step:
    """A model with its sizes, in a whole training step or a job that a reservoir does.

    Examples
    --------
    >>> Step("language", T=35, N=20, I=200, H=200, V=10_000).name
    'steps-language/T35-N20-I200-H200-V10000-1t'
    """

    model: str
    T: int
    N: int
    I: int
    H: int
    V: int = 0  # symbols or classes
    S: int = 0  # steps of the other sequence: what is translated, or the labels of CTC
    B: int = 0  # batches of an epoch
    score: str = ADDITIVE  # of attention, where there is one
    density: float = 0
    dtype: str = "float32"
    threads: int = 1

    kind: ClassVar[str] = "step"
    training: ClassVar[bool] = True
    concurrent: ClassVar[bool] = False
    flop: ClassVar[int | None] = None

    @property
    def group(self) -> str:
        """``steps-`` and the model; the jobs of reservoirs are one group."""
        return f"steps-{'reservoir' if self.density else self.model}"

    @property
    def shape(self) -> str:
        """The sizes that the model has, and a score of its attention that is not additive, as one word."""
        sizes = "-".join(f"{letter}{size}" for letter in "TNIHVSB" if (size := getattr(self, letter)))
        sizes += "" if self.score == ADDITIVE else f"-{self.score}"
        return f"{self.model}-{sizes}-density{self.density:g}" if self.density else sizes

    @property
    def name(self) -> str:
        """A unique name, the same in every run."""
        return f"{self.group}/{self.shape}-{self.threads}t"


STEPS = (
    Step("language", T=64, N=16, I=64, H=256, V=65),
    Step("language", T=35, N=20, I=200, H=200, V=10_000),
    Step("language", T=35, N=20, I=200, H=200, V=30_000),
    Step("translation", T=12, N=32, I=64, H=64, V=50, S=30),
    Step("translation", T=30, N=32, I=128, H=256, V=5_000, S=30),
    Step("translation", T=12, N=32, I=64, H=64, V=50, S=30, score="dot"),
    Step("translation", T=50, N=32, I=256, H=256, V=1_000, S=50, score="dot"),
    Step("speech", T=200, N=16, I=80, H=128, V=30, S=30),
    Step("fit", T=20, N=8, I=8, H=16, V=4, B=64),
    *(
        Step(job, T=2_000, N=1, I=1, H=H, density=density, dtype="float64")
        for H, density in ((1_000, 0.1), (2_000, 0.01))
        for job in ("states", "readout", "make")
    ),
)
QUICK = (STEPS[0], STEPS[7], STEPS[8])


def make_steps(threads: Sequence[int], steps: Sequence[Step] = STEPS) -> list[Step]:
    """Every step with each number of threads."""
    return [replace(step, threads=n) for n in sorted(set(threads)) for step in steps]


def sequences(step: Step) -> dict[str, Array]:
    """What a model of symbols, features or classes reads and is to say; the same in every process.

    ``tokens`` (T + 1, N) and ``source`` (S, N) below V; ``features`` (T, N, I) and ``labels`` (N, S) of 1..V-1;
    ``rows`` (B * N, T, I) with ``classes`` (B * N,).
    """
    rng, T, N = np.random.default_rng(0), step.T, step.N
    arrays = {"tokens": rng.integers(0, step.V, (T + 1, N)), "source": rng.integers(0, step.V, (step.S, N))}
    arrays["features"] = rng.standard_normal((T, N, step.I)).astype(step.dtype)
    arrays["labels"] = rng.integers(1, step.V, (N, step.S))
    arrays["rows"] = rng.standard_normal((step.B * N, T, step.I)).astype(step.dtype)
    arrays["classes"] = rng.integers(0, step.V, step.B * N)
    return arrays


def series(step: Step) -> tuple[Array, Array]:
    """A chaotic series (T, 1) of a logistic map with noise, and its next values."""
    rng = np.random.default_rng(0)
    x = np.empty(step.T + 1)
    x[0] = 0.4
    for t in range(step.T):
        x[t + 1] = 3.8 * x[t] * (1 - x[t])
    x += 1e-3 * rng.standard_normal(len(x))
    return x[:-1, None].astype(step.dtype), x[1:, None].astype(step.dtype)

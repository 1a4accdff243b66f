# SPDX-License-Identifier: BSD-3-Clause
"""A benchmark case: a recurrent layer, its sizes, and the arrays it runs on.

Sizes as everywhere in the package: T time steps, N batch, I input, H hidden, L layers, D directions, G gates.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

import numpy as np
from numpy.typing import NDArray

from fastrnn._engine.cells import CELLS

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A recurrent layer with its sizes, measured in inference or in a full training step.

    Examples
    --------
    >>> case = Case("tiny", "lstm", T=100, N=1, I=64, H=64, training=True, threads=2)
    >>> case.name
    'tiny/lstm-T100-N1-I64-H64-train-2t'
    >>> case.flop
    19660800
    """

    group: str
    cell: str
    T: int
    N: int
    I: int
    H: int
    L: int = 1
    D: int = 1
    training: bool = False
    dtype: str = "float32"
    threads: int = 1
    ragged: bool = False

    kind: ClassVar[str] = "layer"

    @property
    def name(self) -> str:
        """A unique name, the same in every run: what `--only` searches and `--check` compares by."""
        return f"{self.group}/{self.cell}-{self.shape}-{self.mode}-{self.threads}t"

    @property
    def mode(self) -> str:
        """``"train"`` or ``"infer"``."""
        return "train" if self.training else "infer"

    @property
    def shape(self) -> str:
        """The sizes, and whatever else is unusual about the layer, as one word."""
        words = [f"T{self.T}", f"N{self.N}", f"I{self.I}", f"H{self.H}"]
        words += [f"L{self.L}"] if self.L > 1 else []
        words += ["bidirectional"] if self.D > 1 else []
        words += [self.dtype] if self.dtype != "float32" else []
        words += ["ragged"] if self.ragged else []
        return "-".join(words)

    @property
    def streaming(self) -> bool:
        """Whether a call is a single step that carries its state over to the next call."""
        return self.group == "streaming" or self.concurrent

    @property
    def concurrent(self) -> bool:
        """Whether the rows are streams of their own, all of which take a step in a call."""
        return self.group in ("streams-pooled", "streams-each")

    @property
    def each(self) -> bool:
        """Whether the streams take their steps one after another, rather than together."""
        return self.group == "streams-each"

    @property
    def gates(self) -> int:
        """The number of gates of the cell, G."""
        return CELLS[self.cell].gates

    @property
    def lengths(self) -> Array | None:
        """The length of each row, (N,), uniform in [1, T] and the same in every run; None if all rows have T steps."""
        return np.random.default_rng([self.T, self.N]).integers(1, self.T + 1, self.N) if self.ragged else None

    @property
    def mask(self) -> Array:
        """Which rows are still running at each step, (T, N) of bool."""
        lengths = self.lengths
        return np.ones((self.T, self.N), bool) if lengths is None else np.arange(self.T)[:, None] < lengths

    @property
    def running(self) -> Array:
        """The number of rows that are still running at each step, (T,)."""
        return np.count_nonzero(self.mask, axis=1)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What PyTorch appends to the parameter names of each direction."""
        return ("", "_reverse")[: self.D]

    @property
    def input_sizes(self) -> list[int]:
        """The input size of each layer."""
        return [self.I] + [self.D * self.H] * (self.L - 1)

    @property
    def flop(self) -> int:
        """Floating-point operations of the products: 2 G H (I + H) per row and step, three times that in training."""
        weights = sum(self.D * self.gates * self.H * (I + self.H) for I in self.input_sizes)
        return 2 * int(self.running.sum()) * weights * (3 if self.training else 1)


class CaseData(TypedDict):
    """The arrays of a case."""

    x: Array
    dy: Array
    lengths: Array | None
    params: dict[str, Array]


def make_data(case: Case) -> CaseData:
    """Draw the arrays of a case; they are the same in every process.

    Returns
    -------
    dict
        ``x`` (T, N, I), ``dy`` (T, N, D*H), which is 0 beyond the length of a row, ``lengths`` (N,) or None, and
        ``params``: the parameters by their names in PyTorch, uniform in +-1/sqrt(H), as PyTorch and fastrnn
        initialize them.
    """
    rng, bound = np.random.default_rng(0), case.H**-0.5
    params, rows = {}, case.gates * case.H
    for layer, I in enumerate(case.input_sizes):
        shapes = {"weight_ih": (rows, I), "weight_hh": (rows, case.H), "bias_ih": (rows,), "bias_hh": (rows,)}
        for suffix in case.suffixes:
            for name, shape in shapes.items():
                params[f"{name}_l{layer}{suffix}"] = rng.uniform(-bound, bound, shape).astype(case.dtype)
    x = rng.standard_normal((case.T, case.N, case.I)).astype(case.dtype)
    dy = rng.standard_normal((case.T, case.N, case.D * case.H)).astype(case.dtype)
    dy[~case.mask] = 0
    return {"x": x, "dy": dy, "lengths": case.lengths, "params": params}

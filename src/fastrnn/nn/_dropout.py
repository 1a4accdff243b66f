# SPDX-License-Identifier: BSD-3-Clause
"""Dropout between layers. Between the layers of one stack it is an option of RNN, LSTM and GRU."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import PROBABILITY, Array, Generator
from .._engine.layout import Layout
from ._option import KW_ONLY
from ._options import DType, Flag, Number, Seed
from ._signal import Axes, axes_of
from ._stateless import StatelessLayer


class Dropout(StatelessLayer):
    """Zeroes random elements in training, like torch.nn.Dropout (Srivastava et al. 2014, JMLR 15).

    `forward` multiplies each element by 0 with probability p and by 1/(1-p) otherwise, so that its mean stays the
    same. A call, for inference, returns x unchanged, as a read-only view (copy it to change it).

    Attributes
    ----------
    params, grads : Parameters
        Empty.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> dropout = fr.Dropout(0.5, shared_steps=True, seed=0)
    >>> x = np.ones((5, 2, 3), np.float32)
    >>> y, tape = dropout.forward(x)
    >>> set(y.ravel().tolist()) <= {0.0, 2.0}, bool((y == y[0]).all())
    (True, True)
    >>> bool((dropout(x) == x).all())
    True
    """

    p: Number = Number("The probability with which an element is zeroed, in [0, 1).", PROBABILITY, default=0.5)
    _: KW_ONLY
    shared_steps: Flag = Flag(
        "Use one mask per sequence for all its time steps (Gal and Ghahramani 2016, arXiv 1512.05287): a feature is "
        "either present from the first step to the last, or never. x is then (T, N, F), with `batch_first` (N, T, "
        "F), or (T, F).",
        default=False,
    )
    batch_first: Flag = Flag("Sequences are (N, T, F). Matters only with `shared_steps`.", default=False)
    seed: Seed = Seed(
        "Seed of the masks. Copies and pickles continue with the random numbers of the original.", default=None
    )
    dtype: DType = DType("The dtype of the input and the output.", default=np.float32)

    def _setup(self, seed: Generator) -> None:
        (self._rng,) = seed.spawn(1)

    def features_after(self, features: int | None) -> int | None:
        return features

    @property
    def axes_in(self) -> Axes | None:
        return axes_of(self.batch_first) if self.shared_steps else None

    @property
    def keeps_axes(self) -> bool:
        return True

    def refusing_options(self, takes: str) -> list[str]:
        # A shared mask is one of a row, and packed steps do not say whose they are.
        return ["shared_steps"] if takes == "takes_packed" and self.shared_steps else []

    @property
    def takes_packed(self) -> bool:
        return not self.refusing_options("takes_packed")

    def directions_after(self, directions: int | None) -> int | None:
        return directions

    def inference_copy(self) -> "Dropout":
        return Dropout(0.0, batch_first=self.batch_first, dtype=self.dtype)

    def _checked(self, x: ArrayLike) -> Array:
        x = super()._checked(x)
        if self.shared_steps and x.ndim not in (2, 3):
            raise ValueError(f"x: expected {Layout(True, self.batch_first).axes('F')} or (T, F), got {x.shape}")
        return x

    def _mask(self, shape: tuple[int, ...]) -> Array:
        """Which elements survive; of one step if the steps share a mask."""
        if self.shared_steps:
            time = 1 if self.batch_first and len(shape) == 3 else 0
            shape = (*shape[:time], 1, *shape[time + 1 :])
        return self._rng.random(shape, np.float32) >= self.p

    def _masked(self, array: Array, mask: Array) -> Array:
        """The surviving elements of an array, scaled."""
        out = np.empty(array.shape, self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # a zeroed infinity gives NaN, as in PyTorch
            np.multiply(array, mask, out=out)
            out *= self.dtype.type(1 / (1 - self.p))
        return out

    def _forward(self, x: Array, training: bool) -> tuple[Array, Any]:
        if training:
            mask = self._mask(x.shape)
            return self._masked(x, mask), mask
        y = x.view()
        y.flags.writeable = False
        return y, None

    def _backward(self, saved: Array, dy: Array) -> Array:
        return self._masked(dy, saved)

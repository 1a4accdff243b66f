# SPDX-License-Identifier: BSD-3-Clause
"""Ridge regression whose memory does not grow with the number of samples."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

import numpy as np

from ..._engine.arguments import Array

Samples = Iterable[tuple[Array, Array]]  # features (R, F) and targets (R, O), block by block
ROUNDING = 0.1  # of the ridge, at most: see `NormalEquations`


class Regression(ABC):
    """Linear least squares for samples that come block by block, all less the first one.

    Constant features are exactly 0 then, and offsets cost no digits.

    Parameters
    ----------
    features, outputs : int
        F and O.

    Attributes
    ----------
    samples : int
        So many have come.
    """

    enough: float  # rows for each column, after which waiting ones are taken in

    def __init__(self, features: int, outputs: int) -> None:
        self.features, self.outputs, self.samples = features, outputs, 0
        self._waiting: list[Array] = []
        self._first = np.zeros(1 + features + outputs)

    def add(self, features: Array, targets: Array, weights: Array | None = None) -> None:
        """Add samples: features (R, F) and targets (R, O), all finite, with weights (R,) above 0 of their squares."""
        rows = np.empty((len(features), 1 + self.features + self.outputs))
        rows[:, 0], rows[:, 1 : 1 + self.features], rows[:, 1 + self.features :] = 1, features, targets
        if not self.samples and len(rows):
            self._first[1:] = rows[0, 1:]
        rows -= self._first
        if weights is not None:
            rows *= np.sqrt(weights)[:, None]
        self.samples += len(rows)
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) > self.enough * rows.shape[1]:
            self._reduce()

    @abstractmethod
    def _reduce(self) -> None:
        """Take in the waiting rows (R, 1+F+O)."""

    def solve(self, ridge: float) -> tuple[Array, Array]:
        """Weights that minimize the squared errors plus `ridge` times the sum of their squares, and the bias.

        ``W = Y X^T (X X^T + ridge I)^-1``, equation 9 of Lukosevicius, "A practical guide to applying echo state
        networks", 2012, with a column of X for each sample, and X and Y less their means. At least one sample has come.

        Returns
        -------
        weight : ndarray, shape (O, F)
        bias : ndarray, shape (O,)

        Raises
        ------
        FloatingPointError
            What has been summed is not finite.
        """
        if self._waiting:
            self._reduce()
        if not self._is_finite():
            raise FloatingPointError("expected finite sums of the samples: states, targets or weights are too large")
        means, weight = self._solution(ridge)
        means = self._first[1:] + means
        return weight, means[self.features :] - weight @ means[: self.features]

    @abstractmethod
    def _is_finite(self) -> bool:
        """Whether what has been taken in is finite."""

    @abstractmethod
    def _solution(self, ridge: float) -> tuple[Array, Array]:
        """The means (F+O,) of what has been taken in, and the weights (O, F)."""


class Ridge(Regression):
    """Ridge regression by QR decomposition.

    Of the matrix [1, features, targets] with a row for each sample only the triangle of its QR decomposition is kept,
    which the next rows change (Golub and Van Loan, "Matrix computations", 4th edition, section 6.5.3). Where samples
    and ridge leave it open, the solution is the shortest.
    """

    enough = 2.0  # so many that the triangle is a small part of the work

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__(features, outputs)
        self._triangle = np.empty((0, 1 + features + outputs))

    def _reduce(self) -> None:
        self._triangle = np.asarray(np.linalg.qr(np.concatenate([self._triangle, *self._waiting]), mode="r"))
        self._waiting = []

    def _is_finite(self) -> bool:
        return bool(np.isfinite(self._triangle).all())

    def _solution(self, ridge: float) -> tuple[Array, Array]:
        F = self.features
        centred = self._triangle[1:, 1:]  # the triangle of [features, targets], less their means
        left = np.concatenate([centred[:, :F], ridge**0.5 * np.eye(F)])
        right = np.concatenate([centred[:, F:], np.zeros((F, self.outputs))])
        weight = np.linalg.lstsq(left, right, rcond=None)[0].T
        return self._triangle[0, 1:] / self._triangle[0, 0], weight


class NormalEquations(Regression):
    """Ridge regression by the normal equations, which is faster.

    The rounding of X X^T, for samples X, and of the solution is an error E of X X^T with ``|E| <= c eps trace(X X^T)``,
    c of some units in practice (Higham, "Accuracy and stability of numerical algorithms", 2nd edition, sections 3.5 and
    9.3). By Weyl's inequality it moves no eigenvalue of ``X X^T + ridge I`` more than a change of the ridge by |E|
    would. While ``eps trace(X X^T)`` is at most a tenth of the ridge (`accurate`) that makes no difference: the ridge
    itself is chosen in powers of ten. Four reservoirs of 300 units in float64 that continued a Mackey-Glass series left
    it at the same step as with `Ridge`, from a ridge of 1e-4, with a ratio of 2e-7, to one of 1e-10, with a ratio of
    0.2. From 1e-12 on some left it earlier and some later.
    """

    enough = 0.5  # few, because each sum of products is as large as all that is kept

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__(features, outputs)
        self._products = np.zeros((1 + features + outputs,) * 2)

    def accurate(self, ridge: float) -> bool:
        """Whether the ridge is large enough for the normal equations to be accurate."""
        own = slice(1, 1 + self.features)
        trace = self._products.diagonal()[own].sum()
        trace += sum(np.square(rows[:, own]).sum() for rows in self._waiting)
        return bool(np.finfo(np.float64).eps * trace <= ROUNDING * ridge)

    def _reduce(self) -> None:
        rows = np.concatenate(self._waiting)
        self._waiting = []
        self._products += rows.T @ rows

    def _is_finite(self) -> bool:
        return bool(np.isfinite(self._products).all())

    def _solution(self, ridge: float) -> tuple[Array, Array]:
        F, total = self.features, self._products[0, 0]  # the sum of the weights
        means = self._products[0, 1:] / total
        centred = self._products[1:, 1:] - np.outer(total * means, means)
        left = centred[:F, :F] + ridge * np.eye(F)
        return means, np.linalg.solve(left, centred[:F, F:]).T


def solved(samples: Callable[[], Samples], sizes: tuple[int, int], ridge: float) -> tuple[Array, Array, int]:
    """Weight (O, F) and bias (O,) of a ridge regression, and the number of samples; with none they are 0.

    By normal equations where they are accurate, else by `Ridge`.

    Parameters
    ----------
    samples : callable
        Gives the samples anew at each call.
    sizes : tuple of int
        F and O.
    ridge : float
        At least 0.
    """
    regression = _summed(samples, sizes, ridge) if ridge > 0 else None
    if regression is None:
        regression = Ridge(*sizes)
        for block in samples():
            regression.add(*block)
    F, O = sizes
    if not regression.samples:
        return np.zeros((O, F)), np.zeros(O), 0
    return *regression.solve(ridge), regression.samples


def _summed(samples: Callable[[], Samples], sizes: tuple[int, int], ridge: float) -> NormalEquations | None:
    regression = NormalEquations(*sizes)
    for block in samples():
        regression.add(*block)
        if not regression.accurate(ridge):
            return None
    return regression

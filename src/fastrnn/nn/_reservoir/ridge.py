# SPDX-License-Identifier: BSD-3-Clause
"""Ridge regression whose memory does not grow with the number of samples."""

import numpy as np

from ..._engine.arguments import Array


class Ridge:
    """Linear least squares with a penalty, for samples that come block by block.

    Of the matrix [1, features, targets] with a row for each sample only the triangle of its QR decomposition is kept,
    which the next rows change (Golub and Van Loan, "Matrix computations", 4th edition, section 6.5.3). Sums of
    products, ``X^T X``, would cost a third of the time, and half of the digits: states of a reservoir are nearly
    dependent, and the last digits decide how long a network that runs freely stays on its path. For the same reason
    the first sample is subtracted from all: constant features are exactly 0 then, and offsets cost no digits.

    Parameters
    ----------
    features, outputs : int
        F and O.

    Attributes
    ----------
    samples : int
        So many have come.
    """

    def __init__(self, features: int, outputs: int) -> None:
        self.features, self.outputs, self.samples = features, outputs, 0
        self._triangle, self._waiting = np.empty((0, 1 + features + outputs)), []
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
        if sum(map(len, self._waiting)) > 2 * rows.shape[1]:  # so many that the triangle is a small part of the work
            self._reduce()

    def _reduce(self) -> None:
        self._triangle = np.asarray(np.linalg.qr(np.concatenate([self._triangle, *self._waiting]), mode="r"))
        self._waiting = []

    def solve(self, ridge: float) -> tuple[Array, Array]:
        """Weights that minimize the squared errors plus `ridge` times the sum of their squares, and the bias.

        ``W = Y X^T (X X^T + ridge I)^-1``, equation 9 of Lukosevicius, "A practical guide to applying echo state
        networks", 2012, with a column of X for each sample, and X and Y less their means. Where samples and ridge leave
        it open, the shortest. At least one sample has come.

        Returns
        -------
        weight : ndarray, shape (O, F)
        bias : ndarray, shape (O,)
        """
        self._reduce()
        size = 1 + self.features
        means = self._first + self._triangle[0] / self._triangle[0, 0]
        centred = self._triangle[1:]  # the triangle of [features, targets], less their means
        left = np.concatenate([centred[:, 1:size], ridge**0.5 * np.eye(self.features)])
        right = np.concatenate([centred[:, size:], np.zeros((self.features, self.outputs))])
        weight = np.linalg.lstsq(left, right, rcond=None)[0].T
        return weight, means[size:] - weight @ means[1:size]

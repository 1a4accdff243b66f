# SPDX-License-Identifier: BSD-3-Clause
"""What readouts should be: linear least squares with a ridge that leaves the bias free, in two other ways."""

from decimal import Decimal, localcontext

import numpy as np

as_decimals = np.vectorize(lambda number: Decimal(float(number)), otypes=[object])


def centred_ridge(features, targets, ridge):
    """[bias, weight] (O, 1+F) by `lstsq` on all samples, less their means, with rows sqrt(ridge) I below."""
    features, targets = np.asarray(features, np.float64), np.asarray(targets, np.float64)
    size = features.shape[1]
    left = np.concatenate([features - features.mean(axis=0), np.sqrt(ridge) * np.eye(size)])
    right = np.concatenate([targets - targets.mean(axis=0), np.zeros((size, targets.shape[1]))])
    weight = np.linalg.lstsq(left, right, rcond=None)[0]
    return np.insert(weight, 0, targets.mean(axis=0) - features.mean(axis=0) @ weight, axis=0).T


def exact_ridge(features, targets, ridge, counts):
    """[bias, weight] (O, 1+F) by the normal equations in 60 digits, rounded at the end.

    Parameters
    ----------
    features, targets : ndarray, shape (T, F) and (T, O)
    ridge : list of Decimal, length F
        Of each weight.
    counts : list of Decimal, length T
        How much each squared error counts.
    """
    with localcontext(prec=60):
        x = np.insert(as_decimals(features), 0, Decimal(1), axis=1)
        weighted = x.T * np.array(counts)
        left = weighted.dot(x) + np.diag([Decimal(0), *ridge])
        return solved(left, weighted.dot(as_decimals(targets))).astype(np.float64).T


def solved(left, right):
    """left^-1 right by Gauss and Jordan, for a positive definite matrix of decimals."""
    rows = np.concatenate([left, right], axis=1)
    for k in range(len(rows)):
        rows[k] /= rows[k, k]
        for other in range(len(rows)):
            if other != k:
                rows[other] -= rows[other, k] * rows[k]
    return rows[:, len(rows) :]

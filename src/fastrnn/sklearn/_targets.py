# SPDX-License-Identifier: BSD-3-Clause
"""Targets and weights of samples, as scikit-learn's estimators take them."""

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, column_or_1d

from .._engine.arguments import Array
from ._bases import BaseEstimator

TIMES = ("m", "M")  # kinds of dtypes, which NumPy converts to numbers


def checked(name: str, value: Any, dtype: Any) -> Array:
    """An array of any number of axes, finite if it is one of numbers; of `dtype`, unless that is None."""
    check_numbers(name, value, times=not dtype)
    return check_array(value, ensure_2d=False, allow_nd=True, dtype=dtype, input_name=name)


def check_numbers(name: str, value: Any, times: bool = False) -> None:
    """Raise TypeError for masked values and, unless `times` may be labels, for these: both would be read as numbers."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise TypeError(f"{name}: expected numbers, got masked values; fill them first")
    if times:
        return
    dtypes = getattr(value, "dtypes", None) if getattr(value, "ndim", 0) == 2 else None  # of the columns of a DataFrame
    for dtype in [getattr(value, "dtype", None)] if dtypes is None else set(dtypes):
        if getattr(dtype, "kind", None) in TIMES:
            raise TypeError(f"{name}: expected numbers, got {dtype}")


def check_required(estimator: BaseEstimator, y: Any) -> None:
    """Raise ValueError if y is None."""
    if y is None:
        raise ValueError(f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None")


def as_labels(estimator: BaseEstimator, y: Any) -> Array:
    """Labels (N,): any that can be sorted."""
    check_required(estimator, y)
    labels = column_or_1d(checked("y", y, None), warn=True)
    check_classification_targets(labels)
    return labels


def as_classes(classes: Any) -> Array:
    """All labels (V,), sorted, each once."""
    labels = column_or_1d(checked("classes", classes, None))
    try:
        check_classification_targets(labels)
        return np.unique(labels)
    except (TypeError, ValueError) as error:
        raise ValueError(f"classes: expected labels that can be sorted, got {labels.tolist()}") from error


def as_codes(labels: Array, classes: Array) -> Array:
    """The number of the class of each label.

    Raises
    ------
    ValueError
        A label is none of the classes.
    """
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise ValueError(f"y: expected the classes {classes.tolist()}, got {unknown.tolist()} too")
    return np.searchsorted(classes, labels)


def check_classes(classes: Array, codes: Array | None = None) -> None:
    """Raise ValueError if there is a single class, or all samples are of one: nothing can be learned about it."""
    if len(classes) < 2:
        raise ValueError(f"y: expected at least two classes, got one class, {classes.tolist()}")
    if codes is not None and len(np.unique(codes)) < 2:
        raise ValueError("sample_weight: expected weights above zero for at least two classes, got them for one class")


def as_values(estimator: BaseEstimator, y: Any) -> Array:
    """Numbers (N,) or (N, K), in float64."""
    check_required(estimator, y)
    values = checked("y", y, np.float64)
    if values.ndim not in (1, 2):
        raise ValueError(f"y: expected (n_samples,) or (n_samples, n_targets), got shape {values.shape}")
    return values


def as_weights(sample_weight: Any, count: int) -> Array | None:
    """Weights (N,), at least 0 and not all of them 0; None if there are none.

    Raises
    ------
    ValueError
        They are something else.
    """
    if sample_weight is None:
        return None
    weights = checked("sample_weight", sample_weight, np.float64)
    if weights.shape != (count,):
        raise ValueError(f"sample_weight: expected ({count},), one for each sample, got shape {weights.shape}")
    if (weights < 0).any():
        raise ValueError(f"sample_weight: expected weights of at least 0, got {weights.min()}")
    if not weights.any():
        raise ValueError("sample_weight: expected a weight above zero, got zero for all samples")
    return weights

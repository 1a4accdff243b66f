# SPDX-License-Identifier: BSD-3-Clause
"""Targets and weights of samples, as scikit-learn's estimators take them."""

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, column_or_1d

from .._engine.arguments import Array
from ._bases import BaseEstimator
from ._numbers import check_numbers, has_objects, naming


def checked(name: str, value: Any, dtype: Any) -> Array:
    """An array of any number of axes, finite if it is one of numbers; of `dtype`, unless that is None."""
    with naming(name):
        check_numbers(name, value, times=not dtype)
        return check_array(value, ensure_2d=False, allow_nd=True, dtype=dtype, input_name=name)


def check_required(estimator: BaseEstimator, y: Any) -> None:
    """Raise ValueError if y is None."""
    if y is None:
        raise ValueError(f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None")


def as_labels(estimator: BaseEstimator, y: Any) -> Array:
    """Labels (N,): any that can be sorted."""
    check_required(estimator, y)
    labels = column_or_1d(checked("y", _known("y", y), None), warn=True)
    with naming("y"):
        check_classification_targets(_known("y", labels))
    return labels


def _known(name: str, labels: Any) -> Any:
    """Labels, those of a nullable dtype of pandas in that of NumPy, which check_array would make float64.

    Raises
    ------
    ValueError
        One is missing, or some are strings and some are not, which NumPy would make strings.
    """
    if hasattr(labels, "isna") and np.any(labels.isna()):
        raise ValueError(f"{name}: expected labels that can be sorted, got a missing one")
    nullable = getattr(getattr(labels, "dtype", None), "numpy_dtype", None)
    if getattr(nullable, "kind", "") in ("b", "i", "u"):
        return labels.to_numpy(dtype=nullable)
    if isinstance(labels, list | tuple):
        listed = list(labels)
    else:
        listed = np.asarray(labels).ravel().tolist() if has_objects(labels) else []
    strings = [isinstance(label, str) for label in listed]
    if any(strings) and not all(strings):
        other = f"{listed[strings.index(False)]!r} beside {listed[strings.index(True)]!r}"
        raise ValueError(f"{name}: expected labels that can be sorted, of one kind, got {other}")
    if any(label is None for label in listed):
        raise ValueError(f"{name}: expected labels that can be sorted, got a missing one, None")
    return labels


def as_classes(classes: Any) -> Array:
    """All labels (V,), sorted, each once."""
    labels = checked("classes", _known("classes", classes), None)
    with naming("classes"):
        labels = column_or_1d(labels)
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
        name = "y" if codes is not None else "classes"
        raise ValueError(f"{name}: expected at least two classes, got one class, {classes.tolist()}")
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

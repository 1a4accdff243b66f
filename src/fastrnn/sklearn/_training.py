# SPDX-License-Identifier: BSD-3-Clause
"""Create the model of an estimator from its parameters, and split off validation samples."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._engine.arguments import Array
from ..nn import GRU, LSTM, RNN, Dropout, LastStep, Linear, MaxPool, MeanPool, Sequential

CELLS: dict[str, Any] = {"gru": GRU, "lstm": LSTM, "rnn": RNN}
POOLINGS: dict[str, Any] = {"last": LastStep, "mean": MeanPool, "max": MaxPool}
ENOUGH = 500  # samples from which on a part of them can be spared for validation


# Parameters of a model.
STRUCTURE = ("cell", "hidden_size", "num_layers", "bidirectional", "pooling", "dropout", "standardize")


def make_model(options: Mapping[str, Any], sizes: tuple[int, int], dtype: Any, seeds: list[int]) -> Sequential:
    """Recurrent layers, their pooled output, and a linear layer; x is (N, T, C).

    Parameters
    ----------
    options : mapping
        The parameters of an estimator, checked.
    sizes : tuple of int
        C and the number of outputs.
    """
    cell = CELLS[options["cell"]]
    pool = POOLINGS[options["pooling"]]
    both, dropout = options["bidirectional"], options["dropout"]
    hidden_size = options["hidden_size"]
    recurrent = cell(
        sizes[0], hidden_size, options["num_layers"], bidirectional=both, batch_first=True, dtype=dtype, seed=seeds[0],
        dropout=dropout if options["num_layers"] != 1 else 0.0,  # it has no place between the layers of one
    )  # fmt: skip
    ends = {"bidirectional": True} if both and pool is LastStep else {}
    layers = {"recurrent": recurrent, "pool": pool(batch_first=True, dtype=dtype, **ends)}
    if dropout:
        layers["dropout"] = Dropout(dropout, dtype=dtype, seed=seeds[1])
    return Sequential(**layers, output=Linear(hidden_size * (1 + both), sizes[1], dtype=dtype, seed=seeds[2]))


def make_forecaster(options: Mapping[str, Any], sizes: tuple[int, int], dtype: Any, seeds: list[int]) -> Sequential:
    """Recurrent layers, and a linear layer of each of their outputs: as `make_model`."""
    cell = CELLS[options["cell"]]
    dropout, layers = options["dropout"], {}
    recurrent = cell(
        sizes[0], options["hidden_size"], options["num_layers"], batch_first=True, dtype=dtype, seed=seeds[0],
        dropout=dropout if options["num_layers"] != 1 else 0.0,
    )  # fmt: skip
    if dropout:
        layers["dropout"] = Dropout(dropout, dtype=dtype, seed=seeds[1])
    output = Linear(options["hidden_size"], sizes[1], dtype=dtype, seed=seeds[2])
    return Sequential(recurrent=recurrent, **layers, output=output)


def validates(early_stopping: bool | str, count: int) -> bool:
    """Whether some of this number of samples are held out for validation."""
    return count >= ENOUGH if isinstance(early_stopping, str) else early_stopping


def share(count: int, fraction: float) -> int:
    """The number of validation samples among this number of samples."""
    return round(fraction * count)


def with_validation_last(codes: Array | None, count: int, fraction: float, seed: int) -> tuple[Array, int]:
    """A random order of the samples, and how many at its end are for validation.

    Classes have the same share of both parts, up to a sample; the only sample of a class is always trained on.

    Parameters
    ----------
    codes : ndarray of int, shape (count,), or None
        The class of each sample.
    """
    order, wanted = np.random.default_rng(seed).permutation(count), share(count, fraction)
    if codes is not None:
        order = order[np.argsort(codes[order], kind="stable")]
    picked = ((np.arange(wanted) + 0.5) * count / max(wanted, 1)).astype(np.intp)  # evenly over the sorted classes
    if codes is not None:
        picked = picked[np.bincount(codes)[codes[order[picked]]] > 1]
    if not 0 < len(picked) < count:
        raise ValueError(
            f"validation_fraction: expected at least one sample in both parts, got {len(picked)} of {count} for "
            "validation"
        )
    return np.concatenate([np.delete(order, picked), order[picked]]), len(picked)

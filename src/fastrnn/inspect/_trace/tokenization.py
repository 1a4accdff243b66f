# SPDX-License-Identifier: BSD-3-Clause
"""Turns a text or an array into the input of a model, with a label for each step."""

from collections.abc import Sequence
from reprlib import repr as short  # of what may be large or nested deeply
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_array
from ...nn import Embedding, Layer
from ...nn._layer import leaves
from ...training._data.frames import arrays_of, check_features, columns_of, is_pandas

BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"  # a signal as characters, from its smallest value up
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class Reading(NamedTuple):
    """An unbatched sequence for a model, with its labels for a report. `read_text` and `read_array` return one.

    Attributes
    ----------
    x : ndarray, shape (T,) or (T, I)
        Tokens, or features.
    labels : list of str
        T of them.
    unknown : list of int
        The steps whose token is not in the vocabulary.
    tokens : ndarray, shape (T,), or None
        None for a signal.
    vocabulary : list of str or None
        By token; None for a signal.
    features, units : list of str or None
        Of a signal, I of each: the names of its features and their units, which may be empty; None for tokens.
    """

    x: Array
    labels: list[str]
    unknown: list[int]
    tokens: Array | None
    vocabulary: list[str] | None
    features: list[str] | None = None
    units: list[str] | None = None


def read_text(model: Layer, text: str, vocabulary: Sequence[str], steps: int | None = None) -> Reading:
    """Split a text into tokens: characters, or words if the vocabulary has tokens of several characters.

    Parameters
    ----------
    model : Layer
        It reads tokens (its first layer is an `Embedding`) or vectors, which are then one-hot.
    text : str
    vocabulary : sequence of str
        Token k is ``vocabulary[k]``. The model may have one more token, which stands for all others.
    steps : int, optional
        The largest number of tokens to read; by default all of them.

    Returns
    -------
    Reading

    Raises
    ------
    TypeError, ValueError
        The text is empty or has a token that is not in the vocabulary, or the vocabulary does not fit the model.

    Examples
    --------
    >>> import fastrnn as fr
    >>> from fastrnn import inspect
    >>> model = fr.Sequential(fr.Embedding(3, 4, seed=0), fr.GRU(4, 8, seed=1), fr.Linear(8, 3, seed=2))
    >>> inspect.read_text(model, "abba", ["a", "b", "c"]).x
    array([0, 1, 1, 0])
    """
    if not isinstance(text, str):
        raise TypeError(f"text: expected a string, got {type(text).__name__}")
    names = as_vocabulary(vocabulary)
    size, known = input_size(model), len(names)
    if size not in (known, known + 1):
        raise ValueError(f"vocabulary: expected {size} tokens, which the model reads, or one less, got {known}")
    labels = (list(text) if max(map(len, names)) == 1 else text.split())[:steps]
    if not labels:
        raise ValueError("text: expected at least one token, got none")
    index = {token: k for k, token in enumerate(names)}
    unknown = [t for t, label in enumerate(labels) if label not in index]
    if unknown and size == known:
        raise ValueError(
            f"text: expected only the {known} tokens of the vocabulary, got {labels[unknown[0]]!r} at {unknown[0]}; "
            "the model has no token for others"
        )
    tokens = np.array([index.get(label, known) for label in labels])
    x = tokens if model.reads_tokens else np.eye(size, dtype=model.dtype)[tokens]  # type: ignore[attr-defined]
    return Reading(x, labels, unknown, tokens, names + [UNKNOWN] * (size - known))


def read_array(
    model: Layer, array: ArrayLike, vocabulary: Sequence[str] | None = None, *,
    features: Sequence[str] | None = None, units: Sequence[str] | None = None,
) -> Reading:  # fmt: skip
    """Take an array as a sequence: integers (T,) for a model that reads tokens, else numbers (T, I).

    Parameters
    ----------
    model : Layer
    array : array_like
        For a model of one feature also (T,).
    vocabulary : sequence of str, optional
        The labels of the tokens. By default their numbers; the steps of a signal are labelled by its first feature,
        drawn as a bar of eight heights.
    features : sequence of str, optional
        The names of the I features; by default the columns of a DataFrame, or "x0", "x1", ...
    units : sequence of str, optional
        The units of the I features, such as "V"; by default they have none, "".

    Returns
    -------
    Reading

    Raises
    ------
    TypeError, ValueError
        The array does not fit the model or is empty, or there is not one name and one unit for each feature.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn import inspect
    >>> "".join(inspect.read_array(fr.GRU(1, 8, seed=0), np.sin(np.arange(12.0))).labels)
    '▅▇█▅▂▁▄▇█▆▃▁'
    """
    size = input_size(model)
    array, columns = without_frame(model, array)
    array = as_array("array", array)
    if model.reads_tokens:
        if features is not None or units is not None:
            raise ValueError(f"{'units' if features is None else 'features'}: expected none for a model of tokens")
        return read_tokens(array, size, vocabulary)
    if array.ndim == 1 and size == 1:
        array = array[:, None]
    if array.dtype.kind not in "fiub" or array.ndim != 2 or array.shape[1] != size:
        raise ValueError(f"array: expected numbers (T, {size}), got {array.dtype} of shape {array.shape}")
    if not len(array):
        raise ValueError(f"array: expected at least one step, got shape {array.shape}")
    names = as_names("features", features, columns or [f"x{k}" for k in range(size)])
    with np.errstate(over="ignore"):  # reported below
        x = array.astype(model.dtype)  # type: ignore[attr-defined]
    if not np.isfinite(x).all():
        t, k = np.argwhere(~np.isfinite(x))[0]
        raise ValueError(f"array: expected finite numbers, got {array[t, k]} in feature {names[k]} at step {t}")
    first = x[:, 0] / (np.abs(x[:, 0]).max() or 1)  # the difference of two numbers of float64 may overflow
    heights = (first - first.min()) / (np.ptp(first) or 1) * (len(BARS) - 1)
    labels = [BARS[k] for k in heights.round().astype(int)]
    return Reading(x, labels, [], None, None, names, as_names("units", units, [""] * size))


def without_frame(model: Layer, array: Any) -> tuple[Any, list[str] | None]:
    """What is no DataFrame or Series, or the array of one, with the names of its features."""
    if not is_pandas(array):
        return array, None
    check_features("array", array, columns_of(model)[0], is_series=True)
    names = array.columns if array.ndim == 2 else [array.name] * (array.name is not None)
    return arrays_of("array", array), [str(name) for name in names] or None


def read_tokens(array: Array, size: int, vocabulary: Sequence[str] | None) -> Reading:
    """Integers (T,) as tokens below `size`."""
    if array.dtype.kind not in "iu" or array.ndim != 1 or not array.size:
        raise ValueError(f"array: expected integers (T,), the tokens, got {array.dtype} of shape {array.shape}")
    if array.min() < 0 or array.max() >= size:
        raise ValueError(f"array: expected tokens in 0..{size - 1}, got {array.min()}..{array.max()}")
    names = [str(k) for k in range(size)] if vocabulary is None else as_vocabulary(vocabulary)
    names += [UNKNOWN] * (size - len(names))
    return Reading(array, [names[k] for k in array], [], array, names[:size])


def as_names(name: str, given: Sequence[str] | None, default: list[str]) -> list[str]:
    """Strings, one for each feature."""
    if given is None:
        return default
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise TypeError(f"{name}: expected strings, got {short(given)}")
    if len(given) != len(default):
        raise ValueError(f"{name}: expected {len(default)}, one for each feature, got {len(given)}: {short(given)}")
    return list(given)


def as_vocabulary(vocabulary: Any) -> list[str]:
    """`vocabulary` as a list of different strings."""
    if not isinstance(vocabulary, str | list | tuple) or not all(
        isinstance(token, str) and token for token in vocabulary
    ):
        raise TypeError(f"vocabulary: expected strings, got {short(vocabulary)}")
    if not vocabulary:
        raise ValueError("vocabulary: expected at least one token, got none")
    if len(set(vocabulary)) < len(vocabulary):
        repeated = next(token for token in vocabulary if vocabulary.count(token) > 1)
        raise ValueError(f"vocabulary: expected each token once, got {repeated!r} twice")
    return list(vocabulary)


def input_size(model: Layer) -> int:
    """How many different tokens, or how many features, a model reads."""
    for layer in leaves(model):
        if (size := layer.num_embeddings if isinstance(layer, Embedding) else layer.features_in) is not None:
            return size
    raise ValueError(f"model: expected a layer that declares its input size, got {model!r}")

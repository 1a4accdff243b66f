# SPDX-License-Identifier: BSD-3-Clause
"""How a text or an array becomes what a model reads, and what to write for each step."""

from typing import NamedTuple

import numpy as np

from ..._engine import arguments
from ...nn._embedding import Embedding
from ...nn._layer import leaves

__all__ = ["Reading", "read_array", "read_text"]

BARS = (
    "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"  # a signal as characters, from its smallest to its largest value
)


class Reading(NamedTuple):
    """A sequence for one model."""

    x: np.ndarray  # (T,) tokens, or (T, I): unbatched
    labels: list  # (T,) of str
    unknown: list  # steps whose token the vocabulary does not have
    tokens: np.ndarray | None  # (T,), if they are tokens
    vocabulary: list | None  # of str, by token


def read_text(model, text, vocabulary, steps=None):
    """A text as tokens: characters, or, if the vocabulary has longer ones, what white space separates.

    Parameters
    ----------
    model : Layer
        It reads tokens (it begins with an `Embedding`) or vectors, which are then one-hot.
    text : str
    vocabulary : sequence of str
        The token k is ``vocabulary[k]``. The model may know one token more, which stands for all others.
    steps : int, optional
        Read no more tokens than these.

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
    vocabulary = as_vocabulary(vocabulary)
    size, known = width_of(model), len(vocabulary)
    if size not in (known, known + 1):
        raise ValueError(f"vocabulary: expected {size} tokens, which the model reads, or one less, got {known}")
    labels = (list(text) if max(map(len, vocabulary)) == 1 else text.split())[:steps]
    if not labels:
        raise ValueError("text: expected at least one token, got none")
    index = {token: k for k, token in enumerate(vocabulary)}
    unknown = [t for t, label in enumerate(labels) if label not in index]
    if unknown and size == known:
        raise ValueError(
            f"text: expected the {known} tokens of the vocabulary only, got {labels[unknown[0]]!r} at {unknown[0]}; "
            "the model has none for others"
        )
    tokens = np.array([index.get(label, known) for label in labels])
    names = vocabulary + ["\N{REPLACEMENT CHARACTER}"] * (size - known)
    if isinstance(leaves(model)[0], Embedding):
        return Reading(tokens, labels, unknown, tokens, names)
    return Reading(np.eye(size, dtype=model.dtype)[tokens], labels, unknown, tokens, names)


def read_array(model, array, vocabulary=None):
    """An array as a sequence: integers (T,) for a model that reads tokens, else numbers (T, I).

    Parameters
    ----------
    model : Layer
    array : array_like
    vocabulary : sequence of str, optional
        What to write for tokens. By default their numbers; for vectors, their first feature as bars of eight heights.

    Returns
    -------
    Reading

    Raises
    ------
    TypeError, ValueError
        The array does not fit the model or is empty.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn import inspect
    >>> "".join(inspect.read_array(fr.GRU(1, 8, seed=0), np.sin(np.arange(12.0))[:, None]).labels)
    '▅▇█▅▂▁▄▇█▆▃▁'
    """
    array = arguments.as_array("array", array)
    size = width_of(model)
    if isinstance(leaves(model)[0], Embedding):
        if array.dtype.kind not in "iu" or array.ndim != 1 or not array.size:
            raise ValueError(f"array: expected integers (T,), the tokens, got {array.dtype} of shape {array.shape}")
        if array.min() < 0 or array.max() >= size:
            raise ValueError(f"array: expected tokens in 0..{size - 1}, got {array.min()}..{array.max()}")
        names = [str(k) for k in range(size)] if vocabulary is None else as_vocabulary(vocabulary)
        names += ["\N{REPLACEMENT CHARACTER}"] * (size - len(names))
        return Reading(array, [names[k] for k in array], [], array, names[:size])
    if array.dtype.kind not in "fiub" or array.ndim != 2 or not array.size or array.shape[1] != size:
        raise ValueError(f"array: expected numbers (T, {size}), got {array.dtype} of shape {array.shape}")
    with np.errstate(over="ignore"):  # found in the next line
        x = array.astype(model.dtype)
    if not np.isfinite(x).all():
        raise ValueError("array: expected finite numbers, got NaN or infinity")
    low, high = float(x[:, 0].min()), float(x[:, 0].max())
    heights = (x[:, 0].astype(float) - low) / ((high - low) or 1) * (len(BARS) - 1)
    return Reading(x, [BARS[k] for k in heights.round().astype(int)], [], None, None)


def as_vocabulary(vocabulary):
    """`vocabulary` as a list of different strings."""
    if isinstance(vocabulary, str):
        vocabulary = list(vocabulary)
    if not isinstance(vocabulary, list | tuple) or not all(isinstance(token, str) and token for token in vocabulary):
        raise TypeError(f"vocabulary: expected strings, got {vocabulary!r:.60}")
    if not vocabulary:
        raise ValueError("vocabulary: expected at least one token, got none")
    if len(set(vocabulary)) < len(vocabulary):
        double = next(token for token in vocabulary if vocabulary.count(token) > 1)
        raise ValueError(f"vocabulary: expected each token once, got {double!r} twice")
    return list(vocabulary)


def width_of(model):
    """How many tokens, or features, a model reads."""
    for layer in leaves(model):
        for name in "num_embeddings", "input_size", "in_features":
            if hasattr(layer, name):
                return getattr(layer, name)
    raise ValueError(f"model: expected a layer that says what it reads, got {model!r}")

# SPDX-License-Identifier: BSD-3-Clause
"""Runs a model and records the states, gates and attention weights of all its layers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.ragged import length_mask
from ...nn import AttentionDecoder, EchoState, Layer, Seq2Seq, Tape
from ...nn._layer import leaves
from ...nn._recurrent.recurrent import RecurrentBase
from ...nn._recurrent.step_values import step_values, tape_lengths
from ...training._data.frames import input_of
from .trace import ATTENTION_AXES, STATE_AXES, Trace

SEVERAL_INPUTS: dict[type, str] = {Seq2Seq: "source, target", AttentionDecoder: "x, memory"}


def trace(model: Layer, x: Any, lengths: ArrayLike | None = None) -> Trace:
    """Run a model in inference and record what it computes at each step.

    Parameters
    ----------
    model : Layer
        A recurrent layer, or a model that contains one.
    x : array_like, tuple or dict
        The input, as in ``model(x)``. For a model with several inputs, such as `Seq2Seq`, all of them: a tuple, or a
        dict with their names and the names of their lengths.
    lengths : array_like of int, shape (N,), optional
        The number of valid steps of each row; by default all.

    Returns
    -------
    Trace
        For each recurrent layer, all of shape (layer, direction, t, n, unit) whatever the layout of x, and in the
        dtype of the layer: "h"; "c" and the gates "i", "f", "g", "o" of an `LSTM`; the gates "r", "z", "n" of a `GRU`
        (the equations in its docstring define them). The values are those of the engine, after the activation. They
        are NaN beyond the length of a row, where there is no step. "t" counts the steps that the layer reads, which
        after pooling differ from those of x. If x is unbatched, n is always 0.

        For attention also "weights", (t, n, memory): NaN beyond the length of a row, 0 beyond that of its memory.

    Raises
    ------
    TypeError
        `model` is not a layer of this package, or x does not hold as many sequences as the model reads.
    ValueError
        `model` has no recurrent layer, or x or lengths do not fit it.

    Notes
    -----
    This takes one pass of a copy of the model: dropout of every kind is off and zoneout takes its mean, as in
    inference, and ``recompute=True`` makes no difference. The model, its gradients and its random generators do not
    change.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn import inspect
    >>> model = fr.Sequential(fr.Embedding(10, 3, seed=0), fr.LSTM(3, 4, 2, seed=1), fr.Linear(4, 10, seed=2))
    >>> tokens = np.array([[3, 1], [4, 1], [5, 9]])  # (T, N)
    >>> trace = inspect.trace(model, tokens, lengths=[3, 2])
    >>> list(trace)
    ['1.h', '1.c', '1.i', '1.f', '1.g', '1.o']
    >>> trace["1.f"].shape  # the forget gates: (layer, direction, t, n, unit)
    (2, 1, 3, 2, 4)
    >>> bool((trace["1.h"][1, 0, :, 0] == model.layers[1](model.layers[0](tokens))[0][:, 0]).all())
    True
    """
    if not isinstance(model, Layer):
        raise TypeError(f"model: expected a layer of fastrnn, got {type(model).__name__}")
    if not any(isinstance(layer, RecurrentBase | EchoState) for layer in leaves(model)):
        raise ValueError(f"model: expected a recurrent layer in it, got {model!r}")
    inputs, named = as_arguments(model, x, lengths)
    model = model.inference_copy()
    y, *others, tape = model.forward(*inputs, **named)
    pieces: dict[str, list[Any]] = {}
    counts: dict[str, Any] = {}
    for name, layer, layer_tape in recurrent_tapes(model, tape):  # several of one name if it was called step by step
        for short, array in step_values(layer, layer_tape).items():
            pieces.setdefault(join_names(name, short), []).append(array)
        counts[name] = counts.get(name, 0) + tape_lengths(layer, layer_tape)
    arrays = {name: np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0] for name, parts in pieces.items()}
    axes = dict.fromkeys(arrays, STATE_AXES)
    decoder_name, decoder = attention_decoder(model)
    if decoder is not None:
        attention = join_names(decoder_name, "attention")
        weights = np.array(others[-1].swapaxes(0, 1) if decoder.batch_first else others[-1])  # (T, N, memory)
        T, N, _ = weights.shape
        counts[attention] = counts.get(join_names(decoder_name, "layer"), np.zeros(N, int))  # without a step no tape
        weights[~length_mask(counts[attention], T)] = np.nan
        arrays[f"{attention}.weights"], axes[f"{attention}.weights"] = weights, ATTENTION_AXES
    return Trace(arrays, axes, counts, y)


def as_arguments(model: Layer, x: Any, lengths: ArrayLike | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of `model.forward`, by position and by name."""
    named = {} if lengths is None else {"lengths": lengths}
    if isinstance(x, dict):
        return (), x | named
    names = SEVERAL_INPUTS.get(type(model))
    if names and not isinstance(x, tuple):
        raise TypeError(f"x: expected a tuple ({names}) or a dict for {type(model).__name__}, got {type(x).__name__}")
    return (x if isinstance(x, tuple) else (input_of(model, x),)), named


def join_names(*names: str) -> str:
    """Names of layers and arrays joined by dots, as in `params`; empty ones are left out."""
    return ".".join(filter(None, names))


def recurrent_tapes(layer: Layer, tape: Tape, name: str = "") -> Iterator[tuple[str, RecurrentBase[Any], Tape]]:
    """(name, layer, tape) of each recurrent layer in a layer, which may be one itself."""
    if isinstance(layer, RecurrentBase):
        yield name, layer, tape
    for child_name, child, child_tape in layer.child_tapes(tape):
        yield from recurrent_tapes(child, child_tape, join_names(name, child_name))


def attention_decoder(model: Layer) -> tuple[str, AttentionDecoder | None]:
    """The decoder with attention in a model and its name, or None. Such a model returns the weights last."""
    if isinstance(model, Seq2Seq) and isinstance(model.decoder, AttentionDecoder):
        return "decoder", model.decoder
    return "", model if isinstance(model, AttentionDecoder) else None

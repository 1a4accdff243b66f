# SPDX-License-Identifier: BSD-3-Clause
"""What a model computes on the way: states, gates and attention of all its layers."""

import numpy as np

from ...nn._attention.decoder import AttentionDecoder
from ...nn._layer import Layer, leaves
from ...nn._recurrent.recurrent import Recurrent
from ...nn._recurrent.step_values import step_values, tape_lengths
from ...nn._reservoir.echo_state import EchoState
from ...nn._seq2seq.model import Seq2Seq
from .trace import ATTENTION_AXES, STATE_AXES, Trace

__all__ = ["trace"]

RECURRENT = Recurrent | EchoState
SEVERAL = {Seq2Seq: "source, target", AttentionDecoder: "x, memory"}  # what those read that read several sequences


def trace(model, x, lengths=None):
    """Run a model as inference does, and keep what it computes at each step.

    Parameters
    ----------
    model : Layer
        A recurrent layer, or a model with one in it.
    x : array_like, tuple or dict
        What the model reads, as in ``model(x)``. Of a model that reads several sequences, such as `Seq2Seq`, all of
        them: a tuple, or a dict with their names and those of their lengths.
    lengths : array_like of int, shape (N,), optional
        How many steps of each row count.

    Returns
    -------
    Trace
        For each recurrent layer, all of shape (layer, direction, t, n, unit) whatever the layout of x, and in the
        layer's dtype: "h"; "c" and the gates "i", "f", "g", "o" of an `LSTM`; the gates "r", "z", "n" of a `GRU` (its
        equations say which is which). They are the engine's own values, after the activation. NaN beyond a row's
        length, where there is no step. "t" counts the steps that the layer reads: behind pooling they are others than
        x has. An unbatched x has n = 0 alone.

        For an attention also "weights", (t, n, memory): NaN beyond a row's length, 0 beyond that of its memory.

    Raises
    ------
    TypeError
        `model` is not a layer of this package, or x is not as many sequences as it reads.
    ValueError
        There is no recurrent layer in `model`; or x or lengths do not fit it.

    Notes
    -----
    It takes one pass, of a copy of the model: dropout of every kind is off and zoneout takes the mean, as in inference,
    and ``recompute=True`` makes no difference. The model, its gradients and its random generators stay as they are.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn import inspect
    >>> model = fr.Sequential(fr.Embedding(10, 3, seed=0), fr.LSTM(3, 4, 2, seed=1), fr.Linear(4, 10, seed=2))
    >>> tokens = np.array([[3, 1], [4, 1], [5, 9]])  # (T, N)
    >>> found = inspect.trace(model, tokens, lengths=[3, 2])
    >>> list(found)
    ['1.h', '1.c', '1.i', '1.f', '1.g', '1.o']
    >>> found["1.f"].shape  # the forget gates: (layer, direction, t, n, unit)
    (2, 1, 3, 2, 4)
    >>> bool((found["1.h"][1, 0, :, 0] == model.layers[1](model.layers[0](tokens))[0][:, 0]).all())
    True
    """
    if not isinstance(model, Layer):
        raise TypeError(f"model: expected a layer of fastrnn, got {type(model).__name__}")
    if not any(isinstance(layer, RECURRENT) for layer in leaves(model)):
        raise ValueError(f"model: expected a recurrent layer in it, got {model!r}")
    given, named = as_arguments(model, x, lengths)
    model = model.inference_copy()
    y, *others, tape = model.forward(*given, **named)
    pieces, counts = {}, {}
    for name, layer, its_tape in recurrent_tapes(model, tape):
        for short, array in step_values(layer, its_tape).items():
            pieces.setdefault(joined(name, short), []).append(array)
        counts[name] = counts.get(name, 0) + tape_lengths(layer, its_tape)
    arrays = {name: np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0] for name, parts in pieces.items()}
    axes = dict.fromkeys(arrays, STATE_AXES)
    if (where := attention_in(model)) is not None:
        attention = joined(where, "attention")
        weights = np.array(others[-1].swapaxes(0, 1) if model.batch_first else others[-1])  # (T, N, memory)
        lengths = counts.get(joined(where, "layer"), np.zeros(weights.shape[1], int))  # none if it made no step
        weights[np.arange(len(weights))[:, None] >= lengths] = np.nan
        arrays[f"{attention}.weights"], counts[attention] = weights, lengths
        axes[f"{attention}.weights"] = ATTENTION_AXES
    return Trace(arrays, axes, counts, y)


def as_arguments(model, x, lengths):
    """What `model.forward` is called with."""
    named = {} if lengths is None else {"lengths": lengths}
    if isinstance(x, dict):
        return (), x | named
    if type(model) in SEVERAL and not isinstance(x, tuple):
        raise TypeError(
            f"x: expected a tuple ({SEVERAL[type(model)]}) or a dict for {type(model).__name__}, got {type(x).__name__}"
        )
    return (x if isinstance(x, tuple) else (x,)), named


def joined(*names):
    """Names of layers and arrays, as in `params`."""
    return ".".join(filter(None, names))


def recurrent_tapes(layer, tape, name=""):
    """(name, layer, tape) of each recurrent layer in a layer, which may be one itself."""
    if isinstance(layer, Recurrent):
        yield name, layer, tape
    for inner_name, inner, its_tape in layer.child_tapes(tape):
        yield from recurrent_tapes(inner, its_tape, joined(name, inner_name))


def attention_in(model):
    """The name of the decoder with attention in a model, or None: it returns its weights last."""
    if isinstance(model, AttentionDecoder):
        return ""
    return "decoder" if isinstance(model, Seq2Seq) and model.attends else None

# SPDX-License-Identifier: BSD-3-Clause
"""What a model computes on the way: states and gates of all its recurrent layers, as named arrays."""

from collections.abc import Mapping

import numpy as np

from ..dropout import Dropout
from ..layer import Layer
from ..sequential import Residual, Sequential
from ..stack import Stack
from ..steps import steps

__all__ = ["Trace", "trace", "without_dropout"]

STATE_AXES = ("layer", "direction", "t", "n", "unit")


class Trace(Mapping):
    """Named arrays of what a model computed at each step. Made by `trace`.

    Parameters
    ----------
    arrays : dict of str to ndarray
    axes : dict of str to tuple of str
        The names of the axes of each array.
    y : ndarray
        The output of the model, as its call returns it.

    Attributes
    ----------
    axes, y
        As given.

    Notes
    -----
    A name is that of the recurrent layer, as in ``model.params``, a dot, and that of the array: ``"1.h"`` is the h of
    layer 1 of a `Sequential`, next to its parameter ``"1.weight_hh_l0"``; in a trace of an LSTM alone it is ``"h"``.
    """

    def __init__(self, arrays, axes, y):
        self._arrays, self.axes, self.y = dict(arrays), dict(axes), y

    def __getitem__(self, name):
        if name not in self._arrays:
            raise KeyError(f"no array {name!r}; there are {', '.join(self)}")
        return self._arrays[name]

    def __iter__(self):
        return iter(self._arrays)

    def __len__(self):
        return len(self._arrays)

    def __contains__(self, name):
        return name in self._arrays

    def __repr__(self):
        return f"Trace({', '.join(f'{name}: {array.shape}' for name, array in self.items())})"

    @property
    def layers(self):
        """A trace of each recurrent layer alone, by the layer's name (dict of str to Trace): ``layers["1"]["h"]``."""
        parts = {}
        for name in self:
            layer, _, short = name.rpartition(".")
            parts.setdefault(layer, {})[short] = name
        return {
            layer: Trace(
                {short: self[name] for short, name in names.items()},
                {short: self.axes[name] for short, name in names.items()},
                self.y,
            )
            for layer, names in parts.items()
        }

    def to_npz(self, path):
        """Write all arrays to a file that ``numpy.load`` reads.

        Parameters
        ----------
        path : str, os.PathLike or binary file
            ``.npz`` is appended to the name of a file that does not end with it.
        """
        np.savez(path, **self)

    def to_dataframe(self, layer=None):
        """The arrays of one recurrent layer as a table.

        Parameters
        ----------
        layer : str, optional
            Its name, a key of `layers`. Without it there must be one only.

        Returns
        -------
        pandas.DataFrame
            A row for every layer, direction, t, n and unit, which are the levels of its index, and a column for every
            array. Steps beyond a row's length, which are NaN in the arrays, are left out.

        Raises
        ------
        ImportError
            pandas is not installed.
        ValueError
            There is no such layer, or there are several and none is named.
        """
        try:
            import pandas
        except ImportError:
            raise ImportError('to_dataframe needs pandas: pip install "fastrnn[inspect]"') from None

        parts = self.layers
        if layer is None and len(parts) == 1:
            (layer,) = parts
        if layer not in parts:
            raise ValueError(f"layer: expected one of {', '.join(map(repr, parts))}, got {layer!r}")
        part = parts[layer]
        first = next(iter(part))
        shape = part[first].shape
        index = pandas.MultiIndex.from_product(map(range, shape), names=part.axes[first])
        table = pandas.DataFrame({name: array.reshape(-1) for name, array in part.items()}, index=index)
        return table.dropna(how="all")


def trace(model, x, lengths=None):
    """Run a model as inference does, and keep what it computes at each step.

    Parameters
    ----------
    model : Layer
        A recurrent layer, or a model with one in it.
    x : array_like
        What the model reads, as in ``model(x)``.
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

    Raises
    ------
    TypeError
        `model` is not a layer of this package.
    ValueError
        There is no recurrent layer in `model`; or x or lengths do not fit it.

    Notes
    -----
    It takes one pass, that of training: `dropout` acts as in inference, that is, not at all, and ``recompute=True``
    makes no difference. The random generators, the parameters and the gradients of the model stay as they are.

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
    if not any(isinstance(layer, Stack) for layer in inner_layers(model)):
        raise ValueError(f"model: expected a recurrent layer in it, got {model!r}")
    model = without_dropout(model)
    y, _, tape = model.forward(x, lengths=lengths)
    arrays = dict(read(model, tape))
    return Trace(arrays, dict.fromkeys(arrays, STATE_AXES), y)


def read(layer, tape, prefix=""):
    """(name, array) of all that the recurrent layers in a layer computed, from the tape of its forward pass."""
    if isinstance(layer, Stack):
        yield from ((prefix + name, array) for name, array in steps(layer, tape).items())
    for name, inner, its_tape in layer.inside(tape):
        yield from read(inner, its_tape, f"{prefix}{name}." if name else prefix)


def inner_layers(layer):
    """The layer itself and all layers in it."""
    yield layer
    for inner in (
        layer.layers if isinstance(layer, Sequential) else [layer.layer] if isinstance(layer, Residual) else ()
    ):
        yield from inner_layers(inner)


def without_dropout(model):
    """A model whose `forward` computes what a call of `model` does: no dropout, and a tape with all gates.

    Layers that do so anyway are the model's own; the others are copies.
    """
    if isinstance(model, Sequential):
        return Sequential(*map(without_dropout, model.layers))
    if isinstance(model, Residual):
        return Residual(without_dropout(model.layer))
    if isinstance(model, Dropout):
        return Dropout(0.0, dtype=model.dtype)
    if isinstance(model, Stack) and (model.dropout or model.recompute):
        copy = type(model)(**model.config() | {"dropout": 0.0, "recompute": False})
        copy.load_state_dict(model.state_dict())
        return copy
    return model

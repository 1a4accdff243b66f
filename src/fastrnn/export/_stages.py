# SPDX-License-Identifier: BSD-3-Clause
"""The sequence of engine layers that one step of a model runs."""

from collections.abc import Iterator
from itertools import pairwise
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np

from .. import nn
from .._engine.arguments import Array
from .._engine.cells import CELLS
from ..nn._configurable import options_of
from ..nn._layer import Layer
from ..nn._recurrent import parameters
from ..nn._recurrent.regularization import Regularization

CELL_NAMES = {cell.code: name for name, cell in CELLS.items()}
RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)
EXPECTED = "RNN, LSTM and GRU of one direction, Linear and Dropout, alone or in a Sequential"
# The options that stages express, and those that a step does not depend on. Others are refused but for their defaults.
KNOWN = {"input_size", "hidden_size", "num_layers", "bias", "dtype", "nonlinearity", "reset_after"}
KNOWN |= {"leak", "zoneout", "learn_initial_state"}
KNOWN |= {"dropout", "recompute", "recurrent_dropout", "weight_drop", "delta_clip", "omega", "batch_first"}


class Stage(NamedTuple):
    """One layer and direction of the engine. None for what it does not have."""

    name: str  # of the layer that it belongs to, in the model; "" is the model
    cell: str  # as the engine calls it
    I: int
    H: int
    w_ih: Array  # (G*H, I)
    w_hh: Array | None  # (G*H, H)
    b_ih: Array | None  # (G*H,)
    b_hh: Array | None  # (G*H,)
    fraction_h: Array | None = None  # (H,) of the new value in each state: leaky units, zoneout
    fraction_c: Array | None = None
    h_0: Array | None = None  # (H,) where a sequence begins, if that is not zero
    c_0: Array | None = None


def stages(model: Layer) -> list[Stage]:
    """The stages of a model, or an error that names the layer which has none.

    Raises
    ------
    TypeError
        A layer is of another kind.
    ValueError
        A layer needs the whole sequence, or has an option or a dtype that does not fit.
    """
    result = list(_stages(model, ""))
    if not result:
        raise ValueError(f"model: expected at least one layer with parameters of {EXPECTED}, got {short(model)}")
    for before, stage in pairwise(result):  # a file of an early version may hold what does not fit
        dtype = stage.w_ih.dtype
        if (stage.I, dtype) != (before.H, before.w_ih.dtype):
            expected = f"{before.H} features of {before.w_ih.dtype}, as {place(before.name)} gives them"
            raise ValueError(f"{place(stage.name)}: expected to read {expected}, got {stage.I} of {dtype}")
    return result


def _stages(layer: Layer, name: str) -> Iterator[Stage]:
    kind = type(layer)  # a subclass may compute something else
    if kind is nn.Sequential:
        for inner, child in layer.children().items():
            yield from _stages(child, f"{name}.{inner}" if name else inner)
    elif kind in RECURRENT:
        yield from _recurrent(layer, name)
    elif kind is nn.Linear:
        arrays = layer.state_dict()
        O, I = arrays["weight"].shape
        yield Stage(name, "linear", I, O, arrays["weight"], None, arrays.get("bias"), None)
    elif kind is not nn.Dropout:  # passes x on
        raise TypeError(f"{place(name)}: expected {EXPECTED}, got {kind.__name__}")


def _recurrent(layer: Any, name: str) -> Iterator[Stage]:
    """One stage for each layer of the stack."""
    options = options_of(type(layer))
    others = {key: value for key, value in layer.config().items() if key not in KNOWN}
    if given := [f"{key}={value!r}" for key, value in others.items() if value != options[key].default]:
        raise ValueError(f"{place(name)}: expected options that can be written in C, got {', '.join(given)}")
    arrays = layer.state_dict()
    update = Regularization.of(layer).inference(layer.hidden_size, layer.dtype)
    begins = [arrays.get(parameters.state_name(part)) for part in ("h", "c")]
    for k in range(layer.num_layers):
        w_ih, w_hh, b_ih, b_hh = parameters.names(k, 0)
        yield Stage(
            name,
            CELL_NAMES[layer.cell.code],
            I=layer.hidden_size if k else layer.input_size,
            H=layer.hidden_size,
            w_ih=arrays[w_ih],
            w_hh=arrays[w_hh],
            b_ih=arrays.get(b_ih),
            b_hh=arrays.get(b_hh),
            fraction_h=update.fraction_h,
            fraction_c=update.fraction_c,
            h_0=begins[0] if begins[0] is None else begins[0][k],
            c_0=begins[1] if begins[1] is None else begins[1][k],
        )


def place(name: str) -> str:
    """A layer, as messages call it."""
    return f"layer {name}" if name else "model"


def check_finite(stage: Stage) -> None:
    """Raise ValueError for weights that C cannot write exactly: NaN, with its bits, and infinity."""
    for field, array in stage._asdict().items():
        if isinstance(array, np.ndarray) and not np.isfinite(array).all():
            raise ValueError(f"{place(stage.name)}: expected finite parameters, got NaN or infinity in {field}")

# SPDX-License-Identifier: BSD-3-Clause
"""The weights of a PyTorch module as the engine holds them."""

from collections.abc import Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .._engine import passes
from .._engine.arguments import Array
from .._engine.cells import CELLS
from .._engine.passes import Arrays
from ..nn._recurrent.stack import Stack

DTYPES = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}
# What PyTorch's forward reads of a module besides its weights; users change that, too.
OPTIONS = ("input_size", "hidden_size", "num_layers", "mode", "bias", "batch_first", "bidirectional")
options_of = itemgetter(*OPTIONS)
shape_of = attrgetter("shape")
PLAIN = (Tensor, nn.Parameter)  # types whose memory is all that they are


class Bound(NamedTuple):
    """Layers and directions around the memory of a module's weights, and what runs small calls of them."""

    stack: Stack
    inference: Any
    arrays: dict[str, Array]  # held here, so that the engine compares them with its copies at every call
    dtype: torch.dtype
    shapes: list[tuple[int, ...]]  # of the weights, in the order of PyTorch's `_flat_weights`

    @property
    def per_layer(self) -> int:
        """How many weights a layer and direction has: 4, or 2 without biases."""
        return len(self.shapes) // len(self.stack.weights)


class Cache:
    """The latest `Bound` of a module, and where its weights lay; never copied or pickled with the module."""

    __slots__ = ("bound", "options", "places", "refusal")

    def __init__(self, places: list[Any] | None, options: tuple[Any, ...], bound: Bound | None, refusal: str) -> None:
        self.places: list[Any] | None = places
        self.options: tuple[Any, ...] = options  # of the Bound
        self.bound: Bound | None = bound
        self.refusal: str = refusal  # why there is no Bound, if there is none


class View:
    """The memory of a weight, for an array that lets others resize it, as FSDP does, which `Tensor.numpy` prevents.

    After that the weight lies elsewhere, or has another shape, and a call does not look into the array.
    """

    __slots__ = ("__array_interface__", "weight")

    def __init__(self, weight: Tensor) -> None:
        self.weight: Tensor = weight
        self.__array_interface__: dict[str, Any] = {
            "version": 3,
            "shape": tuple(weight.shape),
            "typestr": DTYPES[weight.dtype].str,
            "data": (weight.data_ptr(), False),
        }


NONE = Cache(None, (), None, "")


def weights_of(module: nn.RNNBase) -> list[Tensor]:
    """The weights as they are now: parameters, what a parametrization computes, or tensors put in their place.

    None stands for those that are gone.
    """
    names: list[str] = module._flat_weights_names  # type: ignore[assignment]
    own: Any = module._parameters
    try:
        return [own[name] for name in names]
    except KeyError:
        return [getattr(module, name, None) for name in names]  # type: ignore[misc]


def places_of(weights: Sequence[Tensor]) -> list[Any] | None:
    """Where the weights lie, and their shapes; None where that does not tell whether they are the same as before.

    Memory of a `Bound` is never given to others, since the `Bound` refers to it.
    """
    if not all(map(Tensor.is_contiguous, weights)) or any(map(Tensor.is_neg, weights)):
        return None
    return [*map(Tensor.data_ptr, weights), *map(shape_of, weights)]


def bound(module: nn.RNNBase, weights: Sequence[Tensor]) -> Cache:
    """The `Bound` of a module with these weights, or why there is none."""
    cache: Cache = module.__dict__.get("_fastrnn", NONE)
    try:
        places = places_of(weights)
    except (RuntimeError, TypeError):  # a tensor without memory, or none
        return Cache(None, (), None, "weights without memory")
    options = options_of(module.__dict__)
    if places is not None and places == cache.places and options == cache.options:
        return cache
    refusal = refusal_of(module, weights)
    cache = Cache(places, options, None if refusal else bind(module, weights), refusal)
    if cache.bound is not None and any(array.flags.owndata for array in cache.bound.arrays.values()):
        cache.places = None  # of a copy
    module.__dict__["_fastrnn"] = cache
    return cache


def refusal_of(module: nn.RNNBase, weights: Sequence[Tensor]) -> str:
    """Why the engine cannot run a module with these weights; "" if it can."""
    if module.proj_size:
        return "proj_size"
    for weight in weights:
        if type(weight) not in PLAIN:
            return f"weights of type {type(weight).__name__}"
        if weight.device.type != "cpu":
            return f"weights on the device {weight.device.type}"
        if weight.layout is not torch.strided:
            return f"weights of layout {weight.layout}"
        if weight.dtype not in DTYPES:
            return f"weights of {weight.dtype}"
        if weight.dtype is not weights[0].dtype:
            return "weights of several dtypes"
        if not weight.untyped_storage().nbytes():
            return "weights without memory"
    if len(weights) != len(expected_shapes(module)):
        return f"{len(weights)} weights"
    return ""


def expected_shapes(module: nn.RNNBase) -> list[tuple[int, ...]]:
    """The shapes of the weights of a module, in their order."""
    H, D = module.hidden_size, 2 if module.bidirectional else 1
    rows = CELLS[cell_name(module)].gates * H
    shapes: list[tuple[int, ...]] = []
    for k in range(module.num_layers * D):
        shapes += [(rows, module.input_size if k < D else D * H), (rows, H)]
        shapes += [(rows,), (rows,)] if module.bias else []
    return shapes


def cell_name(module: nn.RNNBase) -> str:
    """The cell of a module, as the engine calls it."""
    return module.mode.lower()  # "LSTM", "GRU", "RNN_TANH" or "RNN_RELU"


def bind(module: nn.RNNBase, weights: Sequence[Tensor]) -> Bound:
    """The engine around the memory of the weights, or around copies of those that it cannot read in place."""
    names: list[str] = module._flat_weights_names  # type: ignore[assignment]
    for name, weight, shape in zip(names, weights, expected_shapes(module), strict=True):
        if tuple(weight.shape) != shape:
            raise ValueError(f"{name}: expected shape {shape}, got {tuple(weight.shape)}")
    arrays = {name: as_array(weight) for name, weight in zip(names, weights, strict=True)}
    cell, D, step = CELLS[cell_name(module)], 2 if module.bidirectional else 1, 4 if module.bias else 2
    fours = [tuple((names[k : k + step] + ["", ""])[:4]) for k in range(0, len(names), step)]
    dtype = DTYPES[weights[0].dtype]
    stack = Stack(cell, module.input_size, module.hidden_size, D, dtype, Arrays(arrays), fours)
    small = passes.inference(stack.weights, D, len(cell.parts), module.batch_first, dtype)
    return Bound(stack, small, arrays, weights[0].dtype, [array.shape for array in arrays.values()])


def as_array(weight: Tensor) -> Array:
    """The memory of a weight, or a copy that the engine can read."""
    weight = weight.detach().resolve_neg()
    if not weight.is_contiguous():
        return np.array(weight.contiguous().numpy())
    array = np.asarray(View(weight))
    return array if array.flags.aligned else array.copy()

# SPDX-License-Identifier: BSD-3-Clause
"""The parts of a checkpoint that describe a model, which need not be a layer."""

import json
from collections.abc import Mapping
from reprlib import repr as short
from typing import Any

import numpy as np

from ..._engine.arguments import Array
from ...io._custom import bare_name
from ...io._references import SAME_AS, describe
from ...nn._layer import Layer, every_layer
from ...nn._options import described
from ...nn._state_dict import copied_once
from ...optim._state import check_names
from ...optim._trainable import check_like
from .shape import wrong

# Of the numbers in the state of a bit generator, below which one is; NumPy checks none, and some are positions.
LIMITS = {"state": 1 << 128, "inc": 1 << 128, "has_uint32": 2, "uinteger": 1 << 32, "pos": 625, "buffer_pos": 5}


def architecture_of(model: Any) -> dict[str, Any]:
    """The architecture of a model, as JSON gives it back; dtypes and shapes of its parameters if it is not a layer."""
    if isinstance(model, Layer):
        return json.loads(json.dumps(describe(model)))
    shapes = {name: [str(p.dtype), list(p.shape)] for name, p in model.params.items()}
    return {"type": type(model).__name__, "params": shapes}


def difference_from(saved: Any, model: Any) -> str:
    """Where the architecture in a checkpoint first differs from that of a model, in words; empty if it does not.

    Earlier checkpoints describe a layer in several places as several layers. Whether those are equal shows when their
    parameters are loaded.
    """
    difference = difference_of(saved, architecture_of(model))
    if difference and isinstance(model, Layer) and not difference_of(saved, json.loads(json.dumps(described(model)))):
        return ""
    return difference


def difference_of(saved: Any, current: Any, name: str = "model") -> str:
    """Where two architectures first differ, in words; empty if they do not."""
    if isinstance(saved, dict) and isinstance(current, dict) and _named(saved) == _named(current):
        pairs = [(key, saved.get(key), current.get(key)) for key in {**saved, **current} if key != "type"]
    elif isinstance(saved, list) and isinstance(current, list) and len(saved) == len(current):
        pairs = [(k, *pair) for k, pair in enumerate(zip(saved, current, strict=True))]
    else:
        return (
            "" if saved == current else f": {name} is {_named(saved)} in the checkpoint, {_named(current)} in the model"
        )
    return next(filter(None, (difference_of(a, b, f"{name}.{key}") for key, a, b in pairs)), "")


def _named(part: Any) -> str:
    if isinstance(part, list):
        return f"a list of {len(part)}"
    if isinstance(part, dict) and SAME_AS in part:
        return f"the layer at {short(part[SAME_AS])}"
    if isinstance(part, dict) and isinstance(part.get("type"), str):
        return bare_name(part["type"])  # wherever its module is today, of a layer of another package
    return short(part)


def parameters_of(model: Any) -> dict[str, Array]:
    """A copy of the parameters, and of weights that do not learn; each once."""
    if isinstance(model, Layer):
        return copied_once(model.stored)
    return {name: array.copy() for name, array in model.params.items()}


def load_parameters(model: Any, parameters: Mapping[str, Array]) -> None:
    """Write the parameters into a model."""
    if isinstance(model, Layer):
        model.load_state_dict(parameters)
        return
    check_names(parameters, model.params)
    for name, p in model.params.items():
        check_like(name, parameters[name], p)
    for name, p in model.params.items():
        p[...] = parameters[name]


def random_states(model: Any) -> list[Any]:
    """The state of every random generator in a model."""
    return [layer.random_state for layer in every_layer(model)]


def set_random_states(model: Any, states: list[Any]) -> None:
    """Set the random generators to these states."""
    for layer, state in zip(every_layer(model), states, strict=True):
        layer.random_state = state


def check_random_states(model: Any, states: list[Any]) -> None:
    """Raise ValueError unless they are states of the random generators that a model has."""
    current = random_states(model)
    if len(states) != len(current):
        raise wrong("random", f"a list of {len(current)}, as many as layers", states)
    for k, pair in enumerate(zip(current, states, strict=True)):
        _check_random_state(f"random/{k}", "", *pair)


def _check_random_state(place: str, name: str, current: Any, saved: Any) -> None:
    """Compare a part of the state of a generator, under its name, with the same part of the present state.

    A layer without a generator, whose state is None, ignores any.
    """
    if isinstance(current, dict):
        if not isinstance(saved, dict) or saved.keys() != current.keys():
            raise wrong(place, f"a dict of {', '.join(current)}", saved)
        for key in current:
            _check_random_state(f"{place}/{key}", key, current[key], saved[key])
    elif isinstance(current, np.ndarray):
        if not isinstance(saved, np.ndarray) or (saved.dtype, saved.shape) != (current.dtype, current.shape):
            raise wrong(place, f"{current.dtype} of shape {current.shape}", saved)
    elif isinstance(current, int):
        limit = LIMITS.get(name, 1 << 64)
        if type(saved) is not int or not 0 <= saved < limit:
            raise wrong(place, f"an integer from 0 to {limit - 1}", saved)
    elif isinstance(current, str) and not (isinstance(saved, str) and saved == current):
        raise wrong(place, repr(current), saved)

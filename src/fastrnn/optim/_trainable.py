# SPDX-License-Identifier: BSD-3-Clause
"""The interface of models for optimizers, and several models combined into one."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from .._engine.arguments import FLOATS, Array
from ..nn._parameters import Joined, NamedArrays, Parameters, distinct, first_names


class Trainable(Protocol):
    """The interface of models that optimizers need: layers, and any other object with these attributes.

    Attributes
    ----------
    params, grads : mapping of str to ndarray
        The same names; float32 or float64 arrays, the gradient of a parameter with its shape and dtype. Both are
        written in place. An array that has several names counts once, under the first.
    """

    @property
    def params(self) -> Mapping[str, Array]:
        """The parameters by name."""
        ...

    @property
    def grads(self) -> Mapping[str, Array]:
        """The gradients by name."""
        ...

    def zero_grad(self) -> None:
        """Set all gradients to 0."""
        ...


class JoinedModels:
    """Several models combined into one, for an optimizer, for clipping and for penalties.

    Optimizers, `clip_grad_norm`, `clip_grad_value` and `add_penalty` create one from a list or dict of models.

    Parameters
    ----------
    models : mapping of str to Trainable, or sequence of Trainable
        The keys of a dict, without dots, or the indices of a list, become prefixes of the names of parameters:
        ``"encoder.weight"``, ``"0.weight"``.

    Attributes
    ----------
    models : dict of str to Trainable
        The models by their names.
    params, grads : mapping of str to ndarray
        Those of all models, the arrays themselves.

    Raises
    ------
    TypeError, ValueError
        There is no model, a model occurs twice, or a name is not a string without dots.

    Examples
    --------
    >>> import fastrnn as fr
    >>> encoder, decoder = fr.Linear(3, 2, seed=0), fr.Linear(2, 3, seed=1)
    >>> models = fr.optim.JoinedModels({"encoder": encoder, "decoder": decoder})
    >>> list(models.params)
    ['encoder.weight', 'encoder.bias', 'decoder.weight', 'decoder.bias']
    >>> fr.Adam([encoder, decoder], groups={"1.*": {"lr": 1e-2}}).hyperparameters("1.bias")["lr"]
    0.01
    """

    def __init__(self, models: Mapping[str, Trainable] | Sequence[Trainable]) -> None:
        self.models: dict[str, Trainable] = _by_name("models", models)

    @property
    def params(self) -> NamedArrays:
        """The parameters by name; they may be written in place."""
        return Joined((f"{name}.", _named(model.params)) for name, model in self.models.items())

    @property
    def grads(self) -> NamedArrays:
        """The gradients by name; they may be written in place."""
        return Joined((f"{name}.", _named(model.grads)) for name, model in self.models.items())

    def zero_grad(self) -> None:
        """Set every gradient of every model to 0."""
        for model in self.models.values():
            model.zero_grad()

    def __repr__(self) -> str:
        return f"JoinedModels({self.models!r})"


Models: TypeAlias = Trainable | Mapping[str, Trainable] | Sequence[Trainable]


def as_model(model: Any, *attributes: str) -> Trainable:
    """`model`, or several as `JoinedModels`; TypeError unless it, or each of them, has the attributes."""
    is_model = all(hasattr(model, name) for name in attributes)  # whatever else it is: a list may be one
    if is_model or not _is_set(model):
        _check("model", model, attributes)
        return model
    named = _by_name("model", model)
    for name, part in named.items():
        _check(f"model[{name!r}]" if isinstance(model, Mapping) else f"model[{name}]", part, attributes)
    return JoinedModels(named)


def _is_set(models: Any) -> bool:
    return isinstance(models, Mapping | list | tuple)


def _check(what: str, model: Any, attributes: Sequence[str]) -> None:
    if not all(hasattr(model, name) for name in attributes):
        raise TypeError(f"{what}: expected an object with {' and '.join(attributes)}, got {type(model).__name__}")


def check_parameters(model: Trainable) -> None:
    """Raise TypeError or ValueError unless a model has parameters that are floats, and gradients that fit them."""
    params, grads = model.params, model.grads
    if odd := sorted(first_names(params).keys() ^ first_names(grads).keys()):
        raise ValueError(f"model: expected params and grads of the same names, got {odd} in one of them only")
    for name, p in distinct(params).items():
        if p.dtype not in FLOATS:
            raise TypeError(f"params[{name!r}]: expected float32 or float64, got {p.dtype}")
        check_like(f"grads[{name!r}]", grads[name], p)
    for name, first in first_names(params).items():
        if name != first and grads[name] is not grads[first]:
            raise ValueError(f"grads[{name!r}]: expected that of {first!r}, the same parameter, got another array")


def check_gradients(params: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
    """Raise ValueError unless each parameter can be written, and has a gradient of its shape and dtype."""
    for name, p in params.items():
        g = grads[name]
        if not p.flags.writeable:
            raise ValueError(f"params[{name!r}]: expected an array that can be written, got a read-only one")
        if g.shape != p.shape or g.dtype != p.dtype:
            check_like(f"grads[{name!r}]", g, p)


def check_like(name: str, array: Array, like: Array) -> None:
    """Raise ValueError unless an array has the shape and dtype of another."""
    if array.shape != like.shape or array.dtype != like.dtype:
        expected, got = f"{like.dtype} {like.shape}", f"{array.dtype} {array.shape}"
        raise ValueError(f"{name}: expected {expected}, got {got}")


def _by_name(what: str, models: Any) -> dict[str, Any]:
    """Models by name, each of them once."""
    if not _is_set(models):
        raise TypeError(f"{what}: expected a list or a dict of models, got {type(models).__name__}")
    if not models:
        raise ValueError(f"{what}: expected at least one model, got none")
    if isinstance(models, Mapping):
        for name in models:
            if not isinstance(name, str) or not name or "." in name:
                raise ValueError(f"{what}: expected names without dots, got {name!r}")
    named = dict(models) if isinstance(models, Mapping) else {str(k): model for k, model in enumerate(models)}
    name_of: dict[int, str] = {}
    for name, model in named.items():
        if (first := name_of.setdefault(id(model), name)) != name:
            raise ValueError(f"{what}: expected each model once, got the same as {first!r} and as {name!r}")
    return named


def _named(arrays: Mapping[str, Array]) -> NamedArrays:
    return arrays if isinstance(arrays, NamedArrays) else Parameters(arrays)

# SPDX-License-Identifier: BSD-3-Clause
"""How a model reads a data set: the time and row axes of its input, and whether targets belong to steps or rows."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from ..._engine.arguments import Array
from ..._engine.layout import features_hint
from ...nn._layer import Layer, every_layer
from ...nn._signal import keeps_steps
from .frames import Columns, columns_of

# One target for each step of x; one for each row; or sequences of another length, such as a RepeatVector gives.
Targets: TypeAlias = Literal["steps", "rows", "sequences"]
PASSES = ("__call__", "forward", "apply", "_forward")


def arguments_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The arguments of a function by name; empty if it has no signature."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


class Reading(NamedTuple):
    """How a model reads a data set; None for what it does not say.

    Attributes
    ----------
    batch_first : bool
        Whether a batch is (N, T, ...), or (N, ...) where it has no time.
    has_time : bool or None
        Whether x has a time axis.
    tokens : bool
        Whether x is tokens, without an axis of features.
    features : int or None
        The size of the last axis of x.
    dtype : np.dtype or None
        That of x, if it is not tokens.
    targets : {"steps", "rows", "sequences"} or None
    targets_batch_first : bool
        Whether a batch of targets that have time is (N, T, ...).
    arguments : tuple of str
        The names of the arguments of ``model.forward``.
    inputs : tuple of str
        Those that it requires besides a state and lengths.
    model : str
        The name of its class.
    columns : tuple
        Those of x and of y that it was fitted on, None of what was no DataFrame.
    packed : bool
        Whether the rows of a batch that differ in length are packed.
    """

    batch_first: bool = False
    has_time: bool | None = None
    tokens: bool = False
    features: int | None = None
    dtype: Any = None
    targets: Targets | None = None
    targets_batch_first: bool = False
    arguments: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    model: str = ""
    columns: tuple[Columns, Columns] = (None, None)
    packed: bool = False

    def check_one_input(self, x: Any) -> None:
        """Raise TypeError if the model takes several inputs."""
        if len(self.inputs) > 1:
            names = " and ".join(self.inputs)
            example = ", ".join(f"{name!r}: ..." for name in self.inputs)
            raise TypeError(
                f"x: expected a dict {{{example}}}, since {self.model} takes {names}, got {type(x).__name__}; or "
                "batches (that dict, y, lengths), or Batches(..., collate_fn=...)"
            )

    @property
    def is_flat(self) -> bool:
        """Whether a list of vectors is rows of features, without time."""
        return not self.has_time and self.features is not None

    def axes(self, batched: bool) -> str:
        """The shape of a batch of x, or of a single row, in words."""
        axes = ("N", "T") if self.batch_first else ("T", "N")
        axes = axes if batched else ("T",)
        features = () if self.tokens else ("features" if self.features is None else str(self.features),)
        return f"({', '.join(axes + features)}{',' if len(axes + features) == 1 else ''})"

    def is_single(self, x: Array) -> bool:
        """Whether x is one sequence instead of a batch; ValueError if it is neither."""
        if not self.has_time:
            return False
        ndim = 2 if self.tokens else 3
        if x.ndim not in (ndim - 1, ndim) or (self.features is not None and x.shape[-1] != self.features):
            expected = f"{self.axes(True)}, or a single sequence {self.axes(False)}"
            raise ValueError(f"x: expected {expected}, got {x.shape}{self._hint(x)}")
        return x.ndim == ndim - 1

    def _hint(self, x: Array) -> str:
        """A hint for an x of another shape."""
        if self.features is None or self.tokens:
            return ""
        return features_hint("x", x.shape, self.features, self.batch_first)


def reads_packed(model: Layer) -> bool:
    """Whether a model is given packed rows: it takes them, and so does each class with passes of its own by itself."""
    layers = [layer for layer in every_layer(model) if layer.stateful]
    return model.stateful and model.takes_packed and not any(map(_overrides_passes, layers))


def _overrides_passes(layer: Layer) -> bool:
    """Whether a class has passes of its own, and only a base of it says that packed rows are taken."""
    for kind in type(layer).__mro__:
        if "takes_packed" in vars(kind):
            return False
        if not vars(kind).keys().isdisjoint(PASSES):
            return True
    return False


def inputs_of(model: Any) -> tuple[str, ...]:
    """The names of the arguments that a model's forward requires besides a state and lengths."""
    if getattr(model, "stateful", False):
        return ("x",)
    return tuple(
        name
        for name, argument in arguments_of(model.forward).items()
        if argument.default is argument.empty
        and argument.kind in (argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD)
        and name not in ("state", "lengths")
    )


def reading_of(model: Any, targets_have_lengths: bool) -> Reading:
    """How a model reads data; its targets are labels of rows if the loss takes labels with lengths of their own."""
    common: dict[str, Any] = {
        "arguments": tuple(arguments_of(model.forward)), "inputs": inputs_of(model), "model": type(model).__name__,
        "columns": columns_of(model),
    }  # fmt: skip
    if not isinstance(model, Layer):
        batch_first = bool(getattr(model, "batch_first", False))
        targets: Targets | None = "rows" if targets_have_lengths else None
        return Reading(batch_first, targets=targets, targets_batch_first=batch_first, **common)
    tokens = model.reads_tokens
    axes = model.axes_in
    after = model.axes_after(axes or "NT")  # if it treats all positions alike, rows may come first
    if targets_have_lengths or after == "N":
        targets = "rows"
    elif after is None:
        targets = None
    else:
        targets = "steps" if keeps_steps(model) else "sequences"
    return Reading(
        batch_first=axes != "TN",
        has_time=None if axes is None else axes != "N",
        tokens=tokens,
        features=None if tokens else model.features_in,
        dtype=None if tokens else getattr(model, "dtype", None),
        targets=targets,
        targets_batch_first=(after or axes) != "TN",
        **common,
        packed=targets is not None and reads_packed(model),
    )

# SPDX-License-Identifier: BSD-3-Clause
"""Shapes and layouts between consecutive layers, and whether the layers fit together."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

Axes: TypeAlias = Literal["TN", "NT", "N"]  # (T, N, ...), (N, T, ...), and rows without time (N, ...)


ONE_STEP = np.ones(1, np.intp)  # the length of a row
LENGTHS = np.arange(65)  # of rows: a layer with strides or without padding changes some of them
BACKWARDS = -1  # the one direction of layers with reverse=True


class Signal(NamedTuple):
    """Known properties of the array between two layers; None if unknown.

    Attributes
    ----------
    features : int or None
        The size of the last axis.
    axes : {"TN", "NT", "N"} or None
        The axes before it: time first, batch first, or rows without time.
    directions : int or None
        2 if the second half of the features comes from a direction that begins at the end of a row, BACKWARDS if all
        do; 1 if none does.
    dtype : np.dtype or None
    steps : int or None
        T, where a layer fixes it.
    """

    features: int | None = None
    axes: Axes | None = None
    directions: int | None = None
    dtype: Any = None
    steps: int | None = None


class Interface:
    """What a layer declares about its input and output, so that containers can check that layers fit together."""

    @property
    def features_in(self) -> int | None:
        """The number of input features; None if any number is allowed, or if it is unknown."""
        return None

    def features_after(self, features: int | None) -> int | None:
        """The number of features of y, given that of x; either is None if unknown."""
        return None

    @property
    def axes_in(self) -> Axes | None:
        """The layout of x: "TN" for (T, N, ...), "NT" for (N, T, ...), "N" for rows without time; None if any.

        By default it follows from an attribute `batch_first`.
        """
        return axes_of(getattr(self, "batch_first", None))

    @property
    def keeps_axes(self) -> bool:
        """Whether the layer acts on each position separately, so that y has the leading axes of x."""
        return False

    @property
    def reads_ahead(self) -> bool:
        """Whether y at a step depends on later steps."""
        return False

    @property
    def takes_resets(self) -> bool:
        """Whether the layer supports resets; by default, if it acts on each step separately."""
        return self.keeps_axes and not getattr(self, "stateful", False)

    @property
    def takes_packed(self) -> bool:
        """Whether x may be a `PackedSequence`."""
        return self.keeps_axes and not getattr(self, "stateful", False)

    def refusing_options(self, takes: str) -> list[str]:
        """The options in use that make "takes_resets" or "takes_packed" False."""
        return []

    def axes_after(self, axes: Axes | None) -> Axes | None:
        """The layout of y, given that of x; None if unknown."""
        return axes if self.keeps_axes else None

    @property
    def directions_in(self) -> int | None:
        """The number of directions that the features of x must come from; None if it does not matter."""
        return None

    def directions_after(self, directions: int | None) -> int | None:
        """The directions of the features of y, given those of x: see `Signal`; None if unknown."""
        return None

    def steps_after(self, steps: int | None) -> int | None:
        """The number of steps of y, given that of x; None if unknown."""
        return steps

    @property
    def signal_in(self) -> Signal:
        """The required properties of x."""
        return Signal(self.features_in, self.axes_in, self.directions_in, getattr(self, "dtype", None))

    def signal_after(self, signal: Signal) -> Signal:
        """The known properties of y, given those of x."""
        return Signal(
            self.features_after(signal.features),
            self.axes_after(signal.axes),
            self.directions_after(signal.directions),
            getattr(self, "dtype", None),
            self.steps_after(signal.steps),
        )

    def lengths_after(self, lengths: Any) -> Any:
        """The lengths of the rows of y, given those of x; None if the rows of y are full or have no time axis."""
        return lengths


class BySignal(Interface):
    """The interface of a layer that says all of it at once, in `signal_in` and `signal_after`."""

    @property
    def features_in(self) -> int | None:
        return self.signal_in.features

    def features_after(self, features: int | None) -> int | None:
        return self.signal_after(Signal(features=features)).features

    @property
    def axes_in(self) -> Axes | None:
        return self.signal_in.axes

    def axes_after(self, axes: Axes | None) -> Axes | None:
        return self.signal_after(Signal(axes=axes)).axes

    @property
    def directions_in(self) -> int | None:
        return self.signal_in.directions

    def directions_after(self, directions: int | None) -> int | None:
        return self.signal_after(Signal(directions=directions)).directions


def keeps_steps(layer: Interface) -> bool | None:
    """Whether each row of y has as many steps as that of x; None where the rows of y are full or have no time."""
    after = layer.lengths_after(LENGTHS)
    return None if after is None else np.array_equal(after, LENGTHS)


def axes_of(batch_first: bool | None) -> Axes | None:
    """The axes of sequences, given the option of that name."""
    return None if batch_first is None else "NT" if batch_first else "TN"


def take_packed(layers: Sequence[Interface]) -> bool:
    """Whether these layers, one after another, take a `PackedSequence`."""
    for layer in layers:
        if not layer.takes_packed:
            return False
        if layer.lengths_after(ONE_STEP) is None:  # behind it rows are full, in an array
            return True
    return True


def signal_after(layers: Sequence[Interface], signal: Signal) -> Signal:
    """The properties of the output of these layers, given those of their input."""
    for layer in layers:
        signal = layer.signal_after(signal)
    return signal


def signal_in(layers: Sequence[Interface]) -> Signal:
    """The required properties of the input: those of the first layer that declares any."""
    known: dict[str, Any] = {}
    unchanged: Any = Signal(-1, "?", -1)  # type: ignore[arg-type]  # it cannot be, so that a layer which gives it passes on what it reads
    for layer in layers:  # each is asked once: it may be made of layers that are made of others
        read, after = layer.signal_in, layer.signal_after(unchanged)
        for name in Signal._fields:
            value = getattr(read, name)
            if name not in known and (value is not None or getattr(after, name) != getattr(unchanged, name)):
                known[name] = value
        if len(known) == len(Signal._fields):
            break
    return Signal(**known)


def misfit(layers: Sequence[Interface], fields: tuple[str, ...] = Signal._fields) -> str | None:
    """The first thing about these layers that does not fit, in words; None if all does, as far as they say."""
    if not layers:
        return "layers: expected at least one layer, got none"
    signal = Signal()
    for k, layer in enumerate(layers):
        expected = layer.signal_in
        for name in fields:
            given, read = getattr(signal, name), getattr(expected, name)
            if given is not None and read is not None and given != read:  # (to NumPy, None is a dtype)
                before, after = (type(each).__name__ for each in layers[k - 1 : k + 1])
                return f"layers[{k}]: {WORDS[name](given, read, f'{before} at {k - 1}', after)}"
        signal = layer.signal_after(signal)
    return None


def _features(given: Any, read: Any, before: str, after: str) -> str:
    return f"expected {given} features in, which {before} gives, got {after} with {read}"


def _axes(given: Any, read: Any, before: str, after: str) -> str:
    if "N" in (given, read):
        shapes = {"N": "rows without time, (N, features)", "TN": "(T, N, features)", "NT": "(N, T, features)"}
        return f"expected a layer that reads {shapes[given]}, which {before} gives, got {after} of {shapes[read]}"
    return f"expected batch_first={given == 'NT'}, as {before} gives it, got {after} with batch_first={read == 'NT'}"


def _directions(given: Any, read: Any, before: str, after: str) -> str:
    if BACKWARDS in (given, read):
        backwards = given == BACKWARDS
        return f"expected reverse={backwards}, as {before} gives it, got {after} with reverse={not backwards}"
    return f"expected bidirectional={given == 2}, as {before} gives it, got {after} with bidirectional={read == 2}"


def _dtype(given: Any, read: Any, before: str, after: str) -> str:
    return f"expected dtype=np.{given}, as {before} gives it, got {after} with dtype=np.{read}"


WORDS = {"features": _features, "axes": _axes, "directions": _directions, "dtype": _dtype}

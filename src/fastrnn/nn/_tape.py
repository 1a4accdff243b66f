# SPDX-License-Identifier: BSD-3-Clause
"""Tapes, which hold what a forward pass saves for its backward pass."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Layer = TypeVar("Layer", bound=Any)
Gradients = TypeVar("Gradients")

USED = "tape: it has been used by an earlier backward; a tape can be used once"


class Tape:
    """The saved data of one forward pass, for one backward pass.

    Attributes
    ----------
    shape : tuple of int
        The shape of the output.
    x_shape : tuple of int or None
        The shape of the input; None if the layer does not say.
    needs_dx : bool
        Whether `backward` has to return the gradient of the input; initially True. Set it to False before `backward` if
        the gradient is not needed, as for training data. Layers that can save time then return None instead.
    extras : dict of str to float
        After `backward`: other values that a layer reports, such as the regularizer ``"omega"`` of an RNN. A container
        reports sums over its layers.
    """

    __slots__ = ("_content", "_kept", "_layer", "_unused", "extras", "needs_dx", "shape", "x_shape")

    def __init__(
        self, layer: Any, content: Any, shape: tuple[int, ...], x_shape: tuple[int, ...] | None = None
    ) -> None:
        self._layer, self._content = layer, content
        self._unused = [True]  # popped, which one thread alone can do
        self._kept: Any = None  # the steps that a mask has kept, a `Kept`
        self.shape: tuple[int, ...] = shape
        self.x_shape: tuple[int, ...] | None = x_shape
        self.needs_dx: bool = True
        self.extras: dict[str, float] = {}

    def __repr__(self) -> str:
        used = ", used" if self._is_used else ""
        return f"Tape({type(self._layer).__name__}, y {self.shape}{used})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a tape cannot be copied or pickled: it belongs to one backward of one layer")

    @property
    def omega(self) -> float | None:
        """``extras["omega"]``, or None where no layer has that regularizer."""
        return self.extras.get("omega")

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that the tape holds beyond the layer's input and output; 0 once used."""
        return _nbytes(self._content) + _nbytes(self._kept)

    @property
    def _is_used(self) -> bool:
        return self._content is None

    def close(self) -> None:
        """Take the content before a backward pass, which overwrites it; the tape cannot be opened again.

        ValueError if this has already happened, so that only one of several threads uses the tape.
        """
        try:
            self._unused.pop()
        except IndexError:
            raise ValueError(USED) from None
        self._content = self._kept = None


def open_tape(tape: Any, layer: Any) -> Any:
    """The content of an unused tape of `layer`."""
    if isinstance(tape, Tape) and tape._layer is layer and (content := tape._content) is not None:
        return content
    check_tape(tape, layer)
    raise ValueError(USED)  # another thread was quicker


def check_tape(tape: Any, layer: Any) -> None:
    """Raise TypeError or ValueError unless it is an unused tape of `layer`."""
    if not isinstance(tape, Tape):
        raise TypeError(f"tape: expected what {type(layer).__name__}.forward returned, got {type(tape).__name__}")
    if tape._layer is not layer:
        raise ValueError(
            f"tape: expected one that this {type(layer).__name__} made, got one of another {type(tape._layer).__name__}"
        )
    if tape._is_used:
        raise ValueError(USED)


def without_dx(tape: Any, layer: Any) -> Any:
    """The tape of a layer whose `backward` leaves the gradient of the input out, if the layer can; any other as it is.

    Not that of a layer inside `layer`, which may have to know the gradient.
    """
    if isinstance(tape, Tape) and tape._layer is layer:
        tape.needs_dx = not layer._skips_dx
    return tape


def exclusive(
    backward: Callable[Concatenate[Layer, Arguments], Gradients],
) -> Callable[Concatenate[Layer, Arguments], Gradients]:
    """A method that uses up a tape and adds into `grads`, for one thread at a time: another gets a RuntimeError."""

    @wraps(backward)
    def alone(self: Layer, *arguments: Arguments.args, **named: Arguments.kwargs) -> Gradients:
        with self._in_backward:
            return backward(self, *arguments, **named)

    return alone


def has_gradient(gradients: Any) -> bool:
    """Whether there is an array in gradients, however nested; None stands for zero."""
    return any(map(has_gradient, gradients)) if isinstance(gradients, tuple | list) else gradients is not None


def add_extras(extras: dict[str, float], tapes: Iterable[Any]) -> dict[str, float]:
    """`extras`, to which has been added what `tapes` report besides gradients, by name."""
    for tape in tapes:
        for name, value in getattr(tape, "extras", {}).items():
            extras[name] = extras.get(name, 0.0) + value
    return extras


def add_inner_extras(tape: Tape, content: Any) -> None:
    """Add what the tapes of a container's children report, in what it saved, to the extras of its own tape."""
    layer = tape._layer
    if layer.children() and any([inner.extras for inner in _tapes([content])]):
        add_extras(tape.extras, inner_tapes(layer, content))


def inner_tapes(layer: Any, content: Any) -> list[Tape]:
    """The tapes of a container's children, in what it saved: in tuples and lists of any depth, in their order."""
    if not (inside := layer.children()):
        return []
    children = set(map(id, inside.values()))
    return [tape for tape in _tapes([content]) if id(tape._layer) in children]


def _tapes(parts: list[Any] | tuple[Any, ...]) -> list[Tape]:
    tapes: list[Tape] = []
    for part in parts:
        if isinstance(part, Tape):
            tapes.append(part)
        elif isinstance(part, (list, tuple)):
            tapes += _tapes(part)
    return tapes


def _nbytes(content: Any) -> int:
    if hasattr(content, "nbytes"):
        return content.nbytes
    return sum(map(_nbytes, content)) if isinstance(content, list | tuple) else 0

# SPDX-License-Identifier: BSD-3-Clause
"""The callbacks that a user passes to `fit`."""

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from ...nn._options import kind_of
from .hook import Hook, Step

if TYPE_CHECKING:
    from .._loop.loop import Training


@runtime_checkable
class StepCallback(Protocol):
    """An object that is called in every step, before the update."""

    def on_step(self, model: Any, step: int, loss: float, norm: float) -> Any:
        """The gradients have been computed; it may add to them."""
        ...


@runtime_checkable
class EpochCallback(Protocol):
    """An object that is called after every epoch."""

    def on_epoch(self, model: Any, epoch: int, row: dict[str, Any]) -> Any:
        """The history has a new row. True stops the training."""
        ...


Callback: TypeAlias = StepCallback | EpochCallback | Callable[[Any, int, dict[str, Any]], Any]


class Callbacks(Hook):
    """Calls the user's callbacks.

    Attributes
    ----------
    kinds : list of str
        The names of their classes, or of functions.

    Raises
    ------
    TypeError
        `callbacks` is not a list, or one of them cannot be called, or not with these arguments.
    """

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        if not isinstance(callbacks, list | tuple):
            raise TypeError(f"callbacks: expected a list, got {type(callbacks).__name__}")
        for callback in callbacks:
            if isinstance(callback, type) or not (
                callable(callback) or isinstance(callback, StepCallback | EpochCallback)
            ):
                got = kind_of(callback)
                raise TypeError(f"callbacks: expected functions, or objects with on_step or on_epoch, got {got}")
        self.kinds = [getattr(callback, "__qualname__", type(callback).__qualname__) for callback in callbacks]
        self._on_step = [callback.on_step for callback in callbacks if isinstance(callback, StepCallback)]
        # An object that has neither method is called itself, after every epoch.
        functions: list[Any] = [getattr(callback, "on_epoch", callback) for callback in callbacks]
        self._on_epoch = [function for function in functions if not isinstance(function, StepCallback)]
        for names, called in ("model, step, loss, norm", self._on_step), ("model, epoch, row", self._on_epoch):
            for function in called:
                _check_arguments(function, names)

    def on_gradients(self, run: "Training", step: Step) -> bool:
        for callback in self._on_step:
            callback(run.model, step.number, step.loss, step.norm)
        return bool(self._on_step)

    def after_epoch(self, run: "Training", row: dict[str, Any]) -> None:
        answers = [callback(run.model, row["epoch"], row) for callback in self._on_epoch]
        self.finished = any(answer is True for answer in answers)


def _check_arguments(function: Callable[..., Any], names: str) -> None:
    """Raise TypeError early, not after an epoch, if a function cannot be called with these arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions that are not written in Python have none
        return
    try:
        signature.bind(*names.split(", "))
    except TypeError as error:
        name = getattr(function, "__qualname__", type(function).__name__)
        raise TypeError(f"callbacks: expected {name} to take ({names}), got {name}{signature}: {error}") from None

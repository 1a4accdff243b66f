# SPDX-License-Identifier: BSD-3-Clause
"""Base class of schedules."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from ..._engine.arguments import NONNEGATIVE
from ...nn._configurable import Configurable, options_of
from ...nn._option import KW_ONLY, Converted
from ...nn._options import Choice, Number, Size
from .._optimizer import Optimizer
from .._state import check_names, scalar


def as_optimizer(name: str, value: Any) -> Any:
    """`value`, which has a learning rate."""
    if not hasattr(value, "lr"):
        raise TypeError(f"{name}: expected an optimizer, got {type(value).__name__}")
    return value


class Schedule(Configurable, ABC):
    """Base class of schedules, which set the learning rate of an optimizer as a function of a count.

    A subclass defines ``at(lr, count)``. Rates are computed from the count, not from the previous rate, so a resumed
    schedule is bit-identical. After its end, a schedule keeps its last value. A schedule only sets ``optimizer.lr``
    (`OneCycleLR` also a momentum); groups with their own `lr` follow in proportion. Use only one schedule per
    optimizer.

    Attributes
    ----------
    initial_lr : float
        The learning rate that the schedule started from.
    count : int
        Number of calls of `step`.

    Raises
    ------
    TypeError, ValueError
        `optimizer` has no `lr`, or an option is out of range.

    Examples
    --------
    A schedule of your own.

    >>> import fastrnn as fr
    >>> from fastrnn.optim import Schedule
    >>> class Harmonic(Schedule):
    ...     def at(self, lr, count):
    ...         return lr / (1 + count)
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = Harmonic(sgd)
    >>> schedule.step()
    >>> sgd.lr
    0.25
    """

    optimizer: Converted[Optimizer, Optimizer] = Converted(
        "The schedule starts from its `lr`, and sets it to the schedule's first value at once.",
        "Optimizer",
        as_optimizer,
        in_config=False,
    )
    initial_lr: Number = Number("The learning rate that the schedule started from.", NONNEGATIVE, init=False)
    count: Size = Size("Number of calls of `step`.", low=0, default=0, init=False)
    _: KW_ONLY
    per: Choice = Choice(
        "When `fit` calls `step`: after every update of the parameters, or after every epoch. The options count in "
        "that unit. A loop of your own calls `step` itself.",
        ("update", "epoch"),
        default="update",
        omit=True,
        last=True,
    )
    state_names: ClassVar[tuple[str, ...]] = ("initial_lr", "count")  # the entries of a state_dict

    def _setup(self) -> None:
        self.initial_lr = self.optimizer.lr
        self._set()

    @abstractmethod
    def at(self, lr: float, count: int) -> float:
        """The learning rate after `count` steps from the learning rate `lr`."""

    def step(self) -> None:
        """Advance the count by one. Call it after each update, or after each epoch, as `per` says."""
        self.count += 1
        self._set()

    def state_dict(self) -> dict[str, Any]:
        """The state for resuming a training.

        Returns
        -------
        dict of str to int or float
            The initial values and the current count; not its options or functions.
        """
        return {name: getattr(self, name) for name in self.state_names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`, and set the optimizer's `lr`. It is checked before anything is changed.

        Parameters
        ----------
        state : mapping
            As `state_dict` returned it, from a schedule of the same kind and options. A number may be an array of
            shape (), as files return it.

        Raises
        ------
        TypeError, ValueError
            An entry is missing, unknown or out of range. The entry is named.
        """
        check_names(state, self.state_names)
        options = options_of(type(self))
        numbers = {name: options[name].check(name, scalar(name, state)) for name in self.state_names}
        for name, number in numbers.items():
            setattr(self, name, number)
        self._set()

    def _set(self) -> None:
        try:
            self._apply(self.initial_lr, self.count)
        except OverflowError:  # of a power; the optimizer says which numbers it takes
            self.optimizer.lr = math.inf

    def _apply(self, lr: float, count: int) -> None:
        """Set all that the schedule sets after `count` steps from the learning rate `lr`."""
        self.optimizer.lr = self.at(lr, count)

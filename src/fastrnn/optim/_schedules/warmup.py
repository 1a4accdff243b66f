# SPDX-License-Identifier: BSD-3-Clause
"""A learning rate that rises at first."""

from typing import Any

from ...nn._options import Argument, Size
from .plateau import ReduceLROnPlateau
from .schedule import Schedule


class LinearWarmup(Schedule):
    """Raises the learning rate from ``lr / steps`` to lr in equal steps, then follows another schedule.

    Goyal et al., "Accurate, large minibatch SGD", 2017, section 2.2::

        lr (count + 1) / steps                 while count < steps
        after at count - steps                 from then on; lr without `after`

    Raises
    ------
    TypeError, ValueError
        `optimizer` has no `lr`, `after` does not fit, or an option is out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = fr.LinearWarmup(sgd, steps=4, after=fr.StepLR(sgd, step_size=2))
    >>> for epoch in range(8):
    ...     print(round(sgd.lr, 4), end=" ")  # train for an epoch
    ...     schedule.step()
    0.125 0.25 0.375 0.5 0.5 0.5 0.05 0.05
    """

    steps: Size = Size("Number of steps of the rise, at least 1; the last one is lr itself.")
    after: Argument[Schedule | None] = Argument(
        "A schedule of the same optimizer and the same `per` that has not stepped. It begins, with its first value, "
        "after the rise; never call its `step`. It may be a warmup with a schedule after it. `ReduceLROnPlateau` is "
        "not accepted, since it does not follow a count.",
        "Schedule",
        default=None,
    )

    def _setup(self) -> None:
        after = self.after
        if after is not None:
            if not isinstance(after, Schedule) or isinstance(after, ReduceLROnPlateau):
                raise TypeError(f"after: expected a schedule that follows a count, got {type(after).__name__}")
            if after.optimizer is not self.optimizer:
                raise ValueError("after: expected a schedule of the same optimizer, got one of another")
            if after.per != self.per:
                raise ValueError(f"after: expected a schedule per {self.per}, as the warmup, got one per {after.per}")
            if after.count:
                raise ValueError(f"after: expected a schedule that has not stepped, got one at count {after.count}")
            self.optimizer.lr = after.initial_lr
        super()._setup()

    def at(self, lr: float, count: int) -> float:
        if count < self.steps:
            return lr * ((count + 1) / self.steps)
        return lr if self.after is None else self.after.at(lr, count - self.steps)

    def _apply(self, lr: float, count: int) -> None:
        if self.after is None or count < self.steps:
            super()._apply(lr, count)
        else:
            self.after._apply(lr, count - self.steps)

    def _shown(self) -> dict[str, Any]:
        return self.config() | ({} if self.after is None else {"after": self.after})

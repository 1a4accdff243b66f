# SPDX-License-Identifier: BSD-3-Clause
"""A learning rate that rises once and falls once, with a momentum that does the opposite."""

from ..._engine.arguments import POSITIVE, PROBABILITY, UNIT
from ...nn._option import KW_ONLY
from ...nn._options import Choice, Flag, Number, Size
from .cosine import along_cosine
from .schedule import Schedule


class OneCycleLR(Schedule):
    """The one-cycle policy: raises the learning rate to `max_lr`, then lowers it; the momentum does the opposite.

    Smith, Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018, in the
    form of PyTorch. From phase to phase, along half a cosine or a line::

        count         0                         pct_start total_steps - 1    total_steps - 1
        lr            max_lr / div_factor       max_lr                       max_lr / div_factor / final_div_factor
        momentum      max_momentum              base_momentum                max_momentum

    With `three_phase` the fall takes as long as the rise and ends at ``max_lr / div_factor``; in the remaining steps
    the learning rate falls to its last value, at `max_momentum`. The learning rate of the optimizer has no effect,
    except that groups with their own `lr` keep their ratio to it (in PyTorch all groups get the same). After
    `total_steps` the last values are kept (in PyTorch it is an error).

    Raises
    ------
    TypeError, ValueError
        `optimizer` has no `lr`, or with `cycle_momentum` neither `momentum` nor `beta1`; or an option is out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> adam = fr.Adam(fr.Linear(2, 1))
    >>> schedule = fr.OneCycleLR(adam, max_lr=0.1, total_steps=5, pct_start=0.4, div_factor=10)
    >>> for step in range(5):
    ...     print(round(adam.lr, 7), round(adam.beta1, 4))  # and an update
    ...     schedule.step()
    0.01 0.95
    0.1 0.85
    0.0750003 0.875
    0.0250008 0.925
    1e-06 0.95
    """

    max_lr: Number = Number("The largest learning rate, above 0.", POSITIVE)
    total_steps: Size = Size("Number of steps in all, at least 1: epochs times updates in an epoch.")
    _: KW_ONLY
    pct_start: Number = Number("The part of the steps in which the learning rate rises, in [0, 1].", UNIT, default=0.3)
    anneal_strategy: Choice = Choice("A cosine or a line from value to value.", ("cos", "linear"), default="cos")
    cycle_momentum: Flag = Flag(
        "Whether `beta1`, or in an optimizer without it `momentum`, is set too. Groups with one of their own keep it.",
        default=True,
    )
    base_momentum: Number = Number("The momentum at the largest learning rate.", PROBABILITY, default=0.85)
    max_momentum: Number = Number("The momentum at first and at last.", PROBABILITY, default=0.95)
    div_factor: Number = Number("`max_lr` is that many times the first learning rate; above 0.", POSITIVE, default=25.0)
    final_div_factor: Number = Number(
        "The first learning rate is that many times the last one; above 0.", POSITIVE, default=1e4
    )
    three_phase: Flag = Flag("Whether the fall has two phases.", default=False)

    def _setup(self) -> None:
        names = [name for name in ("beta1", "momentum") if hasattr(self.optimizer, name)]
        if self.cycle_momentum and not names:
            kind = type(self.optimizer).__name__
            raise ValueError(f"cycle_momentum: expected an optimizer with momentum or beta1, got {kind}")
        self._momentum = names[0] if self.cycle_momentum else None
        super()._setup()

    def at(self, lr: float, count: int) -> float:
        first = self.max_lr / self.div_factor
        return self._annealed(count, first, self.max_lr, first / self.final_div_factor)

    def _apply(self, lr: float, count: int) -> None:
        super()._apply(lr, count)
        if self._momentum is not None:
            value = self._annealed(count, self.max_momentum, self.base_momentum, self.max_momentum)
            setattr(self.optimizer, self._momentum, value)

    def _annealed(self, count: int, first: float, middle: float, last: float) -> float:
        """The value after `count` steps on the way from `first` to `middle` and then to `last`."""
        rise, end = self.pct_start * self.total_steps - 1, self.total_steps - 1
        count, start, before = min(count, end), 0.0, first
        three = (rise, middle), (2 * rise, first), (end, last)
        for stop, after in three if self.three_phase else (three[0], three[2]):  # where each phase ends, and its value
            if count <= stop:
                fraction = (count - start) / (stop - start) if stop > start else 1.0
                cosine = self.anneal_strategy == "cos"
                return along_cosine(before, after, fraction) if cosine else (1 - fraction) * before + fraction * after
            start, before = stop, after
        return last

# SPDX-License-Identifier: BSD-3-Clause
"""Schedules: they change the learning rate of an optimizer while it trains."""

import math
from numbers import Real

from ._hyperparameters import Count, Hyperparameter, check_names, scalar

__all__ = ["CosineAnnealingLR", "LinearWarmup", "ReduceLROnPlateau", "Schedule", "StepLR"]


class Schedule:
    """What all schedules share: the learning rate is a function of a count.

    So nothing drifts, a resumed schedule gives the same bits, and past its end it stays at its
    last value. A subclass defines ``at(lr, count)``. A schedule sets ``optimizer.lr`` and nothing
    else; groups with an `lr` of their own follow in proportion. One schedule for one optimizer, or
    the last to step decides.

    Parameters
    ----------
    optimizer : object with ``lr``
        Its `lr` is what the schedule starts from; it is set to the schedule's first value at once.

    Attributes
    ----------
    initial_lr : float
        What the schedule started from.
    count : int
        Number of calls of `step`.

    Raises
    ------
    TypeError, ValueError
        If `optimizer` has no `lr`, or a setting is not a number in its range.

    Examples
    --------
    A schedule of one's own.

    >>> import fastrnn as fr
    >>> from fastrnn.optim.schedules import Schedule
    >>> class Harmonic(Schedule):
    ...     def at(self, lr, count):
    ...         return lr / (1 + count)
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = Harmonic(sgd)
    >>> schedule.step()
    >>> sgd.lr
    0.25
    """

    initial_lr = Hyperparameter(0)
    count = Count()
    state_names = ("initial_lr", "count")  # what a state_dict holds

    def __init__(self, optimizer):
        if not hasattr(optimizer, "lr"):
            raise TypeError(f"optimizer: expected an optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        self.initial_lr = optimizer.lr
        self.count = 0
        self._set()

    def at(self, lr, count):
        """The learning rate after `count` steps, if `lr` is where it starts. A subclass defines it."""
        raise NotImplementedError

    def step(self):
        """Go on by one: after each update or each epoch, as the schedule's numbers are meant."""
        self.count += 1
        self._set()

    def state_dict(self):
        """All that a resumed training needs of the schedule.

        Returns
        -------
        state : dict of str to int or float
            What it started from and how far it is. Its settings are not part of it.
        """
        return {name: getattr(self, name) for name in self.state_names}

    def load_state_dict(self, state):
        """Continue from a `state_dict`: sets the optimizer's `lr` too. It is checked before anything is changed.

        Parameters
        ----------
        state : mapping
            As `state_dict` returned it from a schedule of the same kind and settings. Arrays of
            shape () do for numbers, as files give them back.

        Raises
        ------
        TypeError, ValueError
            If an entry is missing, unknown or out of range; it is named.
        """
        check_names(state, self.state_names)
        numbers = {name: getattr(type(self), name).check(scalar(name, state)) for name in self.state_names}
        for name, number in numbers.items():
            setattr(self, name, number)
        self._set()

    def _set(self):
        self.optimizer.lr = self.at(self.initial_lr, self.count)


class StepLR(Schedule):
    """Times `gamma` after every `step_size` steps: ``lr gamma**(count // step_size)``.

    Parameters
    ----------
    optimizer : object with ``lr``
    step_size : int
        Steps at one learning rate, >= 1.
    gamma : float, default 0.1
        In (0, 1].

    Raises
    ------
    TypeError, ValueError
        If `optimizer` has no `lr`, or a setting is not a number in its range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> from fastrnn.optim.schedules import StepLR
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = StepLR(sgd, step_size=2, gamma=0.5)
    >>> for epoch in range(5):
    ...     print(sgd.lr, end=" ")  # train for an epoch
    ...     schedule.step()
    0.5 0.5 0.25 0.25 0.125
    """

    step_size = Count(1)
    gamma = Hyperparameter(0, 1, "(]")

    def __init__(self, optimizer, step_size, gamma=0.1):
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer)

    def at(self, lr, count):
        return lr * self.gamma ** (count // self.step_size)


class CosineAnnealingLR(Schedule):
    """Half a cosine from the learning rate down to `eta_min` in `T_max` steps, where it stays.

    Loshchilov, Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation
    5, without restarts::

        eta_min + (lr - eta_min) (1 + cos(pi count / T_max)) / 2

    (PyTorch's rises again after `T_max` steps.)

    Parameters
    ----------
    optimizer : object with ``lr``
    T_max : int
        Steps until `eta_min` is reached, >= 1.
    eta_min : float, default 0.0
        Last learning rate, >= 0.

    Raises
    ------
    TypeError, ValueError
        If `optimizer` has no `lr`, or a setting is not a number in its range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> from fastrnn.optim.schedules import CosineAnnealingLR
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = CosineAnnealingLR(sgd, T_max=4, eta_min=0.1)
    >>> for epoch in range(6):
    ...     print(round(sgd.lr, 4), end=" ")  # train for an epoch
    ...     schedule.step()
    0.5 0.4414 0.3 0.1586 0.1 0.1
    """

    T_max = Count(1)
    eta_min = Hyperparameter(0)

    def __init__(self, optimizer, T_max, eta_min=0.0):
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer)

    def at(self, lr, count):
        weight = (1 + math.cos(math.pi * min(count, self.T_max) / self.T_max)) / 2
        return weight * lr + (1 - weight) * self.eta_min  # exactly lr at first, exactly eta_min at last


class LinearWarmup(Schedule):
    """From ``lr / steps`` up to lr in equal stairs, then as another schedule says.

    Goyal et al., "Accurate, large minibatch SGD", 2017, section 2.2::

        lr (count + 1) / steps                 while count < steps
        after at count - steps                 from then on; lr if there is none

    Parameters
    ----------
    optimizer : object with ``lr``
    steps : int
        Number of stairs, >= 1; the last one is lr itself.
    after : Schedule, optional
        A schedule of the same optimizer that has not stepped. It begins, at its first value, when
        the stairs are climbed; it is asked, never stepped. `ReduceLROnPlateau` cannot be one, since
        it does not follow a count.

    Raises
    ------
    TypeError, ValueError
        If `optimizer` has no `lr`, `after` is none for it, or a setting is not a number in its
        range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> from fastrnn.optim.schedules import LinearWarmup, StepLR
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = LinearWarmup(sgd, steps=4, after=StepLR(sgd, step_size=2))
    >>> for epoch in range(8):
    ...     print(round(sgd.lr, 4), end=" ")  # train for an epoch
    ...     schedule.step()
    0.125 0.25 0.375 0.5 0.5 0.5 0.05 0.05
    """

    steps = Count(1)

    def __init__(self, optimizer, steps, after=None):
        self.steps = steps
        if after is not None:
            if not isinstance(after, Schedule) or isinstance(after, ReduceLROnPlateau):
                raise TypeError(f"after: expected a schedule that follows a count, got {type(after).__name__}")
            if after.optimizer is not optimizer:
                raise ValueError("after: expected a schedule of the same optimizer, got one of another")
            if after.count:
                raise ValueError(f"after: expected a schedule that has not stepped, got one at count {after.count}")
            optimizer.lr = after.initial_lr
        self.after = after
        super().__init__(optimizer)

    def at(self, lr, count):
        if count < self.steps:
            return lr * ((count + 1) / self.steps)
        return lr if self.after is None else self.after.at(lr, count - self.steps)


class ReduceLROnPlateau(Schedule):
    """Times `factor` whenever a metric has not become better for more than `patience` steps.

    Better than the best value so far means better by more than `threshold` of it. A metric that
    is nan is not. Its `count` is the number of reductions::

        max(lr factor**count, min_lr)

    Parameters
    ----------
    optimizer : object with ``lr``
    factor : float, default 0.1
        In (0, 1).
    patience : int, default 10
        Steps in a row without a better metric that are borne, >= 0; the next one reduces.
    threshold : float, default 1e-4
        In [0, 1). Relative to the magnitude of the best metric (PyTorch's goes the wrong way where
        a metric is negative).
    min_lr : float, default 0.0
        No reduction goes below it, >= 0.
    mode : {"min", "max"}
        Whether a smaller or a larger metric is better.

    Attributes
    ----------
    best : float
        The best metric so far.
    bad : int
        Steps since it, or since the last reduction.

    Raises
    ------
    TypeError, ValueError
        If `optimizer` has no `lr`, or a setting is not a number in its range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> from fastrnn.optim.schedules import ReduceLROnPlateau
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = ReduceLROnPlateau(sgd, factor=0.5, patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0, 2.0]:
    ...     schedule.step(loss)  # after each epoch
    ...     print(sgd.lr, end=" ")
    0.5 0.5 0.5 0.25 0.25
    """

    factor = Hyperparameter(0, 1, "()")
    patience = Count()
    threshold = Hyperparameter(0, 1)
    min_lr = Hyperparameter(0)
    best = Hyperparameter(-math.inf, math.inf, "[]")
    bad = Count()
    state_names = (*Schedule.state_names, "best", "bad")

    def __init__(self, optimizer, factor=0.1, patience=10, threshold=1e-4, min_lr=0.0, mode="min"):
        if mode not in ("min", "max"):
            raise ValueError(f"mode: expected 'min' or 'max', got {mode!r}")
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.min_lr = min_lr
        self.mode = mode
        self.best = math.inf if mode == "min" else -math.inf
        self.bad = 0
        super().__init__(optimizer)

    def at(self, lr, count):
        return max(lr * self.factor**count, min(self.min_lr, lr))

    def step(self, metric):
        """Look at the metric of an epoch, and reduce the learning rate if it is time.

        Parameters
        ----------
        metric : float

        Raises
        ------
        TypeError
            If it is not a number.
        """
        if not isinstance(metric, Real):
            raise TypeError(f"metric: expected a number, got {type(metric).__name__}")
        if self._is_better(metric):
            self.best, self.bad = metric, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.bad = 0
            super().step()

    def _is_better(self, metric):
        outward = (self.best > 0) == (self.mode == "max")  # better is larger in magnitude
        bound = self.best * (1 + (self.threshold if outward else -self.threshold))
        return metric > bound if self.mode == "max" else metric < bound

# SPDX-License-Identifier: BSD-3-Clause
"""Base class of optimizers: groups, weight decay, and state for resuming."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .._engine.arguments import NONNEGATIVE, Array, as_size
from .._engine.passes import exclusive
from ..nn._configurable import Configurable
from ..nn._option import KW_ONLY, Converted
from ..nn._options import Argument, Number
from ..nn._parameters import distinct, first_names
from ._groups import checked_groups, group_values, hyperparameters_of, numbers_of, shown_groups
from ._state import check_names, check_repeats, repeated_entries, scalar
from ._trainable import Models, Trainable, as_model, check_gradients, check_like, check_parameters


class Optimizer(Configurable, ABC):
    """Base class of optimizers, which update the parameters of a model in place from its gradients.

    A subclass defines the update of one parameter. It declares its hyper-parameters as options, which become arguments
    of the constructor. `moments` names the arrays that it keeps for each parameter, and ``update(p, g, **moments)``
    changes `p` and the moments in place, but not `g`. All of them have the same shape and dtype.

    Hyper-parameters may be changed between steps; each change is checked. Groups keep their own values.

    Attributes
    ----------
    steps : int
        Number of updates so far.
    begun : dict or None
        The hyper-parameters at the first update, by name. None before it.
    state : dict
        ``state[parameter][moment]`` is an array of the shape and dtype of the parameter. A shared parameter with
        several names occurs, and is updated, once, under its first name.

    Raises
    ------
    TypeError, ValueError
        The parameters and gradients of `model` are not floats that fit each other, a hyper-parameter is out of range
        or unknown, or a pattern of `groups` is the first match of no parameter.

    Examples
    --------
    A custom optimizer: steps of constant size, against a decaying sum of the gradients.

    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from fastrnn.optim import Interval, Number, Optimizer
    >>> class SignSGD(Optimizer):
    ...     lr: Number = Number("Learning rate.", Interval(0), default=1e-3)
    ...     decay: Number = Number("Decay of the sum.", Interval(0, 1), default=0.9)
    ...     moments = ("total",)
    ...
    ...     def update(self, p, g, total):
    ...         total *= self.decay
    ...         total += g
    ...         p -= self.lr * np.sign(total)
    >>> params = {"weight": np.array([1.0, 2.0]), "bias": np.array([3.0])}
    >>> grads = {"weight": np.array([50.0, -0.1]), "bias": np.array([7.0])}
    >>> model = SimpleNamespace(params=params, grads=grads)  # as in a layer
    >>> optimizer = SignSGD(model, lr=0.5, groups={"b*": {"lr": 2.0}})
    >>> optimizer
    SignSGD(lr=0.5, decay=0.9, weight_decay=0.0, groups={'b*': {'lr': 2.0}})
    >>> optimizer.step()
    >>> params
    {'weight': array([0.5, 2.5]), 'bias': array([1.])}
    """

    model: Converted[Models, Trainable] = Converted(
        "A layer or model, or any object with `params`, `grads` and `zero_grad()`. `params` and `grads` map the same "
        "names to float32 or float64 arrays of the same shapes. The parameters are updated in place. Several models, "
        "in a list or dict, become one: `JoinedModels`.",
        "Trainable, or list or dict of Trainable",
        lambda _, model: as_model(model, "params", "grads"),
        in_config=False,
    )
    lr: Number = Number("Learning rate, of at least 0.", NONNEGATIVE)
    # ClassVar: to a type checker an option that a subclass repeats keeps its place, and this one has another in most.
    weight_decay: ClassVar[Number] = Number(
        "Added to the gradient times the parameter, of at least 0: the gradient of the penalty "
        "``weight_decay / 2 * sum(p**2)``.",
        NONNEGATIVE,
        default=0.0,
        last=True,
    )
    _: KW_ONLY
    groups: Argument[Mapping[str, Mapping[str, Any]] | None] = Argument(
        "Parameter groups with hyper-parameters of their own. Keys are patterns of `fnmatch` for the names of "
        "parameters, values are dicts of any options except `model` and `groups`. The first pattern that matches any "
        "name of a parameter applies; every pattern must apply to some parameter. The `lr` of a group is stored as a "
        "multiple of the optimizer's, so that schedules scale both.",
        "mapping of str to mapping",
        default=None,
        stored=False,
        last=True,
    )
    moments: ClassVar[tuple[str, ...]] = ()

    def _setup(self, groups: Mapping[str, Mapping[str, Any]] | None) -> None:
        check_parameters(self.model)
        self._first = first_names(self.model.params)
        self._exclusive = exclusive("step: expected one call at a time, got another from a second thread")
        self.steps: int = 0
        self.begun: dict[str, Any] | None = None
        self._groups = checked_groups({} if groups is None else groups, type(self))
        for values in self._groups.values():
            if "lr" in values:
                if self.lr == 0:
                    raise ValueError("lr: expected a number above 0, since groups have multiples of it, got 0.0")
                values["lr"] /= self.lr
        self._own = group_values(self._groups, self._first)
        self.state: dict[str, dict[str, Array]] = {
            name: self._rule(name)._initial_state(p) for name, p in distinct(self.model.params).items()
        }

    @abstractmethod
    def update(self, p: Array, g: Array, *moments: Any, **named: Any) -> None:
        """Update the parameter `p` in place from its gradient `g`; the moments are passed by name."""

    def _initial_state(self, p: Array) -> dict[str, Array]:
        """The initial state of the parameter `p`."""
        return {moment: np.zeros(p.shape, p.dtype) for moment in self.moments}

    def decay_weights(self, p: Array, g: Array) -> Array:
        """The gradient for `update`: `g`, or with weight decay a new array, ``g + weight_decay p``."""
        return g if self.weight_decay == 0 else p * self.weight_decay + g

    def step(self) -> None:
        """Update every parameter of the model, in place, from its gradient.

        Raises
        ------
        ValueError, RuntimeError
            A gradient does not fit, a parameter is read-only, or another thread is in `step`. Nothing changes.
        """
        params, grads = distinct(self.model.params), dict(self.model.grads.items())
        check_gradients(params, grads)  # all of them, before a parameter is changed
        with self._exclusive:
            self.begun, self.steps = self.begun if self.steps else numbers_of(self), self.steps + 1
            self._update_all(params, grads)

    def _update_all(self, params: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """`update` of every parameter, by the hyper-parameters that it has."""
        for name, p in params.items():
            rule = self._rule(name)
            rule.update(p, rule.decay_weights(p, grads[name]), **self.state[name])

    def zero_grad(self) -> None:
        """Set the gradients of the model to 0."""
        self.model.zero_grad()

    def hyperparameters(self, parameter: str) -> dict[str, Any]:
        """The current hyper-parameters of a parameter.

        Parameters
        ----------
        parameter : str
            Its name in the model's `params`.

        Returns
        -------
        dict of str to float or bool

        Raises
        ------
        ValueError
            The model has no such parameter.
        """
        if parameter not in self._first:
            raise ValueError(f"parameter: expected one of {', '.join(self._first)}, got {parameter!r}")
        rule = self._rule(self._first[parameter])
        return {name: getattr(rule, name) for name in hyperparameters_of(type(self))}

    def state_dict(self) -> dict[str, Any]:
        """The state for resuming a training bit-identically, besides the parameters.

        Returns
        -------
        dict
            The number of ``steps`` (int), each hyper-parameter by its name (float or bool),
            ``"hyper-parameter.parameter"`` for values from groups (`lr` as a multiple), and ``"moment.parameter"``
            (ndarray, a copy) for each moment of each parameter.
        """
        options, numbers = hyperparameters_of(type(self)), numbers_of(self)
        numbers = {name: value for name, value in numbers.items() if not options[name].omitted(value)}
        arrays = {name: array.copy() for name, array in self._arrays().items()}
        return {"steps": self.steps, **numbers, **self._own_entries(), **arrays}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`. It is checked as a whole before anything is changed.

        Parameters
        ----------
        state : mapping
            As `state_dict` returned it, from an optimizer of the same kind with the same groups on a model of the same
            parameters. A number may be an array of shape (), as files return it.

        Raises
        ------
        TypeError, ValueError
            An entry is missing or unknown, has another shape or dtype, is out of range, or differs from the groups of
            this optimizer. The entry is named.
        """
        arrays, own, hyperparameters = self._arrays(), self._own_entries(), hyperparameters_of(type(self))
        later = {name: option.default for name, option in hyperparameters.items() if option.omit}
        repeats = self._repeats()
        check_names(state, ["steps", *hyperparameters, *own, *arrays, *repeats], optional={**later, **repeats})
        check_repeats(state, repeats)
        state = {**later, **state}
        loaded = {name: np.asarray(state[name]) for name in arrays}
        for name, array in arrays.items():
            check_like(name, loaded[name], array)
        numbers = {name: option.check(name, scalar(name, state)) for name, option in hyperparameters.items()}
        for name, value in own.items():
            if scalar(name, state) != value:
                raise ValueError(f"{name}: expected {value}, as in groups, got {scalar(name, state)}")
        steps = as_size("steps", scalar("steps", state), 0)
        for name, number in {**numbers, "steps": steps}.items():
            setattr(self, name, number)
        for name, array in arrays.items():
            np.copyto(array, loaded[name])

    def _rule(self, name: str) -> "Optimizer":
        """The optimizer for one parameter: itself, or a copy with the values of the parameter's group."""
        own = self._own[name]
        if not own:
            return self
        rule = object.__new__(type(self))  # not copy.copy: importing fastrnn does not load that module
        vars(rule).update(vars(self) | own, lr=self.lr * own.get("lr", 1.0))
        return rule

    def _shown(self) -> dict[str, Any]:
        """The options, and the groups if there are any, with their `lr` of now."""
        return self.config() | ({"groups": shown_groups(self._groups, self.lr)} if self._groups else {})

    def _own_entries(self) -> dict[str, Any]:
        """The values of each parameter's group, by their names in a state_dict."""
        return {f"{name}.{parameter}": value for parameter, own in self._own.items() for name, value in own.items()}

    def _repeats(self) -> dict[str, str]:
        """The entries that earlier versions wrote for further names of a parameter, each with that of the first."""
        return repeated_entries(self._first, {name: [*self.state[name], *own] for name, own in self._own.items()})

    def _arrays(self) -> dict[str, Array]:
        """Each moment of each parameter, the array itself, by its name in a state_dict."""
        return {f"{moment}.{name}": array for name, moments in self.state.items() for moment, array in moments.items()}

# SPDX-License-Identifier: BSD-3-Clause
"""What optimizers share, and SGD: they turn the gradients of a model into updates of its parameters, in place."""

import numpy as np

from .._engine.arguments import FLOATS
from ._hyperparameters import Count, Hyperparameter, check_names, declared, own_values, scalar

__all__ = ["Optimizer"]


class Optimizer:
    """What all optimizers share: the walk over the parameters, their groups, weight decay, and their state.

    A subclass is a rule for one parameter: it lists its hyper-parameters, names in `moments` the
    arrays that it keeps for each parameter, and defines
    ``update(p, g, **moments)``, which writes to `p` and the moments in place and leaves `g` alone (all
    have the same shape and dtype).

    Parameters
    ----------
    model : object with ``params``, ``grads`` and ``zero_grad()``
        A layer or model. `params` and `grads` map the same names to float32 or float64 arrays of
        the same shapes.
    lr : float
        Learning rate, >= 0.
    weight_decay : float, default 0.0
        Added to the gradient times the parameter, >= 0: the gradient of the penalty
        ``weight_decay / 2 * sum(p**2)``.
    groups : mapping of str to mapping, optional
        Parameters with hyper-parameters of their own: for each pattern of `fnmatch` over the names
        of the parameters, values by the name of the hyper-parameter. The first pattern that
        matches a parameter counts; every pattern must be the first for some parameter. The `lr` of
        a group is kept as a multiple of the optimizer's, so what changes that one, a schedule
        say, scales it too.

    Attributes
    ----------
    lr, weight_decay : float
        May be changed between steps, like every hyper-parameter; each change is checked. Groups
        keep the values of their own.
    steps : int
        Number of steps done.
    state : dict
        ``state[parameter][moment]`` is an array of the shape and dtype of the parameter.

    Raises
    ------
    TypeError, ValueError
        If `model` has no parameters and gradients of floats that fit each other, a hyper-parameter is not a
        number in its range or unknown, or a pattern is the first for no parameter.

    Examples
    --------
    A rule of one's own: steps of one size against a decaying sum of the gradients.

    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from fastrnn.optim import Hyperparameter, Optimizer
    >>> class SignSGD(Optimizer):
    ...     decay = Hyperparameter(0, 1)
    ...     moments = ("total",)
    ...
    ...     def __init__(self, model, lr=1e-3, decay=0.9, *, groups=None):
    ...         super().__init__(model, lr, groups=groups)
    ...         self.decay = decay
    ...
    ...     def update(self, p, g, total):
    ...         total *= self.decay
    ...         total += g
    ...         p -= self.lr * np.sign(total)
    >>> params = {"weight": np.array([1.0, 2.0]), "bias": np.array([3.0])}
    >>> grads = {"weight": np.array([50.0, -0.1]), "bias": np.array([7.0])}
    >>> model = SimpleNamespace(params=params, grads=grads)  # as a layer has them
    >>> SignSGD(model, lr=0.5, groups={"b*": {"lr": 2.0}}).step()
    >>> params
    {'weight': array([0.5, 2.5]), 'bias': array([1.])}
    """

    lr = Hyperparameter(0)
    weight_decay = Hyperparameter(0)
    moments = ()

    def __init__(self, model, lr, weight_decay=0.0, *, groups=None):
        if not (hasattr(model, "params") and hasattr(model, "grads")):
            kind = type(model).__name__
            raise TypeError(f"model: expected an object with params and grads, got {kind}")
        if model.params.keys() != model.grads.keys():
            odd = sorted(model.params.keys() ^ model.grads.keys())
            raise ValueError(f"model: expected params and grads of the same names, got odd {odd}")
        for name, p in model.params.items():
            if p.dtype not in FLOATS:
                raise TypeError(f"params[{name!r}]: expected float32 or float64, got {p.dtype}")
            _check_like(f"grads[{name!r}]", model.grads[name], p)
        self.model = model
        self.lr = lr
        self.weight_decay = weight_decay
        self.steps = 0
        self.state = {
            name: {moment: np.zeros(p.shape, p.dtype) for moment in self.moments} for name, p in model.params.items()
        }
        self._own = own_values({} if groups is None else groups, type(self), list(model.params))
        for values in self._own.values():
            if "lr" in values:
                if self.lr == 0:
                    raise ValueError("lr: expected a number > 0, of which the lr in groups are multiples, got 0.0")
                values["lr"] /= self.lr

    def update(self, p, g):
        """Update the parameter `p` in place from its gradient `g`. A subclass defines it."""
        raise NotImplementedError

    def decay_weights(self, p, g):
        """The gradient for `update`: `g`, or with weight decay a new array, ``g + weight_decay p``."""
        if self.weight_decay == 0:
            return g
        decayed = p * self.weight_decay
        decayed += g
        return decayed

    def step(self):
        """Update every parameter of the model, in place, from its gradient."""
        params, grads = dict(self.model.params.items()), dict(self.model.grads.items())
        for name, p in params.items():  # all of them, before one is changed
            _check_like(f"grads[{name!r}]", grads[name], p)
        self.steps += 1
        for name, p in params.items():
            rule = self._rule(name)
            g = rule.decay_weights(p, grads[name])
            rule.update(p, g, **self.state[name])

    def zero_grad(self):
        """Set the gradients of the model to 0."""
        self.model.zero_grad()

    def hyperparameters(self, parameter):
        """The hyper-parameters with which a parameter is updated now.

        Parameters
        ----------
        parameter : str
            Its name in the model's `params`.

        Returns
        -------
        values : dict of str to float or bool

        Raises
        ------
        ValueError
            If the model has no such parameter.
        """
        if parameter not in self._own:
            raise ValueError(f"parameter: expected one of {', '.join(self._own)}, got {parameter!r}")
        rule = self._rule(parameter)
        return {name: getattr(rule, name) for name in declared(type(self))}

    def state_dict(self):
        """All that a resumed training needs, beside the parameters, to get the same bits.

        Returns
        -------
        state : dict
            The number of ``steps`` (int), each hyper-parameter by its name (float or bool),
            ``"hyper-parameter.parameter"`` where a parameter has its own from its group (of `lr`:
            as a multiple), and ``"moment.parameter"`` (ndarray, a copy) for each moment of each
            parameter.
        """
        numbers = {name: getattr(self, name) for name in declared(type(self))}
        arrays = {name: array.copy() for name, array in self._arrays().items()}
        return {"steps": self.steps, **numbers, **self._own_entries(), **arrays}

    def load_state_dict(self, state):
        """Continue from a `state_dict`. It is checked as a whole before anything is changed.

        Parameters
        ----------
        state : mapping
            As `state_dict` returned it from an optimizer of the same kind and with the same groups
            on a model of the same parameters. Arrays of shape () do for numbers, as files give
            them back.

        Raises
        ------
        TypeError, ValueError
            If an entry is missing, unknown, or has another shape, dtype or range, or a value that
            the groups of this optimizer do not have; it is named.
        """
        arrays, own, hyperparameters = self._arrays(), self._own_entries(), declared(type(self))
        check_names(state, ["steps", *hyperparameters, *own, *arrays])
        loaded = {name: np.asarray(state[name]) for name in arrays}
        for name, array in arrays.items():
            _check_like(name, loaded[name], array)
        numbers = {name: h.check(scalar(name, state)) for name, h in hyperparameters.items()}
        for name, value in own.items():
            if scalar(name, state) != value:
                raise ValueError(f"{name}: expected {value}, as in groups, got {scalar(name, state)}")
        self.steps = Count().check(scalar("steps", state), "steps")
        for name, number in numbers.items():
            setattr(self, name, number)
        for name, array in arrays.items():
            np.copyto(array, loaded[name])

    def _rule(self, name):
        """The optimizer as it is for one parameter: itself, or a copy with the values of the parameter's group."""
        own = self._own[name]
        if not own:
            return self
        rule = object.__new__(type(self))  # as copy.copy would, which `import fastrnn` does not need to load
        vars(rule).update(vars(self) | own, lr=self.lr * own.get("lr", 1.0))
        return rule

    def _own_entries(self):
        """What each parameter has from its group, by the name it has in a state_dict."""
        return {f"{name}.{parameter}": value for parameter, own in self._own.items() for name, value in own.items()}

    def _arrays(self):
        """Each moment of each parameter, the array itself, by the name it has in a state_dict."""
        return {f"{moment}.{name}": array for name, moments in self.state.items() for moment, array in moments.items()}


def _check_like(name, array, like):
    if array.shape != like.shape or array.dtype != like.dtype:
        expected, got = f"{like.dtype} {like.shape}", f"{array.dtype} {array.shape}"
        raise ValueError(f"{name}: expected {expected}, got {got}")

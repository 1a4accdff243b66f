# SPDX-License-Identifier: BSD-3-Clause
"""Optimizers: they turn the gradients of a model into updates of its parameters, in place."""

import math
from numbers import Real

import numpy as np

__all__ = ["SGD", "Adam", "Optimizer"]


class Hyperparameter:
    """A float attribute of an optimizer in [low, high), checked whenever it is set.

    Parameters
    ----------
    low, high : float
        ``low <= value < high``, so inf and nan never pass.
    closed : bool
        If False, ``low < value < high``.
    """

    def __init__(self, low, high=math.inf, *, closed=True):
        self.low, self.high, self.closed = low, high, closed

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, optimizer, owner=None):
        return self if optimizer is None else optimizer.__dict__[self.name]

    def __set__(self, optimizer, value):
        optimizer.__dict__[self.name] = self.check(value)

    def check(self, value):
        """`value` as a float; TypeError or ValueError naming the hyper-parameter if it is none."""
        if not isinstance(value, Real):
            raise TypeError(f"{self.name}: expected a number, got {type(value).__name__}")
        if not self.low <= value < self.high or (value == self.low and not self.closed):
            interval = f"{'[' if self.closed else '('}{self.low}, {self.high})"
            raise ValueError(f"{self.name}: expected a number in {interval}, got {value}")
        return float(value)


class Optimizer:
    """What all optimizers share: the walk over the parameters, and their state.

    A subclass is a rule for one parameter: it lists its hyper-parameters, names in `moments` the
    arrays that it keeps for each parameter, and defines
    ``update(p, g, scratch, **moments)``, which writes to `p` and the moments in place and may use
    `scratch` freely (all have the same shape and dtype) but leaves `g` alone.

    Parameters
    ----------
    model : object with ``params``, ``grads`` and ``zero_grad()``
        A layer or model. `params` and `grads` map the same names to float32 or float64 arrays of
        the same shapes.
    lr : float
        Learning rate, >= 0.

    Attributes
    ----------
    lr : float
        May be changed between steps, like every hyper-parameter; each change is checked.
    steps : int
        Number of steps done.
    state : dict
        ``state[parameter][moment]`` is an array of the shape and dtype of the parameter.

    Raises
    ------
    TypeError, ValueError
        If `model` has no parameters and gradients that fit each other, or a hyper-parameter is
        not a number in its range.

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
    ...     def __init__(self, model, lr=1e-3, decay=0.9):
    ...         super().__init__(model, lr)
    ...         self.decay = decay
    ...
    ...     def update(self, p, g, scratch, total):
    ...         total *= self.decay
    ...         total += g
    ...         np.sign(total, out=scratch)
    ...         scratch *= self.lr
    ...         p -= scratch
    >>> p, g = np.array([1.0, 2.0]), np.array([50.0, -0.1])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as a layer has them
    >>> SignSGD(model, lr=0.5).step()
    >>> p
    array([0.5, 2.5])
    """

    lr = Hyperparameter(0)
    moments = ()

    def __init__(self, model, lr):
        if not (hasattr(model, "params") and hasattr(model, "grads")):
            kind = type(model).__name__
            raise TypeError(f"model: expected an object with params and grads, got {kind}")
        if model.params.keys() != model.grads.keys():
            odd = sorted(model.params.keys() ^ model.grads.keys())
            raise ValueError(f"model: expected params and grads of the same names, got odd {odd}")
        for name, p in model.params.items():
            _check_like(f"grads[{name!r}]", model.grads[name], p)
        self.model = model
        self.lr = lr
        self.steps = 0
        self.state = {
            name: {moment: np.zeros(p.shape, p.dtype) for moment in self.moments} for name, p in model.params.items()
        }
        largest = max((p.nbytes for p in model.params.values()), default=0)
        self._scratch = np.empty(largest, np.uint8)  # one for all parameters, whatever their dtype

    def update(self, p, g, scratch):
        """Update the parameter `p` in place from its gradient `g`. A subclass defines it."""
        raise NotImplementedError

    def step(self):
        """Update every parameter of the model, in place, from its gradient."""
        # Whole arrays: blocks that fit the cache are no faster, since NumPy's cost per call eats
        # the gain (Adam, 4096 x 1024 float32: 8.4 ms whole, 9.3 to 7.4 ms in 16 k to 128 k blocks).
        self.steps += 1
        grads = self.model.grads
        for name, p in self.model.params.items():
            scratch = self._scratch[: p.nbytes].view(p.dtype).reshape(p.shape)
            self.update(p, grads[name], scratch, **self.state[name])

    def zero_grad(self):
        """Set the gradients of the model to 0."""
        self.model.zero_grad()

    def state_dict(self):
        """All that a resumed training needs, beside the parameters, to get the same bits.

        Returns
        -------
        state : dict
            The number of ``steps`` (int), each hyper-parameter by its name (float), and
            ``"moment.parameter"`` (ndarray, a copy) for each moment of each parameter.
        """
        numbers = {name: getattr(self, name) for name in self._hyperparameters()}
        arrays = {name: array.copy() for name, array in self._arrays().items()}
        return {"steps": self.steps, **numbers, **arrays}

    def load_state_dict(self, state):
        """Continue from a `state_dict`. It is checked as a whole before anything is changed.

        Parameters
        ----------
        state : mapping
            As `state_dict` returned it from an optimizer of the same kind on a model of the same
            parameters. Arrays of shape () do for numbers, as files give them back.

        Raises
        ------
        TypeError, ValueError
            If an entry is missing, unknown, or has another shape, dtype or range; it is named.
        """
        arrays, hyperparameters = self._arrays(), self._hyperparameters()
        expected = ["steps", *hyperparameters, *arrays]
        for name in expected:
            if name not in state:
                raise ValueError(f"{name}: expected an entry of this name, got none")
        for name in state:
            if name not in expected:
                raise ValueError(f"{name}: expected no entry of this name, got one")

        loaded = {name: np.asarray(state[name]) for name in arrays}
        for name, array in arrays.items():
            _check_like(name, loaded[name], array)
        numbers = {name: h.check(_scalar(name, state)) for name, h in hyperparameters.items()}
        steps = _scalar("steps", state)
        if not isinstance(steps, int) or steps < 0:
            raise ValueError(f"steps: expected an integer >= 0, got {steps!r}")

        self.steps = steps
        for name, number in numbers.items():
            setattr(self, name, number)
        for name, array in arrays.items():
            np.copyto(array, loaded[name])

    def _hyperparameters(self):
        """Each hyper-parameter by its name, those of the base class too."""
        found = {name: getattr(type(self), name) for name in dir(type(self))}
        return {name: h for name, h in found.items() if isinstance(h, Hyperparameter)}

    def _arrays(self):
        """Each moment of each parameter, the array itself, by the name it has in a state_dict."""
        return {f"{moment}.{name}": array for name, moments in self.state.items() for moment, array in moments.items()}


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if `momentum` > 0.

    In the convention of PyTorch (Sutskever, Martens, Dahl, Hinton, "On the importance of
    initialization and momentum in deep learning", ICML 2013, equations 1 and 2, with the learning
    rate taken out of the velocity)::

        v  = momentum v + g
        p -= lr v

    Parameters
    ----------
    model : object with ``params``, ``grads`` and ``zero_grad()``
        The parameters are updated in place.
    lr : float, default 1e-3
        Learning rate, >= 0.
    momentum : float, default 0.0
        In [0, 1).

    Raises
    ------
    TypeError, ValueError
        If a hyper-parameter is not a number in its range, or `model` does not fit.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> p, g = np.array([1.0, 2.0]), np.array([5.0, -5.0])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as a layer has them
    >>> fr.SGD(model, lr=0.1).step()
    >>> p
    array([0.5, 2.5])
    """

    momentum = Hyperparameter(0, 1)
    moments = ("velocity",)

    def __init__(self, model, lr=1e-3, momentum=0.0):
        super().__init__(model, lr)
        self.momentum = momentum

    def update(self, p, g, scratch, velocity):
        if self.momentum:
            velocity *= self.momentum
            velocity += g
            g = velocity
        np.multiply(g, self.lr, out=scratch)
        p -= scratch


class Adam(Optimizer):
    """Adam, with bias correction.

    Kingma, Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1, at step t
    (1 at first)::

        m  = beta1 m + (1 - beta1) g
        v  = beta2 v + (1 - beta2) g**2
        p -= lr m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps)

    Parameters
    ----------
    model : object with ``params``, ``grads`` and ``zero_grad()``
        The parameters are updated in place.
    lr : float, default 1e-3
        Learning rate, >= 0.
    betas : (float, float), default (0.9, 0.999)
        Decay of the two moments, each in [0, 1); the attributes `beta1` and `beta2`.
    eps : float, default 1e-8
        Added to the root of the second moment, after its bias correction; > 0.

    Raises
    ------
    TypeError, ValueError
        If a hyper-parameter is not a number in its range, or `model` does not fit.

    Examples
    --------
    The first step has the size of the learning rate, whatever that of the gradient.

    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> p, g = np.array([1.0, 2.0]), np.array([50.0, -0.1])
    >>> model = SimpleNamespace(params={"w": p}, grads={"w": g})  # as a layer has them
    >>> fr.Adam(model, lr=0.1).step()
    >>> p.round(4)
    array([0.9, 2.1])
    """

    beta1 = Hyperparameter(0, 1)
    beta2 = Hyperparameter(0, 1)
    eps = Hyperparameter(0, closed=False)
    moments = ("m", "v")

    def __init__(self, model, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(model, lr)
        if np.shape(betas) != (2,):
            raise ValueError(f"betas: expected two numbers in [0, 1), got {betas}")
        self.beta1, self.beta2 = betas
        self.eps = eps

    def update(self, p, g, scratch, m, v):
        m *= self.beta1
        np.multiply(g, 1 - self.beta1, out=scratch)
        m += scratch

        v *= self.beta2
        np.multiply(g, g, out=scratch)
        scratch *= 1 - self.beta2
        v += scratch

        np.sqrt(v, out=scratch)
        scratch /= math.sqrt(1 - self.beta2**self.steps)
        scratch += self.eps
        np.divide(m, scratch, out=scratch)
        scratch *= self.lr / (1 - self.beta1**self.steps)
        p -= scratch


def _check_like(name, array, like):
    if array.shape != like.shape or array.dtype != like.dtype:
        expected, got = f"{like.dtype} {like.shape}", f"{array.dtype} {array.shape}"
        raise ValueError(f"{name}: expected {expected}, got {got}")


def _scalar(name, state):
    value = np.asarray(state[name])
    if value.shape != ():
        raise ValueError(f"{name}: expected a number, got shape {value.shape}")
    return value.item()

# SPDX-License-Identifier: BSD-3-Clause
"""The one contract that every layer keeps: params, grads, call, forward -> tape, backward."""

import warnings
from collections.abc import Mapping

import numpy as np

from ._parameters import Parameters, Prefixed, checked

__all__ = ["Layer", "results"]


class Layer:
    """Base of every layer.

    A layer has ``params`` and ``grads`` (the same names and shapes), ``layer(x)`` for inference,
    ``y, tape = layer.forward(x)`` for training and ``dx = layer.backward(tape, dy)``, which adds into ``grads``. Layers
    with a state (`stateful`) also take and return it: ``y, state = layer(x, state, lengths)``,
    ``y, state, tape = layer.forward(x, state, lengths)`` and ``dx, dstate = layer.backward(tape, dy, dstate)``.
    Without a state, those that read lengths (`takes_lengths`) have them as second argument: ``y = layer(x, lengths)``,
    ``y, tape = layer.forward(x, lengths)``. How many features one reads and gives it may say in `features_in` and
    `features_after`: then `Sequential` checks it.
    """

    stateful = False
    takes_lengths = False

    @property
    def features_in(self):
        """How many features the layer reads; None if any, or if it does not say."""
        return None

    def features_after(self, features):
        """How many features y has, given those of x; either is None if it is not known."""
        return None

    def __setattr__(self, name, value):
        if not name.startswith("_") and hasattr(self, name):
            raise AttributeError(f"{name}: what makes a layer cannot be exchanged; make another layer")
        super().__setattr__(name, value)

    def check_grads(self):
        """Raise ValueError unless every gradient can be added to."""
        for name in self.grads:
            if not self.grads.peek(name).flags.writeable:
                raise ValueError(f"grads[{name!r}]: expected an array that can be written, got a read-only one")

    def parts(self):
        """The layers inside, by the prefix of their parameters' names; empty for a layer that holds none."""
        return {}

    def lengths_after(self, lengths):
        """The lengths of the rows of y, given those of x; None if the rows of y are full, or have no time."""
        return lengths

    def inside(self, tape):
        """(name, layer, tape) of each layer in this one that left its own tape in `tape`, named as in `params`.

        A layer that is called step by step has as many entries, in the order of the steps.
        """
        return []

    def _given(self, x, state, lengths):
        """Those of the arguments that the layer takes."""
        if self.stateful:
            return x, state, lengths
        return (x, lengths) if self.takes_lengths else (x,)

    @staticmethod
    def _shapes(**config):
        """(name, shape) of each array in the `state_dict` of a layer with this `config`; allocates nothing."""
        return ()

    def _own(self, arrays):
        """Take ownership of the parameter arrays, with gradients of zero."""
        self.params = Parameters(arrays)
        self.grads = Parameters({name: np.zeros_like(array) for name, array in arrays.items()})

    def config(self):
        """The arguments that make a layer like this one, as plain values that JSON can hold.

        Returns
        -------
        dict
        """
        raise NotImplementedError

    def zero_grad(self):
        """Set every gradient to 0."""
        for name in self.grads:
            self.grads[name].fill(0)

    @property
    def _stored(self):
        """What `state_dict` has: the parameters, and what is random in the layer and does not learn."""
        parts = self.parts()
        return Prefixed({name: part._stored for name, part in parts.items()}) if parts else self.params

    def state_dict(self):
        """A copy of the parameters, and of weights that do not learn.

        Returns
        -------
        dict of str to ndarray
            In PyTorch's names, shapes and gate order.
        """
        stored = self._stored
        return {name: stored.peek(name).copy() for name in stored}

    def _peek(self, name):
        return self.params.peek(name)

    def load_state_dict(self, state_dict):
        """Write the parameters.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            Exactly the names of `state_dict`, with their shapes; float32 or float64, converted to the layer's dtype. A
            PyTorch state_dict turned into NumPy arrays is one.

        Raises
        ------
        ValueError
            A name is missing or unknown, or a shape differs. Nothing is written then.
        TypeError
            An entry is not an array of floats. Nothing is written then.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict: expected a mapping of names to arrays, got {type(state_dict).__name__}")
        stored = self._stored
        missing = [name for name in stored if name not in state_dict]
        unknown = [name for name in state_dict if name not in stored]
        if missing or unknown:
            found = [
                f"{word} {', '.join(map(str, names))}"
                for word, names in (("missing", missing), ("unknown", unknown))
                if names
            ]
            raise ValueError(
                f"state_dict: expected the names of {type(self).__name__}.state_dict(), got {'; '.join(found)}"
            )
        values = {name: checked(name, state_dict[name], stored.peek(name)) for name in stored}
        for name, value in values.items():
            stored[name] = value

    def still(self):
        """A copy whose `forward` computes what a call of this layer does: nothing is random. It keeps all gates.

        Returns
        -------
        Layer
            With the same parameters, gradients of 0, and nothing in common.
        """
        make, arguments = self.__reduce__()
        return make(*arguments)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.config().items())})"

    def __reduce__(self):
        """Copies and pickles: the same layer with the same parameters; gradients of 0."""
        return _rebuild, (type(self), self.config(), self.state_dict(), self._random_state())

    def _random_state(self):
        return None

    def _set_random_state(self, state):
        pass


def results(returned):
    """What a method returned, as a tuple."""
    return returned if isinstance(returned, tuple) else (returned,)


def _rebuild(kind, config, state_dict, random_state):
    with warnings.catch_warnings():  # whoever made the original has been warned
        warnings.simplefilter("ignore")
        layer = kind(**config)
    layer.load_state_dict(state_dict)
    if random_state is not None:
        layer._set_random_state(random_state)
    return layer

# SPDX-License-Identifier: BSD-3-Clause
"""The one contract that every layer keeps: params, grads, call, forward -> tape, backward."""

import warnings
from collections.abc import ItemsView, Mapping, MutableMapping

import numpy as np

from .arguments import FLOATS, as_array
from .tape import Tape, omega_of

__all__ = ["Layer", "NamedArrays", "Parameters", "Prefixed", "Tape", "checked", "omega_of", "results"]


class NamedArrays(MutableMapping):
    """Named arrays, fixed in number, shape and dtype.

    Reading gives the array itself, which may be written in place. Assigning writes into the array, so that an array
    that somebody holds stays the layer's own.
    """

    def __setitem__(self, name, value):
        target = self[name]
        target[...] = checked(name, value, target)

    def __delitem__(self, name):
        raise TypeError(f"{name}: a parameter cannot be deleted")

    def items(self):
        """Their names with them."""
        return _Items(self)

    def _pairs(self):
        return ((name, self[name]) for name in self)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{name}: {shape}' for name, shape in self.shapes().items())})"

    def unknown(self, name):
        """The error for a name that there is not."""
        return KeyError(f"no parameter {name!r}; there are {', '.join(self)}")


class _Items(ItemsView):
    """Each found on the way, not looked up by its name: a training step goes over all of them five times."""

    def __iter__(self):
        return self._mapping._pairs()


class Parameters(NamedArrays):
    """The parameters or gradients of one layer.

    Parameters
    ----------
    arrays : dict of str to ndarray

    Attributes
    ----------
    count : int
        Grows whenever an array is given out: packed copies of the arrays are checked after that.
    """

    def __init__(self, arrays):
        self._arrays = dict(arrays)
        self.count = 0

    def __getitem__(self, name):
        self.count += 1
        if name not in self._arrays:
            raise self.unknown(name)
        return self._arrays[name]

    def __iter__(self):
        return iter(self._arrays)

    def _pairs(self):
        for pair in self._arrays.items():
            self.count += 1
            yield pair

    def __len__(self):
        return len(self._arrays)

    def __contains__(self, name):
        return name in self._arrays

    def shapes(self):
        """The shape of each, by name."""
        return {name: array.shape for name, array in self._arrays.items()}

    def own(self):
        """The dict itself, for the layer that owns the arrays: does not count as giving them out."""
        return self._arrays

    def peek(self, name):
        """One of them, for the layer that owns it."""
        return self._arrays[name]


class Prefixed(NamedArrays):
    """Those of several layers as one: ``"encoder.weight"`` is ``"weight"`` of the part ``"encoder"``.

    Parameters
    ----------
    parts : dict of str to NamedArrays
    """

    def __init__(self, parts):
        self._parts = dict(parts)

    def _find(self, name):
        """The part that has a name, and the name there."""
        prefix, _, rest = str(name).partition(".")
        if prefix not in self._parts or rest not in self._parts[prefix]:
            raise self.unknown(name)
        return self._parts[prefix], rest

    def __getitem__(self, name):
        part, rest = self._find(name)
        return part[rest]

    def peek(self, name):
        """One of them, for the layer that owns it."""
        part, rest = self._find(name)
        return part.peek(rest)

    def shapes(self):
        """The shape of each, by name."""
        return {
            f"{prefix}.{name}": shape for prefix, part in self._parts.items() for name, shape in part.shapes().items()
        }

    def __iter__(self):
        return (f"{prefix}.{name}" for prefix, part in self._parts.items() for name in part)

    def _pairs(self):
        return ((f"{prefix}.{name}", array) for prefix, part in self._parts.items() for name, array in part.items())

    def __len__(self):
        return sum(map(len, self._parts.values()))


def checked(name, value, target):
    """`value` as an array that can be written into `target` without changing its meaning."""
    value = as_array(name, value, "float32 or float64")
    if value.dtype not in FLOATS:
        raise TypeError(f"{name}: expected float32 or float64, got {value.dtype}")
    if value.shape != target.shape:
        raise ValueError(f"{name}: expected shape {target.shape}, got {value.shape}")
    if not target.flags.writeable:
        raise ValueError(f"{name}: expected an array that can be written, got one that was made read-only")
    return value


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

# SPDX-License-Identifier: BSD-3-Clause
"""What layers share that are made of other layers, each with a name."""

import contextlib

from ._layer import Layer
from ._parameters import Prefixed


class Composite(Layer):
    """A layer whose constructor takes layers under the names in `_names`; some may be None.

    Its parameters are theirs: ``"encoder.weight"`` is ``"weight"`` of the layer ``encoder``. What else the constructor
    takes, and JSON can hold, `_options` returns.
    """

    _names = ()

    def _hold(self, **layers):
        """Take the layers as attributes, and their parameters and gradients as one's own."""
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.params = Prefixed({name: part.params for name, part in self.parts().items()})
        self.grads = Prefixed({name: part.grads for name, part in self.parts().items()})

    def _options(self):
        return {}

    def _arguments(self):
        """What the constructor takes, by name."""
        return {name: getattr(self, name) for name in self._names} | self._options()

    def parts(self):
        return {name: layer for name in self._names if (layer := getattr(self, name)) is not None}

    def config(self):
        parts = self.parts()
        return {name: described(parts[name]) if name in parts else None for name in self._names} | self._options()

    @contextlib.contextmanager
    def _noted(self, name):
        """Errors inside say which layer they come from."""
        try:
            yield
        except (TypeError, ValueError) as error:
            error.add_note(f"in {name} of {type(self).__name__}: {getattr(self, name)!r}")
            raise

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self._arguments().items())})"

    def still(self):
        return type(self)(**self._arguments() | {name: part.still() for name, part in self.parts().items()})

    def __reduce__(self):
        return _compose, (type(self), self._arguments(), self._random_state())


def _compose(kind, arguments, random_state):
    layer = kind(**arguments)
    layer._set_random_state(random_state)
    return layer


def described(layer):
    """A layer as the `config` of the one that holds it has it."""
    return {"type": type(layer).__name__, **layer.config()}


def typed(name, layer, *kinds):
    """`layer`, which is of one of these kinds."""
    if not isinstance(layer, kinds):
        raise TypeError(f"{name}: expected {' or '.join(kind.__name__ for kind in kinds)}, got {type(layer).__name__}")
    return layer


def agree(layers, *options):
    """Raise ValueError unless all `layers`, by name, that have one of the options have the same."""
    (first, expected), *others = layers.items()
    for option in options:
        wanted = getattr(expected, option)
        for name, layer in others:
            if (got := getattr(layer, option, wanted)) != wanted:
                raise ValueError(f"{name}: expected {option}={wanted}, as {first} has, got {got}")

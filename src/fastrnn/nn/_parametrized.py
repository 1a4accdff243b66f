# SPDX-License-Identifier: BSD-3-Clause
"""Objects with options and parameters."""

import inspect
import math
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .._engine import passes
from .._engine.arguments import Array, as_array
from .._engine.passes import Arrays
from .._engine.recycled import check_memory
from ._configurable import Configurable
from ._parameters import NamedArrays, Parameters

_IN_BACKWARD = (
    "backward: expected one call at a time, since it adds into grads, got another from a second thread; "
    "make a copy of the layer for each thread"
)


def initial_shapes(layer: Any, *sizes: str) -> list[tuple[str, tuple[int, ...]]]:
    """`parameter_shapes` of a layer; MemoryError if there is no memory for arrays of these `sizes`, options of it."""
    shapes = list(layer.parameter_shapes(**layer.config()))
    check_memory(sum(math.prod(shape) for _, shape in shapes) * layer.dtype.itemsize, ", ".join(sizes))
    return shapes


class Parametrized(Configurable):
    """An object with options, parameters and their gradients.

    A class that declares options needs no constructor. One that has its own keeps each argument as an attribute of
    the same name, from which `config` is made, apart from `seed`; `config` may be defined instead.
    """

    def __new__(cls, *arguments: Any, **named: Any) -> Self:
        self = super().__new__(cls)
        self._begin()
        return self

    def _begin(self) -> None:
        """Have no parameters: before the constructor, which may be one that forgets its base."""
        self._arrays: Arrays = Arrays()
        self._grad_arrays: Arrays = Arrays()
        self._params: NamedArrays = Parameters(self._arrays)
        self._grads: NamedArrays = Parameters(self._grad_arrays)
        self._in_backward = passes.exclusive(_IN_BACKWARD)

    def add_parameters(self, **arrays: ArrayLike) -> None:
        """Create parameters from copies of arrays, in the layer's dtype, with gradients of 0.

        Call it in `_setup` of a custom layer. The parameters are then in ``params``, and their gradients, to which
        `_backward` adds, in ``grads``.

        Parameters
        ----------
        **arrays : array_like of numbers
            The initial values, by name.

        Raises
        ------
        TypeError, ValueError
            A value is not an array of numbers, or the name is taken.
        """
        own = {}
        for name, value in arrays.items():
            array = as_array(name, value, "an array of numbers")
            if array.dtype.kind not in "fiu":
                raise TypeError(f"{name}: expected an array of numbers, got {array.dtype}")
            if name in self._arrays:
                raise ValueError(f"{name}: expected a new name for a parameter, got one that is taken")
            own[name] = np.array(array, self.dtype, order="C")  # type: ignore[attr-defined]
        self._own(own)

    def _own(self, arrays: dict[str, Array]) -> None:
        """Take ownership of parameter arrays, without a copy, with gradients of zero."""
        for name, array in arrays.items():
            self._arrays.add(name, array)
            self._grad_arrays.add(name, np.zeros_like(array))

    @property
    def params(self) -> NamedArrays:
        """The parameters by name; they may be written in place.

        Parameters of a shared layer have several names. Lookup works with each of them; iteration yields each parameter
        once, under its first name.
        """
        return self._params

    @property
    def grads(self) -> NamedArrays:
        """The gradients by name, with the shapes of the parameters; `backward` adds to them."""
        return self._grads

    @classmethod
    def _config_names(cls) -> list[str]:
        options = super()._config_names()
        if cls.__init__ is Configurable.__init__:
            return options
        names = []
        for name, parameter in list(inspect.signature(cls.__init__).parameters.items())[1:]:
            names += options if parameter.kind is parameter.VAR_KEYWORD else [name]
        kept = (name for name in dict.fromkeys(names) if name != "seed")
        return [name for name in kept if name in options or name not in cls._options]

    def _plain(self, name: str) -> Any:
        if name in self._options:
            return super()._plain(name)
        if name not in vars(self):
            kind = type(self).__name__
            raise TypeError(
                f"{kind}: expected an attribute {name}, as the constructor has that argument; set self.{name}, or "
                f"define config(), which gives the arguments that make a layer like this one"
            )
        value = vars(self)[name]
        return str(value) if isinstance(value, np.dtype) else value

    def __repr__(self) -> str:
        try:
            return super().__repr__()
        except TypeError:  # no config: a message that shows the layer still can
            return f"{type(self).__name__}(...)"

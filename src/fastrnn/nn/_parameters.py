# SPDX-License-Identifier: BSD-3-Clause
"""Named arrays: the parameters and the gradients of a layer, or of several as one."""

from collections.abc import ItemsView, MutableMapping

from .._engine.arguments import FLOATS, as_array


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

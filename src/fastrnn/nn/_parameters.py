# SPDX-License-Identifier: BSD-3-Clause
"""Named arrays: the parameters and the gradients of a layer, or of several layers as one mapping."""

from abc import abstractmethod
from collections.abc import ItemsView, Iterable, Iterator, Mapping, MutableMapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import FLOATS, Array, as_array


class NamedArrays(MutableMapping[str, Array]):
    """Named arrays, fixed in number, shape and dtype.

    Reading returns the array itself, which may be written in place. Assigning writes into that array, so an array that
    somebody holds stays the layer's own.

    An array may have several names, as that of a layer that a model has in two places. It is found under each of them.
    Iteration gives it once, under its first name, so that whoever walks over all arrays acts once on each: PyTorch's
    ``named_parameters``.
    """

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        target = self[name]
        target[...] = as_entry(name, value, target)

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name}: a parameter cannot be deleted")

    def items(self) -> ItemsView[str, Array]:
        """Pairs of name and array."""
        return _Items(self)

    def _pairs(self) -> Iterator[tuple[str, Array]]:
        return ((name, self[name]) for name in self)

    def first_names(self) -> Mapping[str, str]:
        """For every name, the name under which iteration gives its array."""
        return {name: name for name in self}

    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array, by name."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}: {shape}' for name, shape in self.shapes().items())})"

    def unknown(self, name: object) -> KeyError:
        """The error for a name that is not in the mapping."""
        return KeyError(f"no parameter {name!r}; the names are {', '.join(self.first_names())}")


class _Items(ItemsView[str, Array]):
    """Pairs without a lookup by name for each: a training step goes over all parameters five times."""

    def __iter__(self) -> Iterator[tuple[str, Array]]:
        return self._mapping._pairs()  # type: ignore[attr-defined]


class Parameters(NamedArrays):
    """The parameters or gradients of one layer.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Owned by the layer, which reads them from this dict without counting.

    Attributes
    ----------
    count : int
        Grows whenever an array is handed out. Packed copies of the arrays are compared with them after that.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays
        self.count: int = 0

    def __getitem__(self, name: str) -> Array:
        self.count += 1
        if name not in self._arrays:
            raise self.unknown(name)
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def _pairs(self) -> Iterator[tuple[str, Array]]:
        for pair in self._arrays.items():
            self.count += 1
            yield pair

    def __len__(self) -> int:
        return len(self._arrays)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array, by name."""
        return {name: array.shape for name, array in self._arrays.items()}


class Joined(NamedArrays):
    """The arrays of several layers as one mapping.

    Parameters
    ----------
    parts : sequence of (str, NamedArrays)
        With its prefix each: ``"encoder.weight"`` is ``"weight"`` of the part with the prefix ``"encoder."``.
        Prefixes have one dot, at their end, or are empty; no full name may occur twice.
    """

    def __init__(self, parts: Iterable[tuple[str, NamedArrays]]) -> None:
        self._parts = list(parts)

    # Made when they are first needed: of containers in containers most are never asked. The arrays themselves are not
    # held, since a layer compares those that are held elsewhere with their packed copies at every call.

    def _walk(self) -> Iterator[tuple[str, NamedArrays, str]]:
        """Every name, the mapping that holds its array and joins no others, and the name in that."""
        for prefix, part in self._parts:
            inner = part._walk() if isinstance(part, Joined) else ((name, part, name) for name in part.first_names())
            for name, holder, own in inner:
                yield prefix + name, holder, own

    @cached_property
    def _places(self) -> dict[str, tuple[NamedArrays, str]]:
        return {name: (holder, own) for name, holder, own in self._walk()}

    @cached_property
    def _first(self) -> Mapping[str, str]:
        return first_names({name: holder[own] for name, (holder, own) in self._places.items()})

    @cached_property
    def _distinct(self) -> list[tuple[str, NamedArrays, str]]:
        return [(name, *self._places[name]) for name, first in self._first.items() if name == first]

    def __getitem__(self, name: str) -> Array:
        if name not in self:
            raise self.unknown(name)
        holder, own = self._places[name]
        return holder[own]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._places

    def first_names(self) -> Mapping[str, str]:
        """For every name, the name under which iteration gives its array."""
        return self._first

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array, by name."""
        shapes = {id(holder): holder.shapes() for _, holder, _ in self._distinct}
        return {name: shapes[id(holder)][own] for name, holder, own in self._distinct}

    def __iter__(self) -> Iterator[str]:
        return (name for name, _, _ in self._distinct)

    def _pairs(self) -> Iterator[tuple[str, Array]]:
        return ((name, holder[own]) for name, holder, own in self._distinct)

    def __len__(self) -> int:
        return len(self._distinct)


def first_names(arrays: Mapping[str, Array]) -> Mapping[str, str]:
    """For every name of a mapping, which may be any, the first name of the same array."""
    if isinstance(arrays, NamedArrays):
        return arrays.first_names()
    arrays = dict(arrays.items())  # arrays that live as long as this have ids of their own
    first: dict[int, str] = {}
    return {name: first.setdefault(id(array), name) for name, array in arrays.items()}


def distinct(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Each array of a mapping, which may be any, once, under its first name."""
    if isinstance(arrays, NamedArrays):
        return dict(arrays.items())
    arrays = dict(arrays.items())
    return {name: arrays[name] for name, first in first_names(arrays).items() if name == first}


def entries_of(state_dict: Mapping[str, Any], own: NamedArrays, kind: str) -> dict[str, Array]:
    """The entries of a state_dict that can be written into a layer's `own` arrays, by the first name of each.

    Raises
    ------
    ValueError, TypeError
        As in `Layer.load_state_dict`; `kind` is the name of the layer's class.
    """
    first = own.first_names()
    unknown = [name for name in state_dict if name not in first]
    provided = {first[name] for name in state_dict if name in first}
    missing = [name for name in own if name not in provided]
    if missing or unknown:
        lists = ("missing", missing), ("unknown", unknown)
        got = "; ".join(f"{word} {', '.join(map(str, names))}" for word, names in lists if names)
        raise ValueError(f"state_dict: expected the names of {kind}.state_dict(), got {got}")
    entries: dict[str, tuple[str, Array]] = {}
    for name in first:
        if name in state_dict:
            target = own[first[name]]
            value = as_entry(name, state_dict[name], target)
            other, earlier = entries.setdefault(first[name], (name, value))
            if value is not earlier and not same_values(value.astype(target.dtype), earlier.astype(target.dtype)):
                raise ValueError(f"{name}: expected the values of {other}, which is the same array, got others")
    return {name: value for name, (_, value) in entries.items()}


def same_values(a: Any, b: Any) -> bool:
    """Whether two arrays have the same values; nan is the same as nan."""
    return np.array_equal(a, b, equal_nan=True)


def as_entry(name: str, value: Any, target: Array) -> Array:
    """`value` as an array that can be written into `target` without a change of its meaning."""
    value = as_array(name, value, "float32 or float64")
    if value.dtype not in FLOATS:
        raise TypeError(f"{name}: expected float32 or float64, got {value.dtype}")
    if value.shape != target.shape:
        raise ValueError(f"{name}: expected shape {target.shape}, got {value.shape}")
    if not target.flags.writeable:
        raise ValueError(f"{name}: expected an array that can be written, got one that was made read-only")
    return value

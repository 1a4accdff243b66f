# SPDX-License-Identifier: BSD-3-Clause
"""Named arrays: the parameters and the gradients of a layer, or of several layers as one mapping."""

from abc import abstractmethod
from collections.abc import ItemsView, Iterable, Iterator, Mapping, MutableMapping
from functools import cached_property
from operator import getitem
from typing import Any

from numpy.typing import ArrayLike

from .._engine.arguments import FLOATS, Array, as_array
from .._engine.passes import Arrays

NARROW = ("float16", "bfloat16")  # floats that are widened when they are written; ml_dtypes has the second


class NamedArrays(MutableMapping[str, Array]):
    """Named arrays, fixed in number, shape and dtype.

    Reading returns the array itself, which may be written in place. Assigning writes into that array, so an array that
    somebody holds stays the layer's own.

    An array may have several names, as that of a layer that a model has in two places. It is found under each of them.
    Iteration gives it once, under its first name, so that a loop over all arrays acts once on each: PyTorch's
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

    @property
    def source(self) -> "Mapping[str, Array] | Arrays":
        """What the arrays are read from, by names that exist."""
        return self

    def first_names(self) -> Mapping[str, str]:
        """For every name, the name under which iteration gives its array."""
        return {name: name for name in self}

    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array, by name."""

    @abstractmethod
    def damaged(self) -> tuple[str, str] | None:
        """The name of an array that is read-only or whose shape or dtype has changed, and what is wrong."""

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
    arrays : Arrays, or mapping of str to ndarray
        The arrays; `_core.Arrays` count accesses, after which packed copies are compared with the array.
    """

    def __init__(self, arrays: "Arrays | Mapping[str, Array]") -> None:
        self._arrays = arrays

    @property
    def source(self) -> "Mapping[str, Array] | Arrays":
        return self._arrays

    def __getitem__(self, name: str) -> Array:
        if name not in self._arrays:
            raise self.unknown(name)
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def _pairs(self) -> Iterator[tuple[str, Array]]:
        return iter(self._arrays.items())

    def __len__(self) -> int:
        return len(self._arrays)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array, by name."""
        if isinstance(self._arrays, Arrays):
            return self._arrays.shapes()
        return {name: array.shape for name, array in self._arrays.items()}

    def damaged(self) -> tuple[str, str] | None:
        """The name of an array that is read-only or whose shape or dtype has changed, and what is wrong."""
        return self._arrays.damaged() if isinstance(self._arrays, Arrays) else None


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
        self._size = -1
        self._places: dict[str, tuple[NamedArrays, str]] = {}
        self._first: Mapping[str, str] = {}
        # Of each array once: its first name, the mapping that it is read from, and its name in there.
        self._names: list[str] = []
        self._read_from: list[Mapping[str, Array] | Arrays] = []
        self._own_names: list[str] = []

    # Made when they are first needed: of containers in containers most are never asked. The arrays themselves are not
    # held, since a layer compares those that are held elsewhere with their packed copies at every call.

    @cached_property
    def _holders(self) -> list[tuple[str, NamedArrays]]:
        """The mappings that hold the arrays and join no others, each with its prefix."""
        inner = [(prefix, part._holders if isinstance(part, Joined) else [("", part)]) for prefix, part in self._parts]
        return [(prefix + further, holder) for prefix, holders in inner for further, holder in holders]

    @cached_property
    def _sources(self) -> "list[Mapping[str, Array] | Arrays]":
        return [holder.source for _, holder in self._holders]

    def _walk(self) -> None:
        """Find all names, again if a layer has got another parameter."""
        size = sum(map(len, self._sources))
        if size == self._size:
            return
        pairs = [(prefix, name, holder) for prefix, holder in self._holders for name in holder.first_names()]
        self._places = {prefix + name: (holder, name) for prefix, name, holder in pairs}
        self._first = first_names({name: holder[own] for name, (holder, own) in self._places.items()})
        self._names = [name for name, first in self._first.items() if name == first]
        places = [self._places[name] for name in self._names]
        self._read_from, self._own_names = [holder.source for holder, _ in places], [own for _, own in places]
        self._size = size

    def __getitem__(self, name: str) -> Array:
        if name not in self:
            raise self.unknown(name)
        holder, own = self._places[name]
        return holder[own]

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        if name not in self._places:  # none is ever taken away
            self._walk()
        return name in self._places

    def first_names(self) -> Mapping[str, str]:
        """For every name, the name under which iteration gives its array."""
        self._walk()
        return self._first

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array, by name."""
        self._walk()
        places = {name: self._places[name] for name in self._names}
        shapes = {id(holder): holder.shapes() for holder, _ in places.values()}
        return {name: shapes[id(holder)][own] for name, (holder, own) in places.items()}

    def damaged(self) -> tuple[str, str] | None:
        """The name of an array that is read-only or whose shape or dtype has changed, and what is wrong."""
        for prefix, holder in self._holders:
            if (found := holder.damaged()) is not None:
                return prefix + found[0], found[1]
        return None

    def __iter__(self) -> Iterator[str]:
        self._walk()
        return iter(self._names)

    def _pairs(self) -> Iterator[tuple[str, Array]]:
        self._walk()
        return zip(self._names, map(getitem, self._read_from, self._own_names), strict=True)

    def __len__(self) -> int:
        self._walk()
        return len(self._names)


def first_names(arrays: Mapping[str, Array]) -> Mapping[str, str]:
    """For every name of a mapping, which may be any, the first name of the same array."""
    if isinstance(arrays, NamedArrays):
        return arrays.first_names()
    arrays = dict(arrays.items())  # arrays that live as long as this have ids of their own
    first: dict[int, str] = {}
    return {name: first.setdefault(id(array), name) for name, array in arrays.items()}


def distinct(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Each array of a mapping, which may be any, once, under its first name."""
    if type(arrays) is Joined or isinstance(arrays, NamedArrays):  # it takes longer to ask an abstract class
        return dict(arrays._pairs())
    arrays = dict(arrays.items())
    return {name: arrays[name] for name, first in first_names(arrays).items() if name == first}


def as_entry(name: str, value: Any, target: Array) -> Array:
    """`value` as an array that can be written into `target` without a change of its meaning."""
    value = as_array(name, value, "float32 or float64")
    if value.dtype not in FLOATS and value.dtype.name not in NARROW:
        raise TypeError(f"{name}: expected float32 or float64 (or float16 or bfloat16, to widen), got {value.dtype}")
    if value.shape != target.shape:
        raise ValueError(f"{name}: expected shape {target.shape}, got {value.shape}")
    if not target.flags.writeable:
        raise ValueError(f"{name}: expected an array that can be written, got one that was made read-only")
    return value

# SPDX-License-Identifier: BSD-3-Clause
"""Named arrays: the parameters and the gradients of a layer, or of several layers as one mapping."""

from abc import abstractmethod
from collections.abc import ItemsView, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from numpy.typing import ArrayLike

from .._engine.arguments import FLOATS, Array, as_array

NARROW = ("float16", "bfloat16")  # floats that are widened when they are written; ml_dtypes has the second


class NamedArrays(MutableMapping[str, Array]):
    """Named arrays, fixed in number, shape and dtype.

    Reading returns the array itself, which may be written in place. Assigning writes into that array, so an array that
    somebody holds stays the layer's own.
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

    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array, by name."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}: {shape}' for name, shape in self.shapes().items())})"

    def unknown(self, name: object) -> KeyError:
        """The error for a name that is not in the mapping."""
        return KeyError(f"no parameter {name!r}; the names are {', '.join(self)}")


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
        self._by_prefix: dict[str, list[NamedArrays]] = {}
        for prefix, part in self._parts:
            self._by_prefix.setdefault(prefix, []).append(part)

    def _find(self, name: object) -> tuple[NamedArrays, str] | None:
        """The part that has a name, and the name in that part."""
        if isinstance(name, str):
            head, dot, rest = name.partition(".")
            for prefix, inner in ((head + dot, rest), ("", name)):
                for part in self._by_prefix.get(prefix, ()):
                    if inner in part:
                        return part, inner
        return None

    def __getitem__(self, name: str) -> Array:
        match = self._find(name)
        if match is None:
            raise self.unknown(name)
        part, inner = match
        return part[inner]

    def __contains__(self, name: object) -> bool:
        return self._find(name) is not None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array, by name."""
        return {prefix + name: shape for prefix, part in self._parts for name, shape in part.shapes().items()}

    def __iter__(self) -> Iterator[str]:
        return (prefix + name for prefix, part in self._parts for name in part)

    def _pairs(self) -> Iterator[tuple[str, Array]]:
        return ((prefix + name, array) for prefix, part in self._parts for name, array in part.items())

    def __len__(self) -> int:
        return sum(len(part) for _, part in self._parts)


def check_mapping(state_dict: Any) -> None:
    """Raise TypeError unless it is a mapping."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"state_dict: expected a mapping of names to arrays, got {type(state_dict).__name__}")


def renamed(arrays: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Named arrays under new names: `names` gives those of entries, or of what entries begin with up to a dot."""
    check_mapping(arrays)
    unused, result = dict(names), {}
    for name, array in arrays.items():
        parts = name.split(".")
        heads = [".".join(parts[:k]) for k in range(len(parts), -1, -1)]  # the longest first, "" last
        head = next((head for head in heads if head in names), None)
        new = name if head is None else ".".join(filter(None, [names[head], name[len(head) :].lstrip(".")]))
        unused.pop(head or "", None)
        if new in result:
            raise ValueError(f"rename: expected different names, got {new} for two entries, one of them {name}")
        result[new] = array
    if unused:
        raise ValueError(f"rename: expected beginnings of {', '.join(arrays)}, got {', '.join(map(repr, unused))}")
    return result


def load_entries(stored: NamedArrays, state_dict: Any, owner: str, other_names: Mapping[str, str]) -> None:
    """Write the arrays of `state_dict` into those of `stored`, which it names exactly, or write nothing.

    A name in `other_names` stands for the one there, unless `state_dict` has that, too.
    """
    check_mapping(state_dict)
    targets = dict(stored.items())
    found = {own: other for other, own in other_names.items() if other in state_dict} | {
        name: name for name in targets if name in state_dict
    }
    known = set(found.values())
    missing = [name for name in targets if name not in found]
    unknown = [name for name in state_dict if name not in known]
    if missing or unknown:
        parts = [
            f"{word} {', '.join(map(str, names))}"
            for word, names in (("missing", missing), ("unknown", unknown))
            if names
        ]
        raise ValueError(f"state_dict: expected the names of {owner}.state_dict(), got {'; '.join(parts)}")
    values = {name: as_entry(found[name], state_dict[found[name]], target) for name, target in targets.items()}
    for name, value in values.items():
        targets[name][...] = value


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

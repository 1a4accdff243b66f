# SPDX-License-Identifier: BSD-3-Clause
"""Named arrays of what a model computed, and ways to use them: one row, a file, a table."""

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import IO, TYPE_CHECKING

import numpy as np

from ..._engine.arguments import Array, as_size

if TYPE_CHECKING:
    import pandas

Axes = tuple[str, ...]

STATE_AXES: Axes = ("layer", "direction", "t", "n", "unit")
ATTENTION_AXES: Axes = ("t", "n", "memory")


class Trace(Mapping[str, Array]):
    """Named arrays of what a model computed at each step, as `trace` returns them.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    axes : mapping of str to tuple of str
        The names of the axes of each array.
    lengths : mapping of str to ndarray, shape (N,)
        How many steps each row has in each recurrent layer, by the name of the layer.
    y : ndarray
        The output of the model, as a call of it returns.

    Attributes
    ----------
    axes, lengths, y
        The arguments of these names.

    Notes
    -----
    The name of an array is the name of its recurrent layer, as in ``model.params``, a dot, and a short name: ``"1.h"``
    is the h of layer 1 of a `Sequential`, next to its parameter ``"1.weight_hh_l0"``. In a trace of an LSTM alone it is
    ``"h"``.
    """

    def __init__(
        self, arrays: Mapping[str, Array], axes: Mapping[str, Axes], lengths: Mapping[str, Array], y: Array
    ) -> None:
        self._arrays: dict[str, Array] = dict(arrays)
        self.axes: dict[str, Axes] = dict(axes)
        self.lengths: dict[str, Array] = dict(lengths)
        self.y: Array = y

    def __getitem__(self, name: str) -> Array:
        if name not in self._arrays:
            raise KeyError(f"no array {name!r}; the names are {', '.join(self)}")
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return f"Trace({', '.join(f'{name}: {array.shape}' for name, array in self.items())})"

    @property
    def layers(self) -> "dict[str, Trace]":
        """A trace of each recurrent layer alone, by the name of the layer: ``layers["1"]["h"]``."""
        names: dict[str, dict[str, str]] = {}
        for name in self:
            layer, _, short = name.rpartition(".")
            names.setdefault(layer, {})[short] = name
        return {
            layer: Trace(
                {short: self[name] for short, name in parts.items()},
                {short: self.axes[name] for short, name in parts.items()},
                {"": self.lengths[layer]},
                self.y,
            )
            for layer, parts in names.items()
        }

    def to_npz(self, path: "str | PathLike[str] | IO[bytes]") -> None:
        """Write all arrays to a file that ``numpy.load`` reads.

        Parameters
        ----------
        path : str, os.PathLike or binary file
            ``.npz`` is appended to a file name that does not end with it.
        """
        np.savez(path, **self)

    def pick(self, name: str | None = None, *, layer: int = -1, direction: int = 0, n: int = 0) -> "Trace":
        """One row of the batch in one layer and direction, without the steps beyond its length.

        Parameters
        ----------
        name : str, optional
            The name of the recurrent layer, a key of `layers`. It may be left out if the model has only one.
        layer : int, default -1
        direction, n : int, default 0
            Indices along the axes of these names; negative ones count from the end.

        Returns
        -------
        Trace
            Its arrays have the axes (t, unit), or (t, memory) for attention, as the plots expect.

        Raises
        ------
        ValueError
            There is no such layer, direction or row.

        Examples
        --------
        >>> import numpy as np, fastrnn as fr
        >>> from fastrnn import inspect
        >>> trace = inspect.trace(fr.GRU(3, 4, 2, seed=0), np.ones((5, 2, 3), np.float32), lengths=[5, 3])
        >>> trace.pick(layer=0, n=1)
        Trace(h: (3, 4), r: (3, 4), z: (3, 4), n: (3, 4))
        """
        part, axes, shape, lengths = self._part(name)
        positions = {"layer": layer, "direction": direction, "n": n}
        index: dict[str, int | slice] = {}
        for axis, size in zip(axes, shape, strict=True):
            if axis in positions:
                index[axis] = position = as_size(axis, positions[axis], -size)
                if position >= size:
                    raise ValueError(f"{axis}: expected at most {size - 1}, got {position}")
        remaining = tuple(axis for axis in axes if axis not in index)
        index["t"] = slice(int(lengths[n]))
        arrays = {short: array[tuple(index.get(axis, slice(None)) for axis in axes)] for short, array in part.items()}
        return Trace(arrays, dict.fromkeys(arrays, remaining), {"": lengths[[n]]}, self.y)

    def to_dataframe(self, name: str | None = None) -> "pandas.DataFrame":
        """The arrays of one recurrent layer as a table.

        Parameters
        ----------
        name : str, optional
            As in `pick`.

        Returns
        -------
        pandas.DataFrame
            One row for every layer, direction, t, n and unit, which are the levels of its index, and one column for
            every array. Steps beyond the length of a row, which are NaN in the arrays, are left out.

        Raises
        ------
        ImportError
            pandas is not installed.
        ValueError
            There is no such layer, or the model has several and `name` is missing.
        """
        try:
            import pandas
        except ImportError:
            raise ImportError('to_dataframe needs pandas: pip install "fastrnn[inspect]"') from None

        part, axes, shape, lengths = self._part(name)
        index = pandas.MultiIndex.from_product([range(size) for size in shape], names=axes)
        table = pandas.DataFrame({short: array.reshape(-1) for short, array in part.items()}, index=index)
        if "n" not in axes:
            return table
        steps, rows = index.get_level_values("t"), index.get_level_values("n")
        return table.loc[steps < lengths[rows]]

    def _part(self, name: str | None) -> "tuple[Trace, Axes, tuple[int, ...], Array]":
        """The trace of one recurrent layer, the axes and the shape of its arrays, and its lengths."""
        parts = self.layers
        if name is None and len(parts) == 1:
            (name,) = parts
        if name not in parts:
            raise ValueError(f"name: expected one of {', '.join(map(repr, parts))}, got {name!r}")
        part = parts[name]
        first = next(iter(part))
        return part, part.axes[first], part[first].shape, part.lengths[""]

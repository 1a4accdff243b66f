# SPDX-License-Identifier: BSD-3-Clause
"""Named arrays of what a model computed, and the ways out of them: a row, a file, a table."""

from collections.abc import Mapping

import numpy as np

from ..._engine import arguments

__all__ = ["Trace"]

STATE_AXES = ("layer", "direction", "t", "n", "unit")
ATTENTION_AXES = ("t", "n", "memory")


class Trace(Mapping):
    """Named arrays of what a model computed at each step. Made by `trace`.

    Parameters
    ----------
    arrays : dict of str to ndarray
    axes : dict of str to tuple of str
        The names of the axes of each array.
    lengths : dict of str to ndarray, shape (N,)
        How many steps each row has in each recurrent layer, by the layer's name.
    y : ndarray
        The output of the model, as its call returns it.

    Attributes
    ----------
    axes, lengths, y
        As given.

    Notes
    -----
    A name is that of the recurrent layer, as in ``model.params``, a dot, and that of the array: ``"1.h"`` is the h of
    layer 1 of a `Sequential`, next to its parameter ``"1.weight_hh_l0"``; in a trace of an LSTM alone it is ``"h"``.
    """

    def __init__(self, arrays, axes, lengths, y):
        self._arrays, self.axes, self.lengths, self.y = dict(arrays), dict(axes), dict(lengths), y

    def __getitem__(self, name):
        if name not in self._arrays:
            raise KeyError(f"no array {name!r}; there are {', '.join(self)}")
        return self._arrays[name]

    def __iter__(self):
        return iter(self._arrays)

    def __len__(self):
        return len(self._arrays)

    def __contains__(self, name):
        return name in self._arrays

    def __repr__(self):
        return f"Trace({', '.join(f'{name}: {array.shape}' for name, array in self.items())})"

    @property
    def layers(self):
        """A trace of each recurrent layer alone, by the layer's name (dict of str to Trace): ``layers["1"]["h"]``."""
        parts = {}
        for name in self:
            layer, _, short = name.rpartition(".")
            parts.setdefault(layer, {})[short] = name
        return {
            layer: Trace(
                {short: self[name] for short, name in names.items()},
                {short: self.axes[name] for short, name in names.items()},
                {"": self.lengths[layer]},
                self.y,
            )
            for layer, names in parts.items()
        }

    def to_npz(self, path):
        """Write all arrays to a file that ``numpy.load`` reads.

        Parameters
        ----------
        path : str, os.PathLike or binary file
            ``.npz`` is appended to the name of a file that does not end with it.
        """
        np.savez(path, **self)

    def pick(self, name=None, *, layer=-1, direction=0, n=0):
        """One row of the batch in one layer and direction, without the steps beyond its length.

        Parameters
        ----------
        name : str, optional
            Of the recurrent layer, a key of `layers`. Without it there must be one only.
        layer, direction, n : int
            Where on the axes of these names; -1 is the last.

        Returns
        -------
        Trace
            Its arrays have the axes (t, unit), those of attention (t, memory): what the plots draw.

        Raises
        ------
        ValueError
            There is no such layer, direction or row.

        Examples
        --------
        >>> import numpy as np, fastrnn as fr
        >>> from fastrnn import inspect
        >>> found = inspect.trace(fr.GRU(3, 4, 2, seed=0), np.ones((5, 2, 3), np.float32), lengths=[5, 3])
        >>> found.pick(layer=0, n=1)
        Trace(h: (3, 4), r: (3, 4), z: (3, 4), n: (3, 4))
        """
        part = self._part(name)
        first, (lengths,) = next(iter(part)), part.lengths.values()
        axes, sizes = part.axes[first], dict(zip(part.axes[first], part[first].shape, strict=True))
        at = {axis: place for axis, place in {"layer": layer, "direction": direction, "n": n}.items() if axis in axes}
        for axis, place in at.items():
            if arguments.as_size(axis, place, -sizes[axis]) >= sizes[axis]:
                raise ValueError(f"{axis}: expected at most {sizes[axis] - 1}, got {place}")
        at["t"] = slice(int(lengths[n]))
        arrays = {short: array[tuple(at.get(axis, slice(None)) for axis in axes)] for short, array in part.items()}
        left = tuple(axis for axis in axes if axis == "t" or axis not in at)
        return Trace(arrays, dict.fromkeys(arrays, left), {"": lengths[[n]]}, self.y)

    def to_dataframe(self, name=None):
        """The arrays of one recurrent layer as a table.

        Parameters
        ----------
        name : str, optional
            Of the recurrent layer, a key of `layers`. Without it there must be one only.

        Returns
        -------
        pandas.DataFrame
            A row for every layer, direction, t, n and unit, which are the levels of its index, and a column for every
            array. Steps beyond a row's length, which are NaN in the arrays, are left out.

        Raises
        ------
        ImportError
            pandas is not installed.
        ValueError
            There is no such layer, or there are several and none is named.
        """
        try:
            import pandas
        except ImportError:
            raise ImportError('to_dataframe needs pandas: pip install "fastrnn[inspect]"') from None

        part = self._part(name)
        first = next(iter(part))
        axes, (lengths,) = part.axes[first], part.lengths.values()
        index = pandas.MultiIndex.from_product(map(range, part[first].shape), names=axes)
        table = pandas.DataFrame({short: array.reshape(-1) for short, array in part.items()}, index=index)
        if "n" not in axes:
            return table
        return table[index.get_level_values("t") < lengths[index.get_level_values("n")]]

    def _part(self, name):
        """The trace of the layer of that name, or of the only one."""
        parts = self.layers
        if name is None and len(parts) == 1:
            (name,) = parts
        if name not in parts:
            raise ValueError(f"name: expected one of {', '.join(map(repr, parts))}, got {name!r}")
        return parts[name]

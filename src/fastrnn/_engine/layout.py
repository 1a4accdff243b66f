# SPDX-License-Identifier: BSD-3-Clause
"""Where time, batch and features lie in a caller's arrays: sequences, their gradients, and states."""

from typing import NamedTuple

import numpy as np

from .arguments import as_floats, readable


class Layout(NamedTuple):
    """How the caller lays out a sequence: (T, N, features), batch first, or unbatched (T, features)."""

    batched: bool
    batch_first: bool

    def time_major(self, array):
        """A view (T, N, features) of an array in this layout."""
        if not self.batched:
            return array[:, None, :]
        return array.swapaxes(0, 1) if self.batch_first else array

    def shape(self, T, N, features):
        """The shape of a sequence in this layout."""
        if not self.batched:
            return (T, features)
        return (N, T, features) if self.batch_first else (T, N, features)

    def laid_out(self, array):
        """A time-major (T, N, features) in this layout, C-ordered."""
        return np.ascontiguousarray(self.time_major(array)) if self.batched else array[:, 0]

    def axes(self, features):
        """That shape in words, for messages."""
        if not self.batched:
            return f"(T, {features})"
        return f"(N, T, {features})" if self.batch_first else f"(T, N, {features})"


def as_sequence(name, value, features, dtype, batch_first):
    """A sequence as a readable time-major view, and its layout.

    Returns
    -------
    x : ndarray, shape (T, N, features)
    layout : Layout
    """
    array = as_floats(name, value, dtype)
    layout = Layout(array.ndim != 2, batch_first)
    if array.ndim not in (2, 3) or array.shape[-1] != features:
        raise ValueError(
            f"{name}: expected {Layout(True, batch_first).axes(features)} or (T, {features}), got {array.shape}"
        )
    return readable(layout.time_major(array)), layout


def as_gradient(name, value, layout, shape, dtype, of="y"):
    """An upstream gradient of a sequence of shape (T, N, features), as a readable time-major view."""
    array = as_floats(name, value, dtype)
    if array.shape != layout.shape(*shape):
        raise ValueError(f"{name}: expected {layout.shape(*shape)}, the shape of {of}, got {array.shape}")
    return readable(layout.time_major(array))


def as_states(name, value, parts, shape, batched, dtype):
    """The arrays of a state, each C-ordered of `shape` (L*D, N, H), or None for each where `value` is None.

    Parameters
    ----------
    parts : tuple of str
        ("h",) or ("h", "c"): what the state consists of.
    batched : bool
        Whether the caller's arrays have the axis N.
    """
    if value is None:
        return (None,) * len(parts)
    given = (value,) if len(parts) == 1 else value
    if not isinstance(given, tuple | list) or len(given) != len(parts):
        got = len(given) if isinstance(given, tuple | list) else type(value).__name__
        raise TypeError(f"{name}: expected a tuple ({', '.join(parts)}), got {got}")
    wanted = shape if batched else (shape[0], shape[2])
    arrays = []
    for part, array in zip(parts, given, strict=True):
        label = f"{name}[{part}]" if len(parts) > 1 else name
        array = as_floats(label, array, dtype)
        if array.shape != wanted:
            raise ValueError(f"{label}: expected {wanted}, got {array.shape}")
        arrays.append(np.require(array, requirements=("C", "A")).reshape(shape))
    return tuple(arrays)

# SPDX-License-Identifier: BSD-3-Clause
"""Memory layouts of a caller's arrays: sequences, their gradients, and states."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .arguments import Array, as_floats, readable

StateArrays = tuple[Array | None, ...]  # h, or h and c


class Layout(NamedTuple):
    """A layout of a sequence: (T, N, features), batch first, unbatched (T, features), or packed (R, features)."""

    batched: bool
    batch_first: bool
    packed: bool = False

    def time_major(self, array: Array) -> Array:
        """A view (T, N, features) of an array in this layout."""
        if self.packed:
            return array[None]
        if not self.batched:
            return array[:, None, :]
        return array.swapaxes(0, 1) if self.batch_first else array

    def shape(self, T: Any, N: Any, features: Any) -> tuple[Any, ...]:
        """The shape of a sequence in this layout; of a packed one, N is R."""
        if self.packed:
            return (N, features)
        if not self.batched:
            return (T, features)
        return (N, T, features) if self.batch_first else (T, N, features)

    def laid_out(self, array: Array) -> Array:
        """A time-major array (T, N, features) in this layout, C-ordered."""
        return np.ascontiguousarray(self.time_major(array)) if self.batched else array[:, 0]

    def axes(self, features: object) -> str:
        """The shape in words, for messages."""
        return f"({', '.join(map(str, self.shape('T', 'N', features)))})"


def as_sequence(
    name: str, value: ArrayLike, features: int, dtype: np.dtype[Any], batch_first: bool, packed: bool = False
) -> tuple[Array, Layout]:
    """A sequence as a readable time-major view (T, N, features), and its layout."""
    array = as_floats(name, value, dtype)
    if packed and (array.ndim != 2 or array.shape[1] != features):
        raise ValueError(f"{name}.data: expected (R, {features}), got {array.shape}")
    layout = Layout(packed or array.ndim != 2, batch_first, packed)
    if array.ndim not in (2, 3) or array.shape[-1] != features:
        raise ValueError(
            f"{name}: expected {Layout(True, batch_first).axes(features)} or (T, {features}), got {array.shape}"
            f"{features_hint(name, array.shape, features, batch_first)}"
        )
    return readable(layout.time_major(array)), layout


def features_hint(name: str, shape: tuple[int, ...], features: int, batch_first: bool) -> str:
    """A hint for an array whose shape does not fit sequences with this many features; "" if there is none."""
    if features == 1 and len(shape) in (1, 2):
        return f"; series without an axis of features: {name}[..., None]"
    if len(shape) < 2 or shape[-2] != features:
        return ""
    if len(shape) == 3 and not batch_first:  # as convolutions have it
        turned = f"{name}.transpose(2, 0, 1), of shape {(shape[2], shape[0], features)}"
        return f"; with the features last: {turned}, if {name} is (N, {features}, T)"
    return f"; with the features last: {name}.swapaxes(-1, -2), of shape {(*shape[:-2], shape[-1], features)}"


def as_gradient(
    name: str, value: ArrayLike, layout: Layout, shape: tuple[int, int, int], dtype: np.dtype[Any], of: str = "y"
) -> Array:
    """The gradient of a sequence of shape (T, N, features), as a readable time-major view."""
    array = as_floats(name, value, dtype)
    if array.shape != layout.shape(*shape):
        raise ValueError(f"{name}: expected {layout.shape(*shape)}, the shape of {of}, got {array.shape}")
    return readable(layout.time_major(array))


# -- states ----------------------------------------------------------------------------------------------------------


def as_state(arrays: Iterable[Any]) -> Any:
    """The arrays of a state as a caller has them: h, or (h, c)."""
    parts: tuple[Any, ...] = (*arrays,)
    return parts[0] if len(parts) == 1 else parts


def state_arrays(state: Any) -> tuple[Any, ...]:
    """The arrays of a state that a caller has: (h,) or (h, c)."""
    return state if isinstance(state, tuple) else (state,)


def as_states(
    name: str, value: Any, parts: tuple[str, ...], shape: tuple[int, int, int], batched: bool, dtype: np.dtype[Any]
) -> StateArrays:
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
    provided = (value,) if len(parts) == 1 else value
    if not isinstance(provided, tuple | list) or len(provided) != len(parts):
        got = len(provided) if isinstance(provided, tuple | list) else type(value).__name__
        raise TypeError(f"{name}: expected a tuple ({', '.join(parts)}), got {got}")
    expected = shape if batched else (shape[0], shape[2])
    if len(parts) == 1 and isinstance(value, tuple) and value and getattr(value[0], "ndim", 0) == len(expected):
        raise TypeError(f"{name}: expected {expected}, got a tuple of {len(value)} arrays, as (h, c) of an LSTM is")
    arrays = []
    for part, array in zip(parts, provided, strict=True):
        label = f"{name}[{part}]" if len(parts) > 1 else name
        array = as_floats(label, array, dtype)
        if array.shape != expected:
            raise ValueError(f"{label}: expected {expected}, got {array.shape}")
        arrays.append(np.require(array, requirements=("C", "A")).reshape(shape))
    return tuple(arrays)


def h_and_c(state: StateArrays, k: int) -> tuple[Array | None, Array | None]:
    """h and c, or None, of one layer and direction, (N, H)."""
    h, c = state if len(state) == 2 else (state[0], None)
    return None if h is None else h[k], None if c is None else c[k]


def select_rows(state: Any, rows: Array) -> Any:
    """Some batch rows of a state, in any order: of arrays (L*D, N, H), however nested, and None."""
    if isinstance(state, tuple | list):
        return tuple(select_rows(part, rows) for part in state)
    return state if state is None else state[:, rows]

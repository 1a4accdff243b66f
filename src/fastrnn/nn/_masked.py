# SPDX-License-Identifier: BSD-3-Clause
"""Masked steps: the kept steps are moved together, so that layers see rows of different lengths.

The engine does not know of masks: its rows are runs of steps, and a place for each step would slow down every call. The
four copies are a twentieth of a GRU's training step at (T, N, I, H) = (128, 64, 64, 128), one thread of Zen 5.
"""

from typing import Any, NamedTuple

import numpy as np

from .._engine.arguments import Array, as_array, is_packed
from .._engine.ragged import Rows, as_lengths, length_mask
from ._layer import leaves
from ._packed import Packing, opened
from ._signal import keeps_steps


class Kept(NamedTuple):
    """The steps that a layer reads, and where they lie in x.

    Attributes
    ----------
    outside, inside : tuple of ndarray
        The places of the kept steps in the leading axes of x, and of the same steps moved to the front of their rows.
    outer, inner : tuple of int
        The sizes of these axes: of x, and for the rows that have the most steps.
    lengths : ndarray of int, shape (N,), or None
        How many steps of each row are kept; None of a single sequence, which has no others.
    in_time : bool
        Whether y has a place for each step of x.
    """

    outside: tuple[Array, ...]
    inside: tuple[Array, ...]
    outer: tuple[int, ...]
    inner: tuple[int, ...]
    lengths: Array | None
    in_time: bool

    def gathered(self, array: Array) -> Array:
        """The kept steps of an array laid out as x, moved together; 0 behind them, where x may hold nan."""
        result = np.zeros(self.inner + array.shape[len(self.outer) :], array.dtype)
        result[self.inside] = array[self.outside]
        return result

    def scattered(self, array: Array) -> Array:
        """The reverse of `gathered`: steps at their positions in x; 0 at masked steps."""
        result = np.zeros(self.outer + array.shape[len(self.inner) :], array.dtype)
        result[self.outside] = array[self.inside]
        return result

    def output(self, y: Array) -> Array:
        """The output of a layer that has read the steps moved together."""
        return self.scattered(y) if self.in_time else y

    def gradient(self, dy: Array) -> Array:
        """Its gradient as that layer takes it."""
        return self.gathered(dy) if self.in_time else dy


def steps_to_read(layer: Any, x: Any, lengths: Any, mask: Any, resets: Any) -> tuple[Any, Any, Kept | Packing | None]:
    """x and its rows as a layer's `_forward` takes them, and which steps of x they are if a mask leaves some out."""
    if resets is not None and not layer.takes_resets:
        raise TypeError(
            f"resets: expected None, since {refusing(layer, 'takes_resets')} takes none, got {_kind(resets)}"
        )
    if is_packed(x):
        for name, value in (("lengths", lengths), ("mask", mask), ("resets", resets)):
            if value is not None:
                raise TypeError(f"{name}: expected None with a packed sequence, got {type(value).__name__}")
        if not layer.takes_packed:
            words = f"since {refusing(layer, 'takes_packed')} takes no packed sequence"
            raise TypeError(f"x: expected an array, {words}, got one of shape {tuple(x.data.shape)}")
        data, rows, packing = opened(x)
        in_time = layer.lengths_after(rows.packed.lengths) is not None
        return data, rows, Packing(packing.like, in_time)
    if mask is not None:
        return without_masked(layer, x, lengths, mask, resets)
    return x, lengths if resets is None else Rows(lengths, resets), None


def refusing(layer: Any, takes: str) -> str:
    """The layer, and the first one in it, for which this property is False, with the option that is why."""
    inner = next((leaf for leaf in leaves(layer) if not getattr(leaf, takes)), layer)
    options = [f"{name}={getattr(inner, name)!r}" for name in inner.refusing_options(takes)]
    words = type(inner).__name__ + (f" with {', '.join(options)}" if options else "")
    return words if inner is layer else f"{type(layer).__name__}, which holds {words},"


def _kind(value: Any) -> str:
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def without_masked(layer: Any, x: Any, lengths: Any, mask: Any, resets: Any = None) -> tuple[Array, Any, Kept]:
    """x with the kept steps alone, their lengths (with resets, `Rows`), and where they were.

    Parameters
    ----------
    layer : Layer
    x : array_like, laid out as the layer takes it
    lengths : array_like of int, shape (N,), or None
        Steps beyond them do not count, whatever the mask says.
    mask : array_like of bool
        The first axes of x: (T, N), with `batch_first` (N, T), or unbatched (T,).
    resets : array_like of bool, optional
        Likewise; none at a step that is left out.
    """
    array, keep = as_array("x", x), as_array("mask", mask, "bools")
    if keep.dtype != bool:
        raise TypeError(f"mask: expected bools, True for the steps to read, got {keep.dtype}")
    axes = array.ndim - (not layer.reads_tokens)  # tokens have no axis of features
    if axes not in (1, 2) or keep.shape != array.shape[:axes]:
        raise ValueError(f"mask: expected {array.shape[:axes]}, the steps of x {array.shape}, got {keep.shape}")
    if isinstance(x, list | tuple) and not layer.reads_tokens:
        array = array.astype(layer.dtype)
    batch_first = axes == 2 and bool(getattr(layer, "batch_first", False))
    check_keeps_steps(layer, keep)
    by_row = keep[None] if axes == 1 else keep if batch_first else keep.T  # (N, T)
    N, T = by_row.shape
    if lengths is not None:
        by_row = by_row & length_mask(as_lengths(lengths, T, N), T).T
    rows, steps = np.nonzero(by_row)  # row after row, in the order of time
    counts = by_row.sum(axis=1, dtype=np.intp)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    longest = int(counts.max(initial=0))
    if axes == 1:
        found = Kept((steps,), (places,), (T,), (longest,), None, True)
    elif batch_first:
        found = Kept((rows, steps), (rows, places), (N, T), (N, longest), counts, True)
    else:
        found = Kept((steps, rows), (places, rows), (T, N), (longest, N), counts, True)
    found = found._replace(in_time=layer.lengths_after(counts) is not None)
    rows_of = found.lengths if resets is None else Rows(found.lengths, kept_resets(found, resets, keep))
    return found.gathered(array), rows_of, found


def check_keeps_steps(layer: Any, mask: Array) -> None:
    """Raise TypeError where y has a place for each step, but not the one that the step has in x."""
    if keeps_steps(layer) is False:
        inner = next((leaf for leaf in leaves(layer) if not keeps_steps(leaf)), layer)
        words = f"since {type(inner).__name__} gives y other steps than x"
        raise TypeError(f"mask: expected None, {words}, got {_kind(mask)}")


def kept_resets(kept: Kept, resets: Any, keep: Array) -> Array:
    """The resets at the steps that a mask keeps, or an error that names them."""
    resets = as_array("resets", resets, "bools")
    if resets.dtype != bool:
        raise TypeError(f"resets: expected bools, True for steps that begin with a state of zero, got {resets.dtype}")
    if resets.shape != keep.shape:
        raise ValueError(f"resets: expected {keep.shape}, the steps of x, got {resets.shape}")
    wrong = np.argwhere(resets & ~keep)
    if len(wrong):
        at = tuple(map(int, wrong[0]))
        raise ValueError(f"resets: expected False at steps that mask leaves out, got True at {at}; mark the next step")
    return kept.gathered(resets)

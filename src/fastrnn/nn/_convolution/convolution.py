# SPDX-License-Identifier: BSD-3-Clause
"""Code shared by convolutions over time: options, parameters, and products of windows with the weights."""

from typing import Any, NamedTuple

import numpy as np

from ..._engine import passes
from ..._engine.arguments import Array, Generator
from ..._engine.cells import CELLS
from ..._engine.layout import Layout
from ..._engine.ragged import Rows, length_mask
from .._layer import Layer, Shapes
from .._option import KW_ONLY
from .._options import DType, Flag, Seed, Size
from .._parametrized import initial_shapes

CELL = CELLS["linear"]
NO_STATE = (None, None)


class Saved(NamedTuple):
    """The data that `Convolution.convolve` saves for the backward pass."""

    shape: tuple[int, ...]  # of the padded x, (N, T, I)
    stride: int
    groups: list[Any]  # layers.Pass of each


class Convolution(Layer):
    """Base class of convolutions. A window of k consecutive steps is a row of the engine's product."""

    in_channels: Size = Size("I, the features of each step of x.")
    out_channels: Size = Size("O, the features of each step of y.")
    kernel_size: Size = Size("k, the steps that an output reads.")
    _: KW_ONLY
    dilation: Size = Size("The spacing between the steps that an output reads.", default=1)
    groups: Size = Size(
        "The number of groups. Each group of O / groups outputs reads its own I / groups input features; both must "
        "be integers.",
        default=1,
    )
    bias: Flag = Flag("Whether b is added.", default=True)
    batch_first: Flag = Flag("Sequences are (N, T, features) instead of (T, N, features).", default=False)
    dtype: DType = DType(default=np.float32)
    seed: Seed = Seed(default=None)

    def _setup(self, seed: Generator) -> None:
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                raise ValueError(f"groups: expected a divisor of {name}={getattr(self, name)}, got {self.groups}")
        self._own(self.initial_parameters(seed))
        O, I = self.out_channels // self.groups, self.in_channels // self.groups
        K = I * self.kernel_size
        names = [(f"weight{g}", None, f"bias{g}" if self.bias else None, None) for g in range(self.groups)]
        arrays = {
            name: np.zeros((O, K) if k == 0 else O, self.dtype) for four in names for k, name in enumerate(four) if name
        }
        self._matrices = passes.Arrays(arrays)  # of each group, a window in the order of time
        self._weights = [passes.weights(CELL, self.dtype, K, O, self._matrices, four) for four in names]
        self._views: bool = self.groups == self.dilation == 1  # windows lie in the memory of x
        self._inference: Any = None  # of calls with few steps, where windows cost nothing
        if self._views:
            self._inference = passes.inference(self._weights, 1, 0, self.batch_first, self.dtype)
        # The features that each group reads, and those that it writes
        self._slices = [(slice(g * I, g * I + I), slice(g * O, g * O + O)) for g in range(self.groups)]
        self._laid_out: list[tuple[str, bytearray]] = []  # the parameters of which the matrices are made
        self._stamp = -1  # of the parameters at the latest comparison

    @property
    def span(self) -> int:
        """How many steps lie between the first and the last that an output reads, and these two."""
        return self.dilation * (self.kernel_size - 1) + 1

    @property
    def features_in(self) -> int:
        return self.in_channels

    def features_after(self, features: int | None) -> int:
        return self.out_channels

    def directions_after(self, directions: int | None) -> int | None:
        return 1 if directions == 1 else None

    @classmethod
    def parameter_shapes(
        cls, in_channels: int, out_channels: int, kernel_size: int, groups: int, bias: bool, **others: Any
    ) -> Shapes:
        yield "weight", (out_channels, in_channels // groups, kernel_size)
        if bias:
            yield "bias", (out_channels,)

    def initial_parameters(self, rng: Generator) -> dict[str, Array]:
        """PyTorch's default: every parameter uniform in +-1/sqrt(k I / groups)."""
        bound = (self.kernel_size * self.in_channels // self.groups) ** -0.5
        shapes = initial_shapes(self, "in_channels", "out_channels", "kernel_size")
        return {name: rng.uniform(-bound, bound, shape).astype(self.dtype) for name, shape in shapes}

    def _refresh(self) -> None:
        """Write the matrices anew if a parameter was written."""
        stamp = self._arrays.stamp()
        if stamp == self._stamp != -1:
            return
        # A bytearray compares itself with the bytes of any array, several times faster than NumPy compares numbers
        if not self._laid_out or [name for name, copy in self._laid_out if copy != self._arrays[name]]:
            self._lay_out()
        elif stamp != -1:
            stamp += len(self._laid_out)  # given out for this comparison
        self._stamp = stamp

    def _lay_out(self) -> None:
        """Write the matrices. Several threads may do so at once, and write the same."""
        if (damage := self._arrays.damaged()) is not None:
            raise ValueError("params[{!r}]: {}".format(*damage))
        copies = {name: array.copy() for name, array in self._arrays.items()}
        for g, (_, written) in enumerate(self._slices):
            weight = copies["weight"][written]  # (O, I, k)
            self._matrices[f"weight{g}"] = weight.swapaxes(1, 2).reshape(len(weight), -1)
            if self.bias:
                self._matrices[f"bias{g}"] = copies["bias"][written]
        self._laid_out = [(name, bytearray(copy)) for name, copy in copies.items()]

    def padded(self, x: Array, before: int, behind: int, lengths: Array | None, keep: bool) -> Array:
        """x (T, N, I) as (N, before + T + behind, I), C-ordered; 0 around it, and beyond the lengths.

        It is memory of its own, unless nothing is written into it or kept.
        """
        T, N, I = x.shape
        rows = x.swapaxes(0, 1)
        if not (before or behind or keep) and lengths is None:
            return np.ascontiguousarray(rows)
        array = np.zeros((N, before + T + behind, I), self.dtype)
        array[:, before : before + T] = rows
        if lengths is not None:
            array[:, before : before + T][~length_mask(lengths, T).T] = 0
        return array

    def convolve(
        self, x: Array, layout: Layout, steps: int, stride: int, lengths: Array | None, keep: bool
    ) -> tuple[Array, Saved | None]:
        """The convolution of x (N, T, I), C-ordered and padded: y in a layout with `steps` steps; 0 beyond the lengths
        of y."""
        self._refresh()
        if self._inference is not None and not keep and lengths is None:
            windows = self._windows(x, self._slices[0][0], steps, stride)
            result = self._inference(layout.time_major(windows) if layout.batched else windows[:, 0], None)
            if result is not None:
                return result[0], None
        y = np.empty(layout.shape(steps, len(x), self.out_channels), self.dtype)
        out, saved = layout.time_major(y), []
        recurrence = passes.Recurrence(None if lengths is None else Rows(lengths, None).order(steps))
        for weights, (read, written) in zip(self._weights, self._slices, strict=True):
            windows, part = self._windows(x, read, steps, stride), out[..., written]
            saved.append(passes.forward(CELL, weights.pack(), recurrence, windows, part, NO_STATE, NO_STATE, keep))
        return y, Saved(x.shape, stride, saved) if keep else None

    def _windows(self, x: Array, read: slice, steps: int, stride: int) -> Array:
        """(steps, N, k I / groups): views of x where its memory has them in one piece, else copies."""
        (N, T, I), size, k, d = x.shape, x.itemsize, self.kernel_size, self.dilation
        K = k * (read.stop - read.start)
        if not steps * N:  # nothing is read, and x may be shorter than a window
            return np.empty((steps, N, K), self.dtype)
        row, step = T * I * size, I * size  # bytes; views are made by ndarray, as as_strided takes 3 us
        if self._views:
            return np.ndarray((steps, N, K), self.dtype, x, 0, (stride * step, row, size))
        shape, strides = (steps, N, k, read.stop - read.start), (stride * step, row, d * step, size)
        windows = np.ndarray(shape, self.dtype, x, read.start * size, strides)
        return np.ascontiguousarray(windows).reshape(steps, N, K)

    def convolve_back(self, saved: Saved, dy: Array, needs_dx: bool = True) -> Any:
        """The gradient of x (N, T, I), if it is needed, given that of y (T', N, O); adds those of the parameters."""
        dx, d, stride = np.zeros(saved.shape, self.dtype) if needs_dx else None, self.dilation, saved.stride
        if not len(dy):
            return dx
        for (read, written), group in zip(self._slices, saved.groups, strict=True):
            dweight = self._grad_arrays["weight"][written]
            O, I, k = dweight.shape
            dmatrix, dbias = np.zeros((O, k * I), self.dtype), np.zeros(O, self.dtype) if self.bias else None
            dwindows = np.zeros((*dy.shape[:2], k * I), self.dtype) if needs_dx else None
            upstream = np.ascontiguousarray(dy[..., written])
            grads = (dmatrix, None, dbias, None)
            passes.backward(group, upstream, NO_STATE, dwindows, NO_STATE, grads)
            dweight += dmatrix.reshape(O, k, I).swapaxes(1, 2)
            if dbias is not None:
                self._grad_arrays["bias"][written] += dbias
            if dx is None or dwindows is None:
                continue
            for j in range(k):
                steps = slice(j * d, j * d + stride * (len(dy) - 1) + 1, stride)
                dx[:, steps, read] += dwindows[..., j * I : (j + 1) * I].swapaxes(0, 1)
        return dx

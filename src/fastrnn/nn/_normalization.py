# SPDX-License-Identifier: BSD-3-Clause
"""Layers that normalize their input."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import POSITIVE, Array
from .._engine.layout import features_hint
from .._engine.ragged import rows_with_gradient
from .._engine.recycled import check_memory
from ._layer import Shapes
from ._option import KW_ONLY
from ._options import DType, Number, Size
from ._stateless import StatelessLayer


class LayerNorm(StatelessLayer):
    """Layer normalization over the last axis, like torch.nn.LayerNorm.

    ``y = (x - mean) / sqrt(var + eps) * weight + bias`` (Ba, Kiros, Hinton 2016, arXiv 1607.06450), for each position
    separately; var is the mean square of x - mean.

    Attributes
    ----------
    params, grads : Parameters
        ``weight`` (F,), initially ones, and ``bias`` (F,), initially zeros.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> norm = fr.LayerNorm(4)
    >>> norm(np.array([[1, 2, 3, 4], [10, 20, 30, 40]], np.float32)).round(2)
    array([[-1.34, -0.45,  0.45,  1.34],
           [-1.34, -0.45,  0.45,  1.34]], dtype=float32)
    """

    features: Size = Size("F, the size of the last axis.")
    _: KW_ONLY
    eps: Number = Number("Added to the variance; above 0.", POSITIVE, default=1e-5)
    dtype: DType = DType(default=np.float32)

    def _setup(self) -> None:
        check_memory(2 * self.features * self.dtype.itemsize, "features")
        self.add_parameters(weight=np.ones(self.features), bias=np.zeros(self.features))

    @property
    def features_in(self) -> int:
        return self.features

    def features_after(self, features: int | None) -> int:
        return self.features

    @property
    def keeps_axes(self) -> bool:
        return True

    def directions_after(self, directions: int | None) -> int | None:
        return directions

    @classmethod
    def parameter_shapes(cls, features: int, **others: Any) -> Shapes:
        yield "weight", (features,)
        yield "bias", (features,)

    def _checked(self, x: ArrayLike) -> Array:
        x = super()._checked(x)
        if x.ndim == 0 or x.shape[-1] != self.features:
            hint = features_hint("x", x.shape, self.features, batch_first=True)
            raise ValueError(f"x: expected (..., {self.features}), got {x.shape}{hint}")
        return np.require(x, requirements="C")  # so that NumPy sums each row in one order, whatever the batch

    def _forward(self, x: Array, training: bool) -> tuple[Array, Any]:
        with np.errstate(over="ignore", invalid="ignore"):  # infinite values give NaN, as they do in the engine
            centred = x - x.mean(axis=-1, keepdims=True)
            scale = 1 / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + self.dtype.type(self.eps))
            normal = centred * scale  # mean 0 and variance 1
            weight = self._arrays["weight"]
            saved = (normal, scale, weight.copy()) if training else None  # backward is for the weight of now
            return normal * weight + self._arrays["bias"], saved

    def _backward(self, saved: Any, dy: Array) -> Array:
        normal, scale, weight = saved
        dy = np.require(dy, requirements="C")
        rows, normals = dy.reshape(-1, self.features), normal.reshape(-1, self.features)
        used = rows_with_gradient(rows)
        if used is None:
            return self._rows_back((normal, scale, weight), dy)
        dx = np.zeros(dy.shape, self.dtype)
        of_used = normals[used], scale.reshape(-1, 1)[used], weight
        dx.reshape(rows.shape)[used] = self._rows_back(of_used, rows[used])
        return dx

    def _rows_back(self, saved: Any, dy: Array) -> Array:
        """`_backward` of these positions, whatever their gradients are."""
        normal, scale, weight = saved
        positions = tuple(range(dy.ndim - 1))
        with np.errstate(over="ignore", invalid="ignore"):
            # In float64: there may be very many positions, and NumPy adds them one after another.
            self._grad_arrays["weight"] += (dy * normal).sum(axis=positions, dtype=np.float64).astype(self.dtype)
            self._grad_arrays["bias"] += dy.sum(axis=positions, dtype=np.float64).astype(self.dtype)
            dnormal = dy * weight
            shift = dnormal.mean(axis=-1, keepdims=True)
            tilt = (dnormal * normal).mean(axis=-1, keepdims=True)
            return (dnormal - shift - normal * tilt) * scale

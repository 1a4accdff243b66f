# SPDX-License-Identifier: BSD-3-Clause
"""Layers that bring features to one scale."""

import numpy as np

from .._engine import arguments
from ._layer import Layer
from ._tape import Tape


class LayerNorm(Layer):
    """Mean 0 and variance 1 over the last axis, then a scale and a shift per feature; torch.nn.LayerNorm.

    ``y = (x - mean) / sqrt(var + eps) * weight + bias`` (Ba, Kiros, Hinton 2016, arXiv 1607.06450), at each position by
    itself; var is the mean square of x - mean.

    Parameters
    ----------
    features : int
        F, the size of the last axis.
    eps : float
        Above 0.
    dtype : {np.float32, np.float64}

    Attributes
    ----------
    params, grads : Parameters
        ``weight`` (F,), ones at first, and ``bias`` (F,), zeros.

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

    def __init__(self, features, *, eps=1e-5, dtype=np.float32):
        self.features = arguments.as_size("features", features)
        self.eps, self.dtype = arguments.as_positive("eps", eps), arguments.as_dtype(dtype)
        (weight, shape), (bias, _) = self._shapes(**self.config())
        arguments.can_have(2 * self.features * self.dtype.itemsize, "features")
        self._own({weight: np.ones(shape, self.dtype), bias: np.zeros(shape, self.dtype)})

    @property
    def features_in(self):
        return self.features

    def features_after(self, features):
        return self.features

    @staticmethod
    def _shapes(features, **others):
        """(name, shape) of each parameter that a layer with this `config` has, one after another; allocates nothing."""
        yield "weight", (features,)
        yield "bias", (features,)

    def config(self):
        return {"features": self.features, "eps": self.eps, "dtype": str(self.dtype)}

    def _run(self, x):
        """y, x of mean 0 and variance 1, (..., F), and 1 / sqrt(var + eps), (..., 1)."""
        x = arguments.as_floats("x", x, self.dtype)
        if x.ndim == 0 or x.shape[-1] != self.features:
            raise ValueError(f"x: expected (..., {self.features}), got {x.shape}")
        x = np.require(x, requirements="C")  # then NumPy sums each row in one order, whatever stands around it
        own = self.params.own()
        with np.errstate(over="ignore", invalid="ignore"):  # infinite values give NaN, as they do in the engine
            centred = x - x.mean(axis=-1, keepdims=True)
            scale = 1 / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + self.dtype.type(self.eps))
            normal = centred * scale
            return normal * own["weight"] + own["bias"], normal, scale

    def __call__(self, x):
        """Inference: x (..., F) gives y (..., F)."""
        return self._run(x)[0]

    def forward(self, x):
        """Training: (y, tape)."""
        y, normal, scale = self._run(x)
        return y, Tape(self, (normal, scale))

    def backward(self, tape, dy):
        """Gradient with respect to x; those of the parameters are added into `grads`."""
        normal, scale = Tape.check(tape, self)
        dy = arguments.as_floats("dy", dy, self.dtype)
        if dy.shape != normal.shape:
            raise ValueError(f"dy: expected {normal.shape}, the shape of y, got {dy.shape}")
        self.check_grads()
        tape.use()
        dy = np.require(dy, requirements="C")
        grads, positions = self.grads.own(), tuple(range(dy.ndim - 1))
        with np.errstate(over="ignore", invalid="ignore"):
            # in float64: there may be very many positions, and NumPy adds them one after another
            grads["weight"] += (dy * normal).sum(axis=positions, dtype=np.float64).astype(self.dtype)
            grads["bias"] += dy.sum(axis=positions, dtype=np.float64).astype(self.dtype)
            dnormal = dy * self.params.own()["weight"]
            shift = dnormal.mean(axis=-1, keepdims=True)
            tilt = (dnormal * normal).mean(axis=-1, keepdims=True)
            return (dnormal - shift - normal * tilt) * scale

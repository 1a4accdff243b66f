# SPDX-License-Identifier: BSD-3-Clause
"""Recursive least squares: a readout that learns from one step at a time."""

import math

import numpy as np
from numpy.typing import ArrayLike

from ..._engine import passes
from ..._engine.arguments import Array, as_floats, as_fraction, as_positive
from ..._engine.recycled import check_memory
from .echo_state import EchoState
from .sequences import finite

LARGEST = 1e100  # features and targets; their squares, and those over delta, stay far from overflow


class RLS:
    """Recursive least squares for the readout of an echo state network.

    After each step the readout minimizes the sum of the squared errors so far, where errors k steps ago are weighted by
    ``forgetting_factor**k``, plus a ridge penalty: `delta` times the squared distance of the weights from their initial
    values. As in `EchoState.fit`, the bias is not penalized. Haykin, "Adaptive filter theory", 5th edition, 2014, table
    10.1; for reservoirs Jaeger, "Adaptive nonlinear system identification with echo state networks", 2003.

    Forgetting would also forget the ridge, and weights that are not excited by the input for some time would be
    dominated by rounding errors ("windup"). Each step therefore resets the ridge to `delta` for the next m of the F
    weights in turn, where ``m = ceil(F * log(1 / forgetting_factor))``, or F if that is less (Gay, "Dynamically
    regularized fast RLS with application to echo cancellation", ICASSP 1996). The ridge of a weight is always between
    ``delta / e`` and `delta`.

    Parameters
    ----------
    layer : EchoState
        Its readout is where it begins: from one that is 0, and without forgetting, the last readout is that of
        `EchoState.fit` with ``ridge=delta``.
    forgetting_factor : float
        lambda, in (0, 1]. With 1 all steps count alike; with less the last ``1 / (1 - lambda)`` or so, which should be
        more than there are weights to an output; then m is 1.
    delta : float
        Above 0; the ridge, or how firmly the first weights stay: P, the inverse of the correlations, is I / delta at
        first. It counts beside the errors of the steps that are not forgotten: the fewer, the smaller it should be.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Notes
    -----
    In float64; a step costs some 6 F**2 operations, and m times as many to renew the ridge (see `EchoState` for F).
    What is kept is a square root of P (in Potter's form: Bierman, "Factorization methods for discrete sequential
    estimation", 1977, chapter II), whose condition is only the root of P's.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> x = np.sin(0.2 * np.arange(400))[:, None]
    >>> esn = fr.EchoState(1, 50, washout=50, dtype=np.float64, seed=0)
    >>> rls = fr.RLS(esn)
    >>> y = np.stack([rls.update(x[t], x[t + 1]) for t in range(399)])  # each predicted before it is learned
    >>> error = np.abs(y - x[1:])
    >>> bool(error[60:70].max() > 100 * error[-10:].max())
    True
    """

    def __init__(self, layer: EchoState, forgetting_factor: float = 1.0, delta: float = 1e-6) -> None:
        if not isinstance(layer, EchoState):
            raise TypeError(f"layer: expected an EchoState, got {type(layer).__name__}")
        self.layer: EchoState = layer
        self.forgetting_factor: float = as_fraction("forgetting_factor", forgetting_factor)
        self.delta: float = as_positive("delta", delta)
        weight, bias = layer.params["weight"], layer.params["bias"]
        self._readout = np.concatenate([bias[:, None], weight], axis=1, dtype=np.float64)  # (O, 1+F)
        self._first = weight.astype(np.float64)  # (O, F)
        features = self._first.shape[1]
        check_memory(2 * (1 + features) ** 2 * 8, "layer")
        self._root, self._change = np.diag([1.0] + [self.delta**-0.5] * features), np.empty((1 + features,) * 2)
        self._ridge = np.full(features, self.delta)
        self._renewed = min(features, math.ceil(-features * math.log(self.forgetting_factor)))  # weights at each step
        self._turn = 0
        self._exclusive = passes.exclusive("RLS: expected one update at a time, got another from a second thread")
        self._shift: Array | None = None  # (F,), the first features, subtracted from all: offsets cost no digits then
        self.reset()

    def __repr__(self) -> str:
        return f"RLS({self.layer!r}, forgetting_factor={self.forgetting_factor}, delta={self.delta})"

    def reset(self) -> None:
        """Start a new sequence with a zero state and a washout. The readout is kept."""
        self.state: Array | None = None
        self._steps = 0

    def update(self, x: ArrayLike, y: ArrayLike) -> Array:
        """Process one or several steps and update the readout after each; the state is kept for the next call.

        Parameters
        ----------
        x : array_like, shape (T, I), or (I,) for one step
        y : array_like, shape (T, O), or (O,)
            The targets.

        Returns
        -------
        ndarray
            The outputs, of y's shape, each computed before the readout learned from that step.

        Raises
        ------
        TypeError, ValueError
            x or y has the wrong dtype or shape, is not finite, or exceeds 1e100. Nothing is changed.
        RuntimeError
            Another thread is in `update`.
        """
        with self._exclusive:
            return self._update(x, y)

    def _update(self, x: ArrayLike, y: ArrayLike) -> Array:
        layer = self.layer
        x, y = as_floats("x", x, layer.dtype), as_floats("y", y, layer.dtype)
        steps = x.shape[:-1]
        if x.ndim not in (1, 2) or x.shape[-1] != layer.input_size:
            raise ValueError(f"x: expected (T, {layer.input_size}) or ({layer.input_size},), got {x.shape}")
        if y.shape != (*steps, layer.output_size):
            raise ValueError(f"y: expected {(*steps, layer.output_size)}, a target for each step of x, got {y.shape}")
        rows, targets = np.atleast_2d(finite("x", x)), np.atleast_2d(finite("y", y))
        features, state = layer.features(rows, self.state)
        for name, array in (("x", finite("x", features)), ("y", targets)):
            if float(np.abs(array).max(initial=0)) > LARGEST:
                raise ValueError(f"{name}: expected numbers up to {LARGEST:g}, got larger ones")
        self.state = state
        outputs = np.empty(targets.shape)
        for t, step in enumerate(zip(features, targets, strict=True)):
            outputs[t] = self._learn(*step)
        if self._shift is not None:
            weight = self._readout[:, 1:]
            layer.params["weight"], layer.params["bias"] = weight, self._readout[:, 0] - weight @ self._shift
        return outputs.astype(layer.dtype).reshape(y.shape)

    def _learn(self, features: Array, target: Array) -> Array:
        """One step: the output for features (F,) before it learns that target (O,) is right."""
        x = np.concatenate([[1], features], dtype=np.float64)
        if self._shift is not None:
            x[1:] -= self._shift
        output = self._readout @ x
        self._steps += 1
        if self._steps <= self.layer.washout:
            return output
        if self._shift is None:  # the bias, which nothing holds, makes the first output right, whatever the weights
            self._shift, self._readout[:, 0] = x[1:], target
            return output
        self._root /= self.forgetting_factor**0.5  # P = root root^T
        self._absorb(x @ self._root, target - output)
        self._ridge *= self.forgetting_factor
        self._renew()
        return output

    def _renew(self) -> None:
        """Set the ridge of the weights whose turn it is back to delta: rows of least squares, each with one weight."""
        for _ in range(self._renewed):
            k, self._turn = self._turn, (self._turn + 1) % len(self._ridge)
            lost = (self.delta - self._ridge[k]) ** 0.5
            self._absorb(lost * self._root[1 + k], lost * (self._first[:, k] - self._readout[:, 1 + k]))
            self._ridge[k] = self.delta

    def _absorb(self, seen: Array, error: Array) -> None:
        """Take in a row x (1+F,) of least squares, given x^T root and the error (O,) of the readout in it."""
        scale = 1 + seen @ seen
        px = self._root @ seen
        self._readout += np.outer(error, px / scale)
        self._root -= np.outer(px, seen / (scale + scale**0.5), out=self._change)

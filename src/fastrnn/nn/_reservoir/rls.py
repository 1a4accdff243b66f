# SPDX-License-Identifier: BSD-3-Clause
"""Recursive least squares: a readout that learns from one step at a time."""

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_floats, as_fraction, as_positive, check_memory
from .echo_state import EchoState
from .sequences import finite

LARGEST = 1e100  # of the root of P, where a feature that is always 0 lets it grow with every step


class RLS:
    """Recursive least squares for the readout of an echo state network.

    After each step the readout is the one that minimizes the sum of the squared errors so far, those k steps ago
    weighted with ``forgetting_factor**k``, and of the squared distance to the first readout, weighted with ``delta``
    and, likewise, with ``forgetting_factor`` to the number of steps. Haykin, "Adaptive filter theory", 5th edition,
    2014, table 10.1; for reservoirs Jaeger, "Adaptive nonlinear system identification with echo state networks", 2003.

    Parameters
    ----------
    layer : EchoState
        Its readout is where it begins: from one that is 0, and without forgetting, the last readout is that of
        `EchoState.fit` with ``ridge=delta``.
    forgetting_factor : float
        lambda, in (0, 1]. With 1 all steps count alike; with less the last ``1 / (1 - lambda)`` or so, which should be
        more than there are weights to an output.
    delta : float
        Above 0; how firmly the first readout stays: P, the inverse of the correlations, is I / delta at first.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Notes
    -----
    In float64; a step costs some 6 F**2 operations (see `EchoState` for F). What is kept is a square root of P (in
    Potter's form: Bierman, "Factorization methods for discrete sequential estimation", 1977, chapter II). P itself
    would, with lambda below 1, lose its positive sign to rounding as soon as inputs leave directions open.

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
        size = self._readout.shape[1]
        check_memory(2 * size**2 * 8, "layer")
        self._root, self._change = np.eye(size) / self.delta**0.5, np.empty((size, size))  # P = root root^T
        self.reset()

    def reset(self) -> None:
        """Start another sequence: a zero state, and a washout. The readout stays."""
        self.state: Array | None = None
        self._steps = 0

    def update(self, x: ArrayLike, y: ArrayLike) -> Array:
        """Read one step or several, and learn from each; the state stays for the next call.

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
            x or y has the wrong dtype or shape, or is not finite. Nothing is learned then.
        """
        layer = self.layer
        x, y = as_floats("x", x, layer.dtype), as_floats("y", y, layer.dtype)
        steps = x.shape[:-1]
        if x.ndim not in (1, 2) or x.shape[-1] != layer.input_size:
            raise ValueError(f"x: expected (T, {layer.input_size}) or ({layer.input_size},), got {x.shape}")
        if y.shape != (*steps, layer.output_size):
            raise ValueError(f"y: expected {(*steps, layer.output_size)}, a target for each step of x, got {y.shape}")
        rows, targets = np.atleast_2d(finite("x", x)), np.atleast_2d(finite("y", y))
        features, state = layer.features(rows, self.state)
        finite("x", features)
        self.state = state
        outputs = np.empty(targets.shape)
        for t, step in enumerate(zip(features, targets, strict=True)):
            outputs[t] = self._learn(*step)
        layer.params["weight"], layer.params["bias"] = self._readout[:, 1:], self._readout[:, 0]
        return outputs.astype(layer.dtype).reshape(y.shape)

    def _learn(self, features: Array, target: Array) -> Array:
        """One step: the output for features (F,) before it learns that target (O,) is right."""
        x = np.concatenate([[1], features], dtype=np.float64)
        output = self._readout @ x
        self._steps += 1
        if self._steps > self.layer.washout:
            seen = x @ self._root
            scale = self.forgetting_factor + seen @ seen
            px = self._root @ seen
            self._readout += np.outer(target - output, px / scale)
            seen /= scale + np.sqrt(self.forgetting_factor * scale)
            self._root -= np.outer(px, seen, out=self._change)
            if self.forgetting_factor < 1:
                self._root /= np.sqrt(self.forgetting_factor)
                np.clip(self._root, -LARGEST, LARGEST, out=self._root)
        return output

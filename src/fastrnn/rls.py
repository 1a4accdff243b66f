# SPDX-License-Identifier: BSD-3-Clause
"""Recursive least squares: a readout that learns from one step at a time."""

import numpy as np

from . import functional
from .echostate import EchoState
from .sequences import finite


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
        lambda, in (0, 1]. With 1 all steps count alike; with less the last ``1 / (1 - lambda)`` or so. Then inputs that
        stop changing let errors of rounding grow: be near 1 with a large reservoir.
    delta : float
        Above 0; how firmly the first readout stays: the inverse correlation matrix P is I / delta at first.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Notes
    -----
    Sums are in float64. A step costs some F**2 operations and P is (1+F, 1+F): see `EchoState` for F.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> x = np.sin(0.2 * np.arange(400))[:, None]
    >>> esn = fr.EchoState(1, 50, washout=50, dtype=np.float64, seed=0)
    >>> rls = fr.RLS(esn)
    >>> y = np.stack([rls.update(x[t], x[t + 1]) for t in range(399)])  # each predicted before it is learnt
    >>> error = np.abs(y - x[1:])
    >>> bool(error[60:70].max() > 100 * error[-10:].max())
    True
    """

    def __init__(self, layer, forgetting_factor=1.0, delta=1e-6):
        if not isinstance(layer, EchoState):
            raise TypeError(f"layer: expected an EchoState, got {type(layer).__name__}")
        self.layer = layer
        self.forgetting_factor = functional.as_share("forgetting_factor", forgetting_factor)
        self.delta = functional.as_positive("delta", delta)
        weight, bias = layer.params["weight"], layer.params["bias"]
        self._readout = np.concatenate([bias[:, None], weight], axis=1, dtype=np.float64)  # (O, 1+F)
        size = self._readout.shape[1]
        functional.can_have(2 * size**2 * 8, "layer")
        self._inverse, self._change = np.eye(size) / self.delta, np.empty((size, size))  # P (1+F, 1+F)
        self.reset()

    def reset(self):
        """Begin another sequence: a state of zero, and a washout. What has been learnt stays."""
        self.state, self._steps = None, 0

    def update(self, x, y):
        """Read one step or several, and learn from each; the state stays for the next call.

        Parameters
        ----------
        x : array_like, shape (T, I), or (I,) for one step
        y : array_like, shape (T, O), or (O,)
            The targets.

        Returns
        -------
        ndarray
            The outputs, of y's shape: each as the readout was before it learnt from this step.

        Raises
        ------
        TypeError, ValueError
            x or y has the wrong dtype or shape, or is not finite. Nothing is learnt then.
        """
        layer = self.layer
        x, y = functional.as_floats("x", x, layer.dtype), functional.as_floats("y", y, layer.dtype)
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

    def _learn(self, features, target):
        """One step: the output for features (F,) before it learns that target (O,) is right."""
        x = np.concatenate([[1], features], dtype=np.float64)
        output = self._readout @ x
        self._steps += 1
        if self._steps > self.layer.washout:
            px = self._inverse @ x
            scale = self.forgetting_factor + x @ px
            self._readout += np.outer(target - output, px / scale)
            px /= np.sqrt(scale)
            self._inverse -= np.outer(px, px, out=self._change)  # exactly symmetric, and stays so
            self._inverse /= self.forgetting_factor
        return output

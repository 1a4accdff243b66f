# SPDX-License-Identifier: BSD-3-Clause
"""Residual."""

import numpy as np

from .._engine import arguments
from .._engine.layout import Layout
from .._engine.ragged import as_lengths
from ._container import described
from ._layer import Layer, results
from ._tape import Tape, omega_of


class Residual(Layer):
    """y = x + layer(x) (He et al. 2016, arXiv 1512.03385, equation 1): what the layer adds to its input.

    Parameters
    ----------
    layer : Layer
        Its output has the shape of its input, such as ``LSTM(64, 64)`` or ``GRU(64, 32, bidirectional=True)``. Several
        layers under one sum are a `Sequential` of them.

    Attributes
    ----------
    layer : Layer
    params, grads : mapping
        The layer's own, under its own names.

    Raises
    ------
    TypeError
        `layer` is not a layer.
    ValueError
        When called: the layer's output has another shape than x.

    Notes
    -----
    It takes and returns what the layer does: for a recurrent layer ``y, state = residual(x, state, lengths)``, with the
    state of the layer. Where the layer reads `lengths`, y is 0 beyond each row's length, as the recurrent layers leave
    it, and so is the gradient of x. A layer without lengths (`Linear`) treats all positions alike, and so does the sum.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> residual = fr.Residual(fr.GRU(3, 3, seed=0))
    >>> x = np.ones((5, 2, 3), np.float32)
    >>> y, h = residual(x, lengths=[5, 2])
    >>> bool((y[:2] == x[:2] + residual.layer(x)[0][:2]).all()), bool(y[2:, 1].any())
    (True, False)
    """

    def __init__(self, layer):
        if not isinstance(layer, Layer):
            raise TypeError(f"layer: expected a layer, got {type(layer).__name__}")
        self.layer = layer
        self.params, self.grads = layer.params, layer.grads

    def parts(self):
        return {"": self.layer}

    @property
    def _stored(self):
        return self.layer._stored

    @property
    def dtype(self):
        return self.layer.dtype

    @property
    def stateful(self):
        return self.layer.stateful

    @property
    def takes_lengths(self):
        return self.layer.takes_lengths

    @property
    def batch_first(self):
        """That of the layer; None if it has none."""
        return getattr(self.layer, "batch_first", None)

    @property
    def features_in(self):
        return self.layer.features_in

    def features_after(self, features):
        """Those of x: y has its shape."""
        return self.features_in if features is None else features

    def inside(self, tape):
        _, _, inner = Tape.check(tape, self)
        return [("", self.layer, inner)]

    def config(self):
        return {"layer": described(self.layer)}

    def __repr__(self):
        return f"Residual({self.layer!r})"

    def __reduce__(self):
        return Residual, (self.layer,)

    def still(self):
        return Residual(self.layer.still())

    def _beyond(self, x, given, named):
        """x's layout, and which of its (T, N) positions lie beyond their row's length; None where nothing says so."""
        given = given[1:] if self.stateful else given
        lengths = given[0] if given else named.get("lengths")
        if lengths is None or not self.takes_lengths:
            return None, None
        layout = Layout(x.ndim != 2, self.batch_first)
        T, N, _ = layout.time_major(x).shape
        return layout, np.arange(T)[:, None] >= as_lengths(lengths, T, N)

    def _run(self, method, x, given, named):
        """y, what else `method` of the layer returns, and which positions of y are zeroed."""
        x = arguments.as_floats("x", x, self.dtype)
        y, *rest = results(getattr(self.layer, method)(x, *given, **named))
        if y.shape != x.shape:
            raise ValueError(
                f"layer: expected one whose y has the shape of x, {x.shape}, got {y.shape} from {self.layer!r}"
            )
        layout, beyond = self._beyond(x, given, named)
        y = x + y
        if layout is not None:
            layout.time_major(y)[beyond] = 0
        return y, rest, (layout, beyond)

    def __call__(self, x, *given, **named):
        """Inference: y, or (y, state). After x, the layer's own arguments."""
        y, state, _ = self._run("__call__", x, given, named)
        return (y, *state) if state else y

    def forward(self, x, *given, **named):
        """Training: (y, tape), or (y, state, tape). `x` must not be changed before `backward`."""
        y, (*state, tape), zeroed = self._run("forward", x, given, named)
        return y, *state, Tape(self, (y.shape, zeroed, tape))

    def backward(self, tape, dy, *given, **named):
        """Gradient with respect to x, or (dx, dstate). After dy, the layer's own arguments."""
        shape, (layout, beyond), inner = Tape.check(tape, self)
        dy = arguments.as_floats("dy", dy, self.dtype)
        if dy.shape != shape:
            raise ValueError(f"dy: expected {shape}, the shape of y, got {dy.shape}")
        if layout is not None:
            dy = dy.copy()
            layout.time_major(dy)[beyond] = 0
        dx, *dstate = results(self.layer.backward(inner, dy, *given, **named))
        tape.use()
        tape.omega = omega_of([inner])
        dx = dx + dy
        return (dx, *dstate) if dstate else dx

    def check_dstate(self, tape, dstate):
        _, _, inner = Tape.check(tape, self)
        self.layer.check_dstate(inner, dstate)

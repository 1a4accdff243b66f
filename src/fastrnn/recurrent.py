# SPDX-License-Identifier: BSD-3-Clause
"""RNN, LSTM and GRU: parameters, layers and directions. And `Stream`, one step at a time."""

import warnings

import numpy as np

from . import functional
from .layer import Layer, Tape

NONLINEARITIES = ("tanh", "relu", "sigmoid", "selu", "identity")

# Inference runs a stack in blocks of time, all layers on one block before the next, so that what is between the layers
# stays this small however long the sequence is. The bits are those of the whole sequence at once.
BLOCK_ELEMENTS = 1 << 18
BLOCK_STEPS = 16  # at least


class Recurrent(Layer):
    """What RNN, LSTM and GRU share; see there."""

    stateful = True
    _parts = ("h",)  # what a state consists of

    def __init__(
        self,
        cell,
        input_size,
        hidden_size,
        num_layers,
        bias,
        batch_first,
        dropout,
        bidirectional,
        dtype,
        seed,
    ):
        self.cell = functional.CELLS[cell]
        self.input_size = functional.as_size("input_size", input_size)
        self.hidden_size = functional.as_size("hidden_size", hidden_size)
        self.num_layers = functional.as_size("num_layers", num_layers)
        self.bias, self.batch_first, self.bidirectional = (
            bool(bias),
            bool(batch_first),
            bool(bidirectional),
        )
        self.dropout = float(dropout)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: expected a probability in [0, 1), got {dropout!r}")
        if self.dropout and self.num_layers == 1:
            warnings.warn("dropout acts between layers: with num_layers=1 it does nothing", stacklevel=3)
        self.dtype = functional.as_dtype(dtype)
        self.num_directions = 2 if self.bidirectional else 1
        init, self._rng = functional.as_rng(seed).spawn(2)
        self._own(self._initial(init))
        self._bind()

    # -- parameters --------------------------------------------------------------------------------------------------

    @staticmethod
    def _names(layer, direction):
        """Names of w_ih, w_hh, b_ih, b_hh of one layer and direction, as PyTorch has them."""
        suffix = f"_l{layer}{'_reverse' if direction else ''}"
        return tuple(kind + suffix for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))

    @classmethod
    def _shapes(cls, input_size, hidden_size, num_layers, bias, bidirectional, **others):
        """(name, shape) of each parameter that a layer with this `config` has, one after another; allocates nothing."""
        G, H, D = cls._gates, hidden_size, 2 if bidirectional else 1
        for layer in range(num_layers):
            I = input_size if layer == 0 else D * H
            for direction in range(D):
                shapes = (G * H, I), (G * H, H), (G * H,), (G * H,)
                for name, shape in zip(cls._names(layer, direction), shapes, strict=True):
                    if bias or len(shape) == 2:
                        yield name, shape

    def _input_size(self, layer):
        return self.input_size if layer == 0 else self.num_directions * self.hidden_size

    def _initial(self, rng):
        """PyTorch's default: everything uniform in +-1/sqrt(H)."""
        bound = self.hidden_size**-0.5
        shapes = self._shapes(**self.config())
        return {name: rng.uniform(-bound, bound, shape).astype(self.dtype) for name, shape in shapes}

    def _bind(self):
        """Packed copies of each layer and direction, [layer][direction]."""
        self._weights = [
            [
                functional.weights(
                    self.cell, self.dtype, self._input_size(layer), self.hidden_size,
                    tuple(map(self.params.own().get, self._names(layer, direction))), self.params,
                )
                for direction in range(self.num_directions)
            ]
            for layer in range(self.num_layers)
        ]  # fmt: skip

    def config(self):
        return {
            "input_size": self.input_size,
            "hidden_size": self.hidden_size,
            "num_layers": self.num_layers,
            "bias": self.bias,
            "batch_first": self.batch_first,
            "dropout": self.dropout,
            "bidirectional": self.bidirectional,
            "dtype": str(self.dtype),
        }

    def _random_state(self):
        return self._rng.bit_generator.state

    def _set_random_state(self, state):
        self._rng.bit_generator.state = state

    # -- the passes --------------------------------------------------------------------------------------------------

    def _enter(self, x, state, lengths):
        """Checked arguments: x (T, N, I), its layout, the initial state, lengths or None."""
        x, layout = functional.as_sequence("x", x, self.input_size, self.dtype, self.batch_first)
        T, N, _ = x.shape
        shape = (self.num_layers * self.num_directions, N, self.hidden_size)
        state = functional.as_states("state", state, self._parts, shape, layout.batched, self.dtype)
        if lengths is not None:
            lengths = functional.as_lengths(lengths, T, N)
        return x, layout, state, lengths

    def _empty_state(self, N):
        shape = (self.num_layers * self.num_directions, N, self.hidden_size)
        return tuple(np.empty(shape, self.dtype) for _ in self._parts)

    def _leave(self, state, layout):
        """A state as the caller has it."""
        if not layout.batched:
            state = tuple(array[:, 0] for array in state)
        return state if len(state) > 1 else state[0]

    def _layer(self, layer, x, y, state, final, order, keep):
        """One layer, all directions; y (T, N, D*H) is written."""
        H, saved = self.hidden_size, []
        for direction in range(self.num_directions):
            k = layer * self.num_directions + direction
            saved.append(
                functional.forward(
                    self.cell, self._weights[layer][direction], x, y[..., direction * H : (direction + 1) * H],
                    _pair(state, k), _pair(final, k), order=order, reverse=direction == 1, keep=keep,
                )
            )  # fmt: skip
        return saved

    def __call__(self, x, state=None, lengths=None):
        """Inference: keeps nothing.

        Parameters
        ----------
        x : array_like, shape (T, N, I), with `batch_first` (N, T, I), or unbatched (T, I)
        state : array_like or tuple, optional
            h (RNN, GRU) or (h, c) (LSTM), each (L*D, N, H), unbatched (L*D, H). Zero by default.
        lengths : array_like of int, shape (N,), optional
            How many steps of each row count, 0..T, in any order.

        Returns
        -------
        y : ndarray
            Output of the last layer, D*H features in x's layout; 0 beyond a row's length.
        state : ndarray or tuple
            The state after each row's own last step, as the argument `state`.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong dtype or shape; the message names it, what was expected and what came.
        """
        x, layout, state, lengths = self._enter(x, state, lengths)
        (T, N, _), D, H = x.shape, self.num_directions, self.hidden_size
        y = np.empty(layout.shape(T, N, D * H), self.dtype)
        final = self._empty_state(N)
        if self.num_layers == 1 or D == 2:
            self._infer(x, layout.time_major(y), state, final, functional.order_of(lengths, T))
        else:
            steps = max(BLOCK_STEPS, BLOCK_ELEMENTS // max(1, N * H))
            for t in range(0, max(T, 1), steps):
                block = slice(t, min(t + steps, T))
                left = None if lengths is None else np.clip(lengths - t, 0, block.stop - t)
                self._infer(
                    x[block],
                    layout.time_major(y)[block],
                    state,
                    final,
                    functional.order_of(left, block.stop - t),
                )
                state = final
        return y, self._leave(final, layout)

    def _infer(self, x, y, state, final, order):
        """All layers; between them at most two arrays of y's shape, (T, N, D*H)."""
        spare = [np.empty(y.shape, self.dtype) for _ in range(min(self.num_layers - 1, 2))]
        for layer in range(self.num_layers):
            last = layer == self.num_layers - 1
            out = y if last else spare[layer % 2]
            self._layer(layer, x, out, state, final, order, keep=False)
            x = out

    def forward(self, x, state=None, lengths=None):
        """Training: as a call, with dropout between the layers, and keeping what `backward` needs.

        The tape refers to `x` and `y` instead of copying them: `y` is therefore read-only (copy it to change it), and
        `x` must not be changed before `backward`.

        Returns
        -------
        y : ndarray, read-only
        state : ndarray or tuple
        tape : Tape
            For one call of `backward`.
        """
        x, layout, state, lengths = self._enter(x, state, lengths)
        (T, N, _), D, H = x.shape, self.num_directions, self.hidden_size
        order = functional.order_of(lengths, T)
        final = self._empty_state(N)
        saved, masks = [], []
        for layer in range(self.num_layers):
            last = layer == self.num_layers - 1
            out = np.empty(layout.shape(T, N, D * H) if last else (T, N, D * H), self.dtype)
            y = layout.time_major(out) if last else out
            saved.append(self._layer(layer, x, y, state, final, order, keep=True))
            x = y
            if self.dropout and not last:
                mask = self._rng.random(y.shape, np.float32) >= self.dropout
                x = y * mask
                x *= 1 / (1 - self.dropout)
                masks.append(mask)
        out.flags.writeable = False
        return out, self._leave(final, layout), Tape(self, (layout, saved, masks))

    def backward(self, tape, dy, dstate=None):
        """Back-propagation through time.

        Parameters
        ----------
        tape : Tape
            From this layer's `forward`; used up.
        dy : array_like
            Gradient of the loss with respect to y, of y's shape.
        dstate : array_like or tuple, optional
            Gradient with respect to the final state, as the state. Zero by default.

        Returns
        -------
        dx : ndarray
            Gradient with respect to x; 0 beyond a row's length.
        dstate : ndarray or tuple
            Gradient with respect to the initial state.

        Raises
        ------
        TypeError, ValueError
            The tape is used or another layer's, or a gradient has the wrong dtype or shape. Nothing is added then.

        Notes
        -----
        The gradients of the parameters are added into `grads`.
        """
        layout, saved, masks = Tape.check(tape, self)
        T, N, I = saved[0][0].x.shape
        D, H = self.num_directions, self.hidden_size
        dy = functional.as_gradient("dy", dy, layout, (T, N, D * H), self.dtype)
        shape = (self.num_layers * D, N, H)
        dfinal = functional.as_states("dstate", dstate, self._parts, shape, layout.batched, self.dtype)
        tape.use()
        dinitial = self._empty_state(N)
        for layer in reversed(range(self.num_layers)):
            out = np.zeros(layout.shape(T, N, I) if layer == 0 else (T, N, D * H), self.dtype)
            dx = layout.time_major(out) if layer == 0 else out
            for direction in range(D):
                k = layer * D + direction
                grads = tuple(map(self.grads.own().get, self._names(layer, direction)))
                half = dy[..., direction * H : (direction + 1) * H]
                functional.backward(
                    self.cell, saved[layer][direction], half, _pair(dfinal, k), dx, _pair(dinitial, k), grads
                )
            if layer and masks:
                dx *= masks[layer - 1]
                dx *= 1 / (1 - self.dropout)
            dy = dx
        return out, self._leave(dinitial, layout)

    def stream(self, batch=1):
        """Run the layer one step at a time.

        Parameters
        ----------
        batch : int
            N.

        Returns
        -------
        Stream

        Raises
        ------
        ValueError
            The layer is bidirectional: its reverse direction would have to begin at the end.
        """
        return Stream(self, batch)


def _pair(state, k):
    """h and c (or None) of one layer and direction, (N, H)."""
    h = state[0]
    c = state[1] if len(state) > 1 else None
    return (None if h is None else h[k], None if c is None else c[k])


class Stream:
    """A recurrent layer that reads one step per call. Made by ``layer.stream(batch)``.

    The output has the same bits as the whole sequence at once. Weights are the layer's own: a change of its parameters
    acts on the next step. One stream must not be used from two threads at the same time.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> lstm = fr.LSTM(3, 4, seed=0)
    >>> x = np.ones((5, 1, 3), np.float32)
    >>> stream = lstm.stream()
    >>> y = np.stack([stream.step(x_t) for x_t in x])
    >>> bool((y == lstm(x)[0]).all())
    True
    """

    def __init__(self, layer, batch=1):
        if layer.bidirectional:
            raise ValueError("stream: a bidirectional layer needs the end of the sequence before its first step")
        self.batch = functional.as_size("batch", batch)
        self._layer = layer
        L, N, H = layer.num_layers, self.batch, layer.hidden_size
        self._state = tuple(np.zeros((L, N, H), layer.dtype) for _ in layer._parts)
        between = [np.empty((N, H), layer.dtype) for _ in range(L - 1)]
        stack = [(layer._weights[k][0], *_pair(self._state, k)) for k in range(L)]
        self._stepper = functional.stepper(stack, between)

    def step(self, x, out=None):
        """The next step.

        Parameters
        ----------
        x : array_like, shape (N, I), or (I,) with a batch of 1
        out : ndarray, optional
            Where to write y: C-ordered, of y's shape and dtype, sharing no memory with `x`. Then nothing is allocated.

        Returns
        -------
        y : ndarray, shape (N, H), or (H,) for x (I,)
        """
        if out is not None and self._stepper.step(x, out):
            return out
        x, out = self._checked(x, out)
        if not self._stepper.step(x, out):
            raise RuntimeError("the stepper refused arguments that had been checked")
        return out

    def _checked(self, x, out):
        """`x` and `out` as the stepper takes them, or the error that says what is wrong with them."""
        layer = self._layer
        x = functional.as_floats("x", x, layer.dtype)
        shape = (self.batch, layer.input_size)
        if x.shape != shape and not (self.batch == 1 and x.shape == shape[1:]):
            raise ValueError(f"x: expected {shape}{f' or {shape[1:]}' if self.batch == 1 else ''}, got {x.shape}")
        wanted = (*x.shape[:-1], layer.hidden_size)
        if out is None:
            return functional.readable(x), np.empty(wanted, layer.dtype)
        if not isinstance(out, np.ndarray) or out.dtype != layer.dtype:
            kind = getattr(out, "dtype", type(out).__name__)
            raise TypeError(f"out: expected an ndarray of {layer.dtype}, got {kind}")
        if out.shape != wanted or not out.flags.carray:
            raise ValueError(f"out: expected a writable C-ordered array of shape {wanted}, got shape {out.shape}")
        if np.may_share_memory(x, out):
            raise ValueError("out: expected memory of its own, got an array that overlaps x")
        return functional.readable(x), out

    @property
    def state(self):
        """The state now, as the layer's calls take and return it: h or (h, c), each (L, N, H). A copy."""
        state = tuple(array.copy() for array in self._state)
        return state if len(state) > 1 else state[0]

    @state.setter
    def state(self, value):
        given = functional.as_states("state", value, self._layer._parts, self._state[0].shape, True, self._layer.dtype)
        for array, new in zip(self._state, given, strict=True):
            array[...] = 0 if new is None else new

    def reset(self):
        """Back to the zero state."""
        self.state = None


class RNN(Recurrent):
    """Plain recurrent network (Elman 1990), torch.nn.RNN with more nonlinearities.

    ``h_t = act(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)``

    Parameters
    ----------
    input_size, hidden_size : int
        I and H.
    num_layers : int
        L; each further layer reads the outputs of the one below.
    bias : bool
    batch_first : bool
        Sequences are (N, T, features) instead of (T, N, features).
    dropout : float
        Probability with which `forward` zeroes an output between two layers (the others are scaled by 1/(1-p)).
    bidirectional : bool
        A second direction reads each row from its own end; outputs are concatenated.
    dtype : {np.float32, np.float64}
    seed : int or None
        Of the initial parameters and of dropout: the same seed gives the same run.
    nonlinearity : {"tanh", "relu", "sigmoid", "selu", "identity"}

    Attributes
    ----------
    params, grads : Parameters
        ``weight_ih_l0`` (H, I), ``weight_hh_l0`` (H, H), ``bias_ih_l0``, ``bias_hh_l0`` (H,), then ``_l1`` and so on;
        the second direction has ``_reverse`` appended. Uniform in +-1/sqrt(H) at first, as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> rnn = fr.RNN(3, 4, seed=0)
    >>> y, h = rnn(np.ones((5, 2, 3), np.float32))
    >>> y.shape, h.shape
    ((5, 2, 4), (1, 2, 4))
    """

    _gates = functional.CELLS["rnn_tanh"].gates  # and of the other nonlinearities

    def __init__(
        self, input_size, hidden_size, num_layers=1, *, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
        dtype=np.float32, seed=None, nonlinearity="tanh",
    ):  # fmt: skip
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"nonlinearity: expected one of {', '.join(NONLINEARITIES)}, got {nonlinearity!r}")
        self.nonlinearity = nonlinearity
        super().__init__(
            f"rnn_{nonlinearity}",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            dtype,
            seed,
        )

    def config(self):
        return super().config() | {"nonlinearity": self.nonlinearity}


class LSTM(Recurrent):
    """Long short-term memory, torch.nn.LSTM (Hochreiter and Schmidhuber 1997; forget gate of Gers et al. 2000).

    ``i, f, g, o = sigma, sigma, tanh, sigma(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)``,
    ``c_t = f c_(t-1) + i g``, ``h_t = o tanh(c_t)``; the state is (h, c).

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype, seed
        As in `RNN`.

    Attributes
    ----------
    params, grads : Parameters
        ``weight_ih_l0`` (4*H, I), ``weight_hh_l0`` (4*H, H), ``bias_ih_l0``, ``bias_hh_l0`` (4*H,), gates in the order
        i, f, g, o; further names as in `RNN`.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> lstm = fr.LSTM(3, 4, num_layers=2, bidirectional=True, seed=0)
    >>> x = np.ones((5, 2, 3), np.float32)
    >>> y, (h, c), tape = lstm.forward(x, lengths=[5, 3])
    >>> y.shape, h.shape, c.shape
    ((5, 2, 8), (4, 2, 4), (4, 2, 4))
    >>> dx, (dh, dc) = lstm.backward(tape, np.ones_like(y))
    >>> dx.shape, lstm.grads["weight_hh_l0"].shape
    ((5, 2, 3), (16, 4))
    """

    _parts = ("h", "c")
    _gates = functional.CELLS["lstm"].gates

    def __init__(
        self, input_size, hidden_size, num_layers=1, *, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
        dtype=np.float32, seed=None,
    ):  # fmt: skip
        super().__init__(
            "lstm",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            dtype,
            seed,
        )


class GRU(Recurrent):
    """Gated recurrent unit; torch.nn.GRU, and the form with the reset gate before the product.

    ``r, z = sigma(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)``,
    ``n = tanh(W_in x_t + b_in + r (W_hn h_(t-1) + b_hn))``, ``h_t = (1 - z) n + z h_(t-1)``.
    With ``reset_after=False`` (Cho et al. 2014, arXiv 1406.1078v3; ONNX's default)
    ``n = tanh(W_in x_t + b_in + W_hn (r h_(t-1)) + b_hn)``.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype, seed
        As in `RNN`.
    reset_after : bool
        True is PyTorch's and Keras's default.

    Attributes
    ----------
    params, grads : Parameters
        ``weight_ih_l0`` (3*H, I), ``weight_hh_l0`` (3*H, H), ``bias_ih_l0``, ``bias_hh_l0`` (3*H,), gates in the order
        r, z, n; further names as in `RNN`.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> gru = fr.GRU(3, 4, batch_first=True, seed=0)
    >>> y, h = gru(np.ones((2, 5, 3), np.float32))
    >>> y.shape, h.shape
    ((2, 5, 4), (1, 2, 4))
    """

    _gates = functional.CELLS["gru"].gates  # and of its other form

    def __init__(
        self, input_size, hidden_size, num_layers=1, *, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
        dtype=np.float32, seed=None, reset_after=True,
    ):  # fmt: skip
        self.reset_after = bool(reset_after)
        super().__init__(
            "gru" if reset_after else "gru_reset_before",
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype, seed,
        )  # fmt: skip

    def config(self):
        return super().config() | {"reset_after": self.reset_after}

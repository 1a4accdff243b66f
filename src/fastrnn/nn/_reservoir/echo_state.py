# SPDX-License-Identifier: BSD-3-Clause
"""Echo state networks: a fixed random reservoir, and a linear readout that is solved for."""

import numpy as np

from ..._engine import arguments, passes
from ..._engine.layout import as_gradient, as_states
from .._layer import Layer
from .._linear import Linear
from .._recurrent.rnn import RNN
from .._tape import Tape
from .reservoir import Joined, Reservoir
from .ridge import Ridge
from .sequences import as_sequences, batches, clear, finite, groups, pad


class EchoState(Layer):
    """Echo state network (Jaeger 2001): a reservoir of random, fixed weights and a linear readout of its states.

    ``h_t = (1 - a) h_(t-1) + a act(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)``, with the leak a, and
    ``y_t = W [x_t; h_t] + b``: equations 2 to 4 of Lukosevicius, "A practical guide to applying echo state networks",
    2012. `fit` solves for W and b. They are the `params`, what an optimizer would train.

    With several layers each reads the states of the one below, and the readout those of all (Gallicchio, Micheli,
    Pedrelli, "Deep reservoir computing", Neurocomputing 268, 2017).

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
        I, H units in each layer, L.
    output_size : int, optional
        O. By default the input size, for networks that predict their next input, as `generate` needs it.
    leak : float
        In (0, 1]; the smaller, the slower the units.
    spectral_radius : float
        At least 0. Of W_hh in each layer. Up to 1 states forget how they began, with a leak of 1 and tanh for nearly
        every input; the closer to 1, the longer the memory. Beyond, only strong inputs make them forget.
    input_scaling : float
        At least 0. W_ih is uniform in +-input_scaling, and in further layers, which read H units instead of I inputs,
        in +-input_scaling / sqrt(H).
    bias_scaling : float
        At least 0. b_ih is uniform in +-bias_scaling, b_hh is 0. With 0 there are no biases; then an odd act (tanh,
        identity) gives -x the states of x, with the other sign.
    density : float
        In (0, 1]. Each unit reads ``max(1, round(density * H))`` units of its layer.
    nonlinearity : {"tanh", "relu", "sigmoid", "selu", "identity"}
        act.
    input_to_readout : bool
        Whether the readout sees x_t, too.
    washout : int
        So many first steps of every sequence, in which the states still tell how they began, are not fitted.
    batch_first : bool
        Sequences are (N, T, features) instead of (T, N, features).
    dtype : {np.float32, np.float64}
    seed : int or None
        Of the reservoir.

    Attributes
    ----------
    params, grads : Parameters
        ``weight`` (O, F) and ``bias`` (O,) of the readout, 0 at first; F = I + L*H, or L*H without `input_to_readout`.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Notes
    -----
    The state is (L, N, H), as that of an `RNN`. `state_dict`, and with it a file, also holds the weights of the
    reservoir, under the names that they have in an `RNN`. The engine multiplies with their zeros too: `density` does
    not change the speed.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> x = np.sin(0.2 * np.arange(420))[:, None]  # (T, I)
    >>> esn = fr.EchoState(1, 50, washout=50, dtype=np.float64, seed=0)
    >>> y, state = esn.fit(x[:399], x[1:400]).generate(x[:400], 20)
    >>> bool(np.abs(y - x[400:]).max() < 1e-3)
    True
    """

    stateful = takes_lengths = True

    def __init__(
        self, input_size, hidden_size, num_layers=1, *, output_size=None, leak=1.0, spectral_radius=0.9,
        input_scaling=1.0, bias_scaling=0.0, density=0.1, nonlinearity="tanh", input_to_readout=True, washout=0,
        batch_first=False, dtype=np.float32, seed=None,
    ):  # fmt: skip
        self.leak, self.density = arguments.as_share("leak", leak), arguments.as_share("density", density)
        self.spectral_radius = arguments.as_nonnegative("spectral_radius", spectral_radius)
        self.input_scaling = arguments.as_nonnegative("input_scaling", input_scaling)
        self.bias_scaling = arguments.as_nonnegative("bias_scaling", bias_scaling)
        self.input_to_readout = arguments.as_flag("input_to_readout", input_to_readout)
        self.washout = arguments.as_size("washout", washout, 0)
        rng = arguments.as_rng(seed)
        self._rnn = RNN(
            input_size, hidden_size, num_layers, bias=self.bias_scaling > 0, batch_first=batch_first, dtype=dtype,
            seed=0, nonlinearity=nonlinearity, leak=leak,
        )  # fmt: skip
        for name in ("input_size", "hidden_size", "num_layers", "nonlinearity", "batch_first", "dtype"):
            setattr(self, name, getattr(self._rnn, name))
        self.output_size = self.input_size if output_size is None else arguments.as_size("output_size", output_size)
        self._reservoir = Reservoir(self._rnn, self.input_to_readout)
        self._reservoir.draw(*rng.spawn(1), self.spectral_radius, self.density, self.input_scaling, self.bias_scaling)
        self._readout = Linear(self._reservoir.features, self.output_size, dtype=self.dtype, seed=0)
        self.params, self.grads = self._readout.params, self._readout.grads
        for array in self.params.values():
            array.fill(0)

    @staticmethod
    def _shapes(input_size, hidden_size, num_layers, output_size, bias_scaling, input_to_readout, **others):
        """(name, shape) of each array of `_stored` that a layer with this `config` has; allocates nothing."""
        yield from RNN._shapes(input_size, hidden_size, num_layers, bias_scaling > 0, bidirectional=False)
        features = num_layers * hidden_size + (input_size if input_to_readout else 0)
        yield from Linear._shapes(features, output_size, bias=True)

    @property
    def features_in(self):
        return self.input_size

    def features_after(self, features):
        return self.output_size

    @property
    def _stored(self):
        return Joined(self._rnn.params, self._readout.params)

    def config(self):
        names = (
            "input_size", "hidden_size", "num_layers", "output_size", "leak", "spectral_radius", "input_scaling",
            "bias_scaling", "density", "nonlinearity", "input_to_readout", "washout", "batch_first",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {"dtype": str(self.dtype)}

    # -- the passes --------------------------------------------------------------------------------------------------

    def __call__(self, x, state=None, lengths=None):
        """Inference: keeps nothing.

        Parameters
        ----------
        x : array_like, shape (T, N, I), with `batch_first` (N, T, I), or unbatched (T, I)
        state : array_like, optional
            (L, N, H), unbatched (L, H). Zero by default.
        lengths : array_like of int, shape (N,), optional
            How many steps of each row count, 0..T, in any order.

        Returns
        -------
        y : ndarray
            O features in x's layout; 0 beyond a row's length.
        state : ndarray
            The state after each row's own last step, as the argument `state`.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong dtype or shape; the message names it, what was expected and what came.
        """
        x, layout, state, lengths = self._rnn._enter(x, state, lengths)
        T, N, _ = x.shape
        y = np.empty(layout.shape(T, N, self.output_size), self.dtype)
        state = self._run(x, state, lengths, layout.time_major(y))
        return y, self._rnn._leave(state, layout)

    def features(self, x, state=None, lengths=None):
        """What the readout sees: (features, state), F features in x's layout; 0 beyond a row's length."""
        x, layout, state, lengths = self._rnn._enter(x, state, lengths)
        features = np.empty(layout.shape(*x.shape[:2], self._reservoir.features), self.dtype)
        final = self._rnn._empty_state(x.shape[1])
        for block, found in self._reservoir.blocks(x, state, lengths, final):
            layout.time_major(features)[block] = found
        return features, self._rnn._leave(final, layout)

    def _run(self, x, state, lengths, y):
        """Write y (T, N, O) and return the state after it."""
        final = self._rnn._empty_state(x.shape[1])
        for block, features in self._reservoir.blocks(x, state, lengths, final):
            y[block] = self._readout(features)
        clear(y, lengths)
        return final

    def forward(self, x, state=None, lengths=None):
        """Training: (y, state, tape). `x` must not be changed before `backward`."""
        x, layout, state, lengths = self._rnn._enter(x, state, lengths)
        features, final, saved = self._reservoir.forward(x, state, lengths)
        y = np.empty(layout.shape(*x.shape[:2], self.output_size), self.dtype)
        layout.time_major(y)[...], inner = self._readout.forward(features)
        clear(layout.time_major(y), lengths)
        return y, self._rnn._leave(final, layout), Tape(self, (layout, lengths, features, saved, inner))

    def backward(self, tape, dy, dstate=None):
        """Gradients with respect to x and the initial state, through the reservoir; the readout's go into `grads`."""
        layout, lengths, _, saved, inner = Tape.check(tape, self)
        T, N, I = saved[0].x.shape
        dy = as_gradient("dy", dy, layout, (T, N, self.output_size), self.dtype)
        dfinal = self.check_dstate(tape, dstate)
        self.check_grads()
        tape.use()
        if lengths is not None:
            dy = dy.copy()
            clear(dy, lengths)
        dx = np.zeros(layout.shape(T, N, I), self.dtype)
        dfeatures = self._readout.backward(inner, dy)
        dinitial = self._reservoir.backward(saved, dfeatures, dfinal, layout.time_major(dx))
        return dx, self._rnn._leave(dinitial, layout)

    def inside(self, tape):
        layout, _, _, saved, _ = Tape.check(tape, self)
        return [("", self._rnn, Tape(self._rnn, (layout, [[layer] for layer in saved], [], [])))]  # as its own forward

    def check_dstate(self, tape, dstate):
        """Upstream gradients of the final state, as arrays (L, N, H) or None, or the error that they deserve."""
        layout, _, _, saved, _ = Tape.check(tape, self)
        shape = (self.num_layers, saved[0].x.shape[1], self.hidden_size)
        return as_states("dstate", dstate, ("h",), shape, layout.batched, self.dtype)

    # -- what an echo state network is for ---------------------------------------------------------------------------

    def fit(self, x, y, ridge=1e-6, lengths=None):
        """Solve for the readout: least squares over all steps after the washout, each sequence from a zero state.

        Parameters
        ----------
        x : array_like, as in a call, or list of array_like, (T_k, I) each
            One array, or sequences of any lengths.
        y : array_like or list of array_like
            The targets, O features in x's layout.
        ridge : float
            At least 0. Weight of the squares of W and b beside the squared errors, both summed (see `Ridge`).
        lengths : array_like of int, optional
            As in a call; not for lists.

        Returns
        -------
        EchoState
            Itself.

        Raises
        ------
        TypeError, ValueError
            x and y do not fit each other, a sequence has no step after the washout, or a number is not finite. The
            readout is as before then.

        Notes
        -----
        In float64, and with memory for some 3 F**2 numbers and one block of time, however long x is.
        """
        ridge = arguments.as_nonnegative("ridge", ridge)
        regression = Ridge(self._reservoir.features, self.output_size)
        for features, targets in self._samples(x, y, lengths):
            regression.add(features, targets)
        if not regression.samples:
            raise ValueError("x: expected at least one step to fit, got none")
        self.params["weight"], self.params["bias"] = regression.solve(ridge)
        return self

    def _samples(self, x, y, lengths):
        """Features (R, F) and targets (R, O) of the steps to fit, block by block."""
        sizes = self.input_size, self.output_size
        for rows, targets, ends in batches(x, y, lengths, sizes, self.washout, self.dtype, self.batch_first):
            final = self._rnn._empty_state(len(ends))
            for block, features in self._reservoir.blocks(rows, (None,), ends, final):
                t = np.arange(block.start, block.stop)[:, None]
                fitted = (t >= self.washout) & (t < ends)
                yield finite("x", features[fitted]), finite("y", targets[block][fitted])

    def _check_fitted(self):
        if not any(self._peek(name).any() for name in self.params):
            raise ValueError("the readout is 0 everywhere: expected a network after fit, update, training or loading")

    def predict(self, x):
        """The outputs y of a fitted network from a zero state, those of the washout too.

        x is an array as in a call, or a list of sequences as in `fit`; then so is y. Raises what a call raises, and a
        ValueError if the readout has not been fitted.
        """
        self._check_fitted()
        if not isinstance(x, list | tuple):
            return self(x)[0]
        found, x = [], as_sequences("x", x, self.input_size, self.dtype)
        for group in groups(x):
            padded, lengths = pad(x[group])
            y = np.empty((*padded.shape[:2], self.output_size), self.dtype)
            self._run(padded, (None,), lengths, y)
            found += [y[:length, row].copy() for row, length in enumerate(lengths)]
        return found

    def generate(self, x, steps, state=None):
        """Run freely: read x, then each output as the next input.

        Parameters
        ----------
        x : array_like, as in a call
            At least one step; for a state of zero, as many as the network needs to forget it (`washout`).
        steps : int
            How many outputs.
        state : array_like, optional
            As in a call.

        Returns
        -------
        y : ndarray
            In x's layout, with `steps` steps: the output after the last step of x, and those that follow.
        state : ndarray
            The state then, before the last of y is read: ``generate(last of y, more, state)`` goes on.

        Raises
        ------
        TypeError, ValueError
            As in a call; or the output size is not the input size, x is empty, or the readout has not been fitted.
        """
        if self.output_size != self.input_size:
            raise ValueError(f"output_size: expected {self.input_size}, the input size, got {self.output_size}")
        self._check_fitted()
        steps = arguments.as_size("steps", steps)
        x, layout, state, _ = self._rnn._enter(x, state, None)
        T, N, I = x.shape
        if not T or not N:
            raise ValueError(f"x: expected at least one step and one row, got {T} and {N}")
        y = np.empty((steps, N, I), self.dtype)
        final = self._rnn._empty_state(N)
        for _, features in self._reservoir.blocks(x, state, None, final):
            y[0] = self._readout(features[-1])
        stream = self._reservoir.stream(final[0])
        readout = passes.stepper([(self._readout._weights, np.empty((N, I), self.dtype), None)], [])
        for t in range(1, steps):
            stream.step(y[t - 1])
            readout.step(stream.features, y[t])
        out = np.empty(layout.shape(steps, N, I), self.dtype)
        layout.time_major(out)[...] = y
        return out, self._rnn._leave((stream.state,), layout)

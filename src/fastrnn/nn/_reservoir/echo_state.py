# SPDX-License-Identifier: BSD-3-Clause
"""Echo state networks: a fixed random reservoir, and a linear readout that is solved for."""

from dataclasses import KW_ONLY
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import FRACTION, NONNEGATIVE, Array, readable
from ..._engine.layout import StateArrays, as_state
from .._layer import Layer, Shapes
from .._linear import Linear
from .._options import Choice, DType, Flag, Number, OptionalSize, Seed, Size
from .._parameters import Joined, NamedArrays
from .._recurrent.rnn import NONLINEARITIES, RNN
from .._recurrent.training import Trained
from .._stateful import StatefulLayer
from .._tape import Tape, open_tape
from . import fitting
from .reservoir import Reservoir
from .sequences import clear


class EchoState(StatefulLayer[Array]):
    """Echo state network (Jaeger 2001): a reservoir of random, fixed weights and a linear readout of its states.

    ``h_t = (1 - a) h_(t-1) + a act(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)``, with the leak a, and
    ``y_t = W [x_t; h_t] + b``: equations 2 to 4 of Lukosevicius, "A practical guide to applying echo state networks",
    2012. `fit` solves for W and b, which are the `params` that an optimizer would train.

    With several layers each reads the states of the one below, and the readout those of all (Gallicchio, Micheli,
    Pedrelli, "Deep reservoir computing", Neurocomputing 268, 2017).

    Attributes
    ----------
    params, grads : Parameters
        ``weight`` (O, F) and ``bias`` (O,) of the readout, initially 0; F = I + L*H, or L*H without `input_to_readout`.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Notes
    -----
    The state is (L, N, H), like that of an `RNN`. `state_dict`, and so a file, also holds the weights of the
    reservoir, under the names that they have in an `RNN`. The engine multiplies by their zeros too: `density` does
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

    input_size: Size = Size("I, the features of each step of x.")
    hidden_size: Size = Size("H, the units of each layer.")
    num_layers: Size = Size("L; each further layer reads the states of the layer below.", default=1)
    _: KW_ONLY
    output_size: OptionalSize = OptionalSize(
        "O, the features of each step of y. None is the input size, for networks that predict their next input, as "
        "`generate` needs it.",
        default=None,
    )
    leak: Number = Number("a, in (0, 1]; the smaller, the slower the units.", FRACTION, default=1.0)
    spectral_radius: Number = Number(
        "Of W_hh in each layer, at least 0. Up to 1 states forget how they began, with a leak of 1 and tanh for "
        "nearly every input; the closer to 1, the longer the memory. Above 1, only strong inputs make them forget.",
        NONNEGATIVE,
        default=0.9,
    )
    input_scaling: Number = Number(
        "At least 0. W_ih is uniform in +-input_scaling, and in further layers, which read H units instead of I "
        "inputs, in +-input_scaling / sqrt(H).",
        NONNEGATIVE,
        default=1.0,
    )
    bias_scaling: Number = Number(
        "At least 0. b_ih is uniform in +-bias_scaling, b_hh is 0. With 0 there are no biases; an odd act (tanh, "
        "identity) then gives -x the states of x, with the opposite sign.",
        NONNEGATIVE,
        default=0.0,
    )
    density: Number = Number(
        "In (0, 1]. Each unit reads ``max(1, round(density * H))`` units of its layer.", FRACTION, default=0.1
    )
    nonlinearity: Choice = Choice(
        "act, the function that makes a state of the sum above.", NONLINEARITIES, default="tanh"
    )
    input_to_readout: Flag = Flag("Whether the readout reads x_t, too.", default=True)
    washout: Size = Size(
        "The number of first steps of every sequence, in which the states still depend on how they began, that "
        "`fit` leaves out.",
        default=0,
        low=0,
    )
    batch_first: Flag = Flag("Sequences are (N, T, features) instead of (T, N, features).", default=False)
    dtype: DType = DType(default=np.float32)
    seed: Seed = Seed("Of the reservoir.", default=None)

    def __post_init__(self, seed: np.random.Generator) -> None:
        if self.output_size is None:
            self.__dict__["output_size"] = self.input_size
        self._rnn = RNN(
            self.input_size, self.hidden_size, self.num_layers, bias=self.bias_scaling > 0,
            batch_first=self.batch_first, dtype=self.dtype, seed=0, nonlinearity=self.nonlinearity, leak=self.leak,
        )  # fmt: skip
        self._reservoir = Reservoir(self._rnn, self.input_to_readout)
        self._reservoir.draw(*seed.spawn(1), self.spectral_radius, self.density, self.input_scaling, self.bias_scaling)
        self._readout = Linear(self._reservoir.features, self.output_size, dtype=self.dtype, seed=0)  # type: ignore[arg-type]
        for _, array in self._readout.params.items():
            array.fill(0)

    @classmethod
    def parameter_shapes(
        cls, input_size: int, hidden_size: int, num_layers: int, output_size: int, bias_scaling: float,
        input_to_readout: bool, **others: Any,
    ) -> Shapes:  # fmt: skip
        bias = bias_scaling > 0
        yield from RNN.parameter_shapes(input_size, hidden_size, num_layers, bias, bidirectional=False)
        features = num_layers * hidden_size + (input_size if input_to_readout else 0)
        yield from Linear.parameter_shapes(features, output_size, bias=True)

    @property
    def params(self) -> NamedArrays:
        return self._readout.params

    @property
    def grads(self) -> NamedArrays:
        return self._readout.grads

    @property
    def stored(self) -> NamedArrays:
        return Joined([("", self._rnn.params), ("", self._readout.params)])

    @property
    def features_in(self) -> int:
        return self.input_size

    def features_after(self, features: int | None) -> int | None:
        return self.output_size

    # -- the passes --------------------------------------------------------------------------------------------------

    def __call__(
        self, x: ArrayLike, state: Array | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, Array]:
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
            The state after each row's own last step, in the form of the argument `state`.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong dtype or shape; the message names it, what was expected and what came.
        """
        return self._run(x, state, lengths, self.output_size, self._readout)  # type: ignore[arg-type]

    def features(
        self, x: ArrayLike, state: Array | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """What the readout reads: (features, state), F features in x's layout; 0 beyond a row's length."""
        return self._run(x, state, lengths, self._reservoir.features, lambda features: features)

    def _run(self, x: Any, state: Any, lengths: Any, features: int, readout: Any) -> tuple[Array, Array]:
        """A function of the features of each step, in x's layout, and the final state."""
        x, layout, initial, lengths = self._rnn.stack.enter(x, state, lengths, self.batch_first)
        y = np.empty(layout.shape(*x.shape[:2], features), self.dtype)
        final = fitting.write_outputs(self._reservoir, readout, x, (initial, lengths), layout.time_major(y))
        return y, self._state(final, layout)

    def _state(self, final: StateArrays, layout: Any) -> Array:
        """A state in the form that a caller has."""
        (h,) = final
        return as_state([h if layout.batched else h[:, 0]])  # type: ignore[index]

    def forward(
        self, x: ArrayLike, state: Array | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, Array, Tape]:
        """Training: (y, state, tape). `x` must not be changed before `backward`."""
        x, layout, initial, lengths = self._rnn.stack.enter(x, state, lengths, self.batch_first)
        features, final, saved = self._reservoir.forward(x, initial, lengths)
        y = np.empty(layout.shape(*x.shape[:2], self.output_size), self.dtype)
        layout.time_major(y)[...], inner = self._readout.forward(features)
        clear(layout.time_major(y), lengths)
        return y, self._state(final, layout), Tape(self, (layout, lengths, features, saved, inner), y.shape)

    def backward(self, tape: Tape, dy: ArrayLike, dstate: Array | None = None) -> tuple[Array, Array]:
        """Gradients of x and of the initial state, through the reservoir; the readout's go into `grads`."""
        (layout, lengths, _, saved, inner), dy = self._opened(tape, dy)
        dfinal = self.check_dstate(tape, dstate)
        tape.close()
        dy = readable(layout.time_major(dy))
        if lengths is not None:
            dy = dy.copy()
            clear(dy, lengths)
        dx = np.zeros(layout.shape(*saved[0][0].x.shape), self.dtype)
        dfeatures = self._readout.backward(inner, dy)
        dinitial = self._reservoir.backward(saved, dfeatures, dfinal, layout.time_major(dx))
        return dx, self._state(dinitial, layout)

    def child_tapes(self, tape: Tape) -> list[tuple[str, Layer, Tape]]:
        layout, _, _, saved, _ = open_tape(tape, self)
        T, N, H = saved[-1][0].y.shape
        content = layout, Trained(saved, [], [[None]] * self.num_layers)  # as the RNN's own forward saves it
        return [("", self._rnn, Tape(self._rnn, content, layout.shape(T, N, H)))]

    def check_dstate(self, tape: Tape, dstate: Any) -> StateArrays:
        layout, _, _, saved, _ = open_tape(tape, self)
        return self._rnn.stack.as_states("dstate", dstate, saved[0][0].x.shape[1], layout)

    # -- what an echo state network is for ---------------------------------------------------------------------------

    def fit(self, x: Any, y: Any, ridge: float = 1e-6, lengths: ArrayLike | None = None) -> "EchoState":
        """Solve for the readout: least squares over all steps after the washout, each sequence from a zero state.

        Parameters
        ----------
        x : array_like, as in a call, or list of array_like, (T_k, I) each
            One array, or sequences of any lengths.
        y : array_like or list of array_like
            The targets, O features in x's layout.
        ridge : float, default 1e-6
            At least 0. The weight of the squares of W and b beside the squared errors, both summed: ``W = Y X^T (X
            X^T + ridge I)^-1`` (equation 9 of the guide named above).
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
            readout is unchanged then.

        Notes
        -----
        In float64, with memory for some 3 F**2 numbers and one block of time, however long x is.
        """
        self.params["weight"], self.params["bias"] = fitting.solved(self, self._reservoir, (x, y, lengths), ridge)
        return self

    def predict(self, x: Any) -> Any:
        """The outputs y of a fitted network from a zero state, including those of the washout.

        x is an array as in a call, or a list of sequences as in `fit`; then so is y. Raises what a call raises, and a
        ValueError if the readout has not been fitted.
        """
        fitting.check_fitted(self)
        if not isinstance(x, list | tuple):
            return self(x)[0]
        return fitting.predicted(self, self._reservoir, self._readout, x)

    def generate(self, x: ArrayLike, steps: int, state: Array | None = None) -> tuple[Array, Array]:
        """Run freely: read x, then each output as the next input.

        Parameters
        ----------
        x : array_like, as in a call
            At least one step; from a zero state, as many as the network needs to forget it (`washout`).
        steps : int
            The number of outputs.
        state : array_like, optional
            As in a call.

        Returns
        -------
        y : ndarray
            In x's layout, with `steps` steps: the output after the last step of x, and those that follow.
        state : ndarray
            The state before the last of y is read: ``generate(last of y, more, state)`` continues.

        Raises
        ------
        TypeError, ValueError
            As in a call; or the output size is not the input size, x is empty, or the readout has not been fitted.
        """
        if self.output_size != self.input_size:
            raise ValueError(f"output_size: expected {self.input_size}, the input size, got {self.output_size}")
        fitting.check_fitted(self)
        entered = self._rnn.stack.enter(x, state, None, self.batch_first)
        y, final = fitting.generated(self._reservoir, self._readout, entered, steps)
        return entered[1].laid_out(y), self._state((final,), entered[1])

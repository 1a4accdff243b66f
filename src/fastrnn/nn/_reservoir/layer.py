# SPDX-License-Identifier: BSD-3-Clause
"""A reservoir and its readout as a layer."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import FRACTION, NONNEGATIVE, Array, Generator, readable
from ..._engine.layout import StateArrays, as_state
from .._layer import Layer, Shapes
from .._linear import Linear
from .._option import KW_ONLY
from .._options import Choice, DType, Flag, InferredSize, Number, Seed, Size
from .._parameters import Joined, NamedArrays
from .._recurrent.rnn import NONLINEARITIES, RNN
from .._recurrent.training import Trained
from .._stateful import StatefulLayer
from .._tape import Tape, open_tape
from .reservoir import Reservoir
from .sequences import clear


class ReservoirLayer(StatefulLayer[Array]):
    """A fixed random reservoir and a linear readout of its states: the part of `EchoState` that is a layer."""

    input_size: Size = Size("I, the features of each step of x.")
    hidden_size: Size = Size("H, the units of each layer.")
    num_layers: Size = Size("L; each further layer reads the states of the layer below.", default=1)
    _: KW_ONLY
    output_size: InferredSize = InferredSize(
        "O, the features of each step of y. None is the input size, for networks that predict their next input, as "
        "`generate` needs it.",
        default=None,
    )
    leak: Number = Number("a, in (0, 1]; smaller values make the units slower.", FRACTION, default=1.0)
    spectral_radius: Number = Number(
        "The spectral radius of W_hh in each layer, at least 0. Up to 1, with a leak of 1 and tanh, the initial "
        "state is forgotten for nearly every input; the closer to 1, the longer the memory. Above 1, it is forgotten "
        "only with strong inputs.",
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
    nonlinearity: Choice = Choice("act, the activation function.", NONLINEARITIES, default="tanh")
    input_to_readout: Flag = Flag("Whether the readout reads x_t, too.", default=True)
    washout: Size = Size(
        "The number of steps at the start of every sequence that `fit` ignores, because their states still depend on "
        "the initial state.",
        default=0,
        low=0,
    )
    batch_first: Flag = Flag("Sequences are (N, T, features) instead of (T, N, features).", default=False)
    dtype: DType = DType(default=np.float32)
    seed: Seed = Seed("Seed of the reservoir.", default=None)

    def _setup(self, seed: Generator) -> None:
        if self.output_size is None:
            vars(self)["output_size"] = self.input_size
        self._rnn = RNN(
            self.input_size, self.hidden_size, self.num_layers, bias=self.bias_scaling > 0,
            batch_first=self.batch_first, dtype=self.dtype, seed=0, nonlinearity=self.nonlinearity, leak=self.leak,
        )  # fmt: skip
        self._reservoir = Reservoir(self._rnn, self.input_to_readout)
        (own,) = seed.spawn(1)
        self._reservoir.draw(own, self.spectral_radius, self.density, self.input_scaling, self.bias_scaling)
        self._readout = Linear(self._reservoir.features, self.output_size, dtype=self.dtype, seed=0)
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

    @property
    def takes_resets(self) -> bool:
        return True

    # -- the passes --------------------------------------------------------------------------------------------------

    def features(
        self, x: ArrayLike, state: Array | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """The inputs of the readout: (features, state), F features in x's layout; 0 beyond a row's length."""
        return self._run(x, state, lengths, self._reservoir.features, lambda features: features)

    def _run(self, x: Any, state: Any, lengths: Any, features: int, readout: Any) -> tuple[Array, Array]:
        """A function of the features of each step, in x's layout, and the final state."""
        x, layout, initial, rows = self._rnn.stack.enter(x, state, lengths, self.batch_first)
        y = np.empty(layout.shape(x.shape[0], x.shape[1], features), self.dtype)
        final = self._reservoir.write(readout, x, (initial, rows), layout.time_major(y))
        return y, self._state(final, layout)

    def _state(self, final: StateArrays, layout: Any) -> Array:
        """A state in the form that a caller has."""
        (h,) = final
        return as_state([h if layout.batched else h[:, 0]])  # type: ignore[index]

    def _forward(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, Array, Any]:
        if not training:
            return *self._run(x, state, lengths, self.output_size, self._readout), None
        x, layout, initial, rows = self._rnn.stack.enter(x, state, lengths, self.batch_first)
        features, final, saved = self._reservoir.forward(x, initial, rows)
        y = np.empty(layout.shape(x.shape[0], x.shape[1], self.output_size), self.dtype)
        layout.time_major(y)[...], inner = self._readout.forward(features)
        clear(layout.time_major(y), rows.lengths)
        return y, self._state(final, layout), (layout, rows.lengths, saved, inner)

    def _backward(self, saved: Any, dy: Array, dstate: Any, extras: dict[str, float]) -> tuple[Array, Array]:
        layout, lengths, steps, inner = saved
        dy = readable(layout.time_major(dy))
        if lengths is not None:
            dy = dy.copy()
            clear(dy, lengths)
        dx = np.zeros(layout.shape(*steps.x.shape), self.dtype)
        dfeatures = self._readout.backward(inner, dy)
        dinitial = self._reservoir.backward(steps, dfeatures, dstate, layout.time_major(dx))
        return dx, self._state(dinitial, layout)

    def child_tapes(self, tape: Tape) -> list[tuple[str, Layer, Tape]]:
        ((layout, _, saved, _),) = open_tape(tape, self)
        T, N, H = saved.ys[-1].shape
        content = ((layout, Trained(saved, [None] * self.num_layers)),)  # as the RNN's own forward saves it
        return [("", self._rnn, Tape(self._rnn, content, layout.shape(T, N, H)))]

    def check_dstate(self, tape: Tape, dstate: Any) -> StateArrays:
        ((layout, _, saved, _),) = open_tape(tape, self)
        return self._rnn.stack.as_states("dstate", dstate, saved.x.shape[1], layout)

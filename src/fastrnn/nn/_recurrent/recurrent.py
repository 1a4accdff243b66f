# SPDX-License-Identifier: BSD-3-Clause
"""Base class of RNN, LSTM and GRU."""

from abc import abstractmethod
from typing import Any

from numpy.typing import ArrayLike

from ..._engine import recycled
from ..._engine.arguments import Array, Generator, readable
from ..._engine.cells import Cell
from ..._engine.layout import Layout, StateArrays, as_state
from .._layer import Layer, Shapes, rebuilt
from .._stateful import State
from .._tape import Tape, open_tape
from .._warnings import warn
from . import parameters
from .options import RecurrentOptions
from .regularization import Regularization
from .stack import Stack
from .stream import Stream
from .training import Random, backward, forward


class RecurrentBase(RecurrentOptions[State]):
    """A stack of recurrent layers; what RNN, LSTM and GRU share."""

    def _setup(self, seed: Generator) -> None:
        if self.dropout and self.num_layers == 1:
            warn("dropout acts between layers: with num_layers=1 it does nothing", stacklevel=3)
        self.num_directions: int = 2 if self.bidirectional else 1
        self.cell: Cell = self.cell_of(**self.config())
        self._regularization = Regularization.of(self)
        self._check_directions()
        self._check_options()
        self._own(self.initial_parameters(seed))
        (self._rng,) = seed.spawn(1)
        rules = self._regularization if self._regularization.active else None
        self._random = Random(self._rng, self.dropout, rules)
        sizes = self.input_size, self.hidden_size, self.num_directions
        update = self._regularization.inference(self.hidden_size, self.dtype)
        names = [parameters.names(k, d) for k in range(self.num_layers) for d in range(self.num_directions)]
        self.stack: Stack = Stack(self.cell, *sizes, self.dtype, self._arrays, names, update)
        self.stack.reverse = self.reverse
        self._weight_grads = [tuple(map(self._grad_arrays.get, four)) for four in names]  # of each layer and direction
        self._fast_path: Any = self.stack.fast_path(self.batch_first, self._weight_grads)
        self._fast_path.restrict(self.learn_initial_state, self._has_own_training(), self.reverse)

    @classmethod
    @abstractmethod
    def cell_of(cls, *args: Any, **config: Any) -> Cell:
        """The cell of a layer with this `config`."""

    def _check_options(self) -> None:
        """Raise ValueError for options that do not fit each other."""

    # -- parameters --------------------------------------------------------------------------------------------------

    @staticmethod
    def parameter_names(layer: int, direction: int) -> tuple[str, str, str, str]:
        """The names of w_ih, w_hh, b_ih, b_hh of one layer and direction, as PyTorch has them."""
        return parameters.names(layer, direction)

    @classmethod
    def parameter_shapes(
        cls, input_size: int, hidden_size: int, num_layers: int, bias: bool, bidirectional: bool,
        learn_initial_state: bool = False, **others: Any,
    ) -> Shapes:  # fmt: skip
        cell, sizes = cls.cell_of(**others), (input_size, hidden_size, num_layers, 2 if bidirectional else 1)
        yield from parameters.shapes(cell.gates, sizes, bias)
        if learn_initial_state:
            yield from parameters.state_shapes(cell.parts, sizes)

    def initial_parameters(self, rng: Generator) -> dict[str, Array]:
        """PyTorch's default: every parameter uniform in +-1/sqrt(H); 0 for an initial state that is learned."""
        sizes = self.input_size, self.hidden_size, self.num_layers, self.num_directions
        parts = self.cell.parts if self.learn_initial_state else ()
        return parameters.initial(self.cell.gates, sizes, self.bias, self.dtype, rng, parts)

    def initial_states(self, N: int) -> StateArrays:
        """The initial state of a call without a state: learned arrays (L*D, N, H), or None for zeros."""
        parts = self.cell.parts
        return parameters.initial_states(self._arrays, parts, N) if self.learn_initial_state else (None,) * len(parts)

    def other_names(self) -> dict[str, str]:
        """The names of a PyTorch cell, such as torch.nn.LSTMCell, for one layer of one direction."""
        single = (self.num_layers, self.num_directions) == (1, 1)
        return {name.removesuffix("_l0"): name for name in self._arrays if single and name.endswith("_l0")}

    def inference_copy(self) -> Layer:
        config = self.config() | {"recompute": False, "dropout": 0.0}
        copy = rebuilt(type(self), config, self.state_dict(), None)
        copy._random = copy._random._replace(regularization=None)  # type: ignore[attr-defined]
        return copy

    @property
    def takes_packed(self) -> bool:
        return not self.refusing_options("takes_packed")

    # -- passes ------------------------------------------------------------------------------------------------------

    def __call__(
        self, x: ArrayLike, state: State | None = None, lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None, resets: ArrayLike | None = None,
    ) -> tuple[Array, State]:  # fmt: skip
        """Inference.

        Parameters
        ----------
        x : array_like, shape (T, N, I), with `batch_first` (N, T, I), or unbatched (T, I)
        state : array_like or tuple, optional
            h (RNN, GRU) or (h, c) (LSTM), each (L*D, N, H), unbatched (L*D, H). By default zero, or the learned initial
            state.
        lengths : array_like of int, shape (N,), optional
            The number of valid steps of each row, 0..T, in any order.
        mask : array_like of bool, shape (T, N), with `batch_first` (N, T), or unbatched (T,), optional
            Steps where it is False are skipped, as if the row did not have them. By default no step is skipped.
        resets : array_like of bool, laid out as `mask`, optional
            The state is set to zero before each step where it is True: a new sequence starts there. In the reverse
            direction of a bidirectional layer, no state crosses this place either.

        Returns
        -------
        y : ndarray
            The output of the last layer, D*H features in x's layout; 0 beyond a row's length and at masked steps.
        state : ndarray or tuple
            The state after each row's own last step, in the form of the argument `state`.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong dtype or shape; the message names it, what was expected and what was given.
        """
        if (result := self._quickly(self._fast_path, x, state, lengths, mask, resets)) is not None:
            return result
        return super().__call__(x, state, lengths, mask, resets)

    def _has_own_training(self) -> bool:
        """Whether a training pass may be more than the layers, one after another."""
        own = type(self)._forward is not RecurrentBase._forward or type(self)._backward is not RecurrentBase._backward
        return own or bool(self.dropout) or self._random.regularization is not None or self.recompute

    def _forward(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, State, Any]:
        x, layout, initial, rows = self.stack.enter(x, state, lengths, self.batch_first)
        (T, R, _), (_, N) = x.shape, rows.sizes(x.shape)
        if learned := state is None and self.learn_initial_state:
            initial = self.initial_states(N)
        y = recycled.empty(layout.shape(T, R, self.num_directions * self.hidden_size), self.dtype)
        final, saved = self.stack.empty_state(N), None
        if training:
            out, states = layout.time_major(y), (initial, final)
            trained = forward(self.stack, x, out, states, rows, self._random, self.recompute)
            saved = trained._replace(from_parameters=learned)
            y.setflags(write=False)  # the tape refers to it
        else:
            self.stack.infer(x, layout.time_major(y), initial, final, rows)
        return y, self._state(final, layout), (layout, saved)

    def _backward(self, saved: Any, dy: Array, dstate: Any, extras: dict[str, float]) -> tuple[Array, State]:
        layout, trained = saved
        dx = recycled.zeros(layout.shape(*trained.x_shape), self.dtype)
        return dx, self._backward_parameters(saved, dy, dstate, extras, layout.time_major(dx))

    def _backward_parameters(self, saved: Any, dy: Array, dstate: Any, extras: Any, dx: Array | None = None) -> State:
        layout, trained = saved
        dinitial, hook, dy = self.stack.empty_state(trained.batch), self._backward_hook(extras), layout.time_major(dy)
        grads = [(None,) * 4 for _ in self._weight_grads] if self._frozen else self._weight_grads
        backward(self.stack, trained, readable(dy), dx, (dstate, dinitial), grads, hook)
        if trained.from_parameters and not self._frozen:  # each row began there
            parameters.add_state_gradients(self._grad_arrays, self.cell.parts, dinitial)
        return self._state(dinitial, layout)

    def _backward_hook(self, extras: dict[str, float]) -> Any:
        """A function of layer and direction, what it saved, and the gradients of its pre-activations; or None."""
        return None

    def check_dstate(self, tape: Tape, dstate: Any) -> StateArrays:
        """The gradient of the final state, as arrays (L*D, N, H) or None, or an error that names it."""
        ((layout, trained),) = open_tape(tape, self)
        return self.stack.as_states("dstate", dstate, trained.batch, layout)

    def _state(self, arrays: tuple[Any, ...], layout: Layout) -> Any:
        """A state in the form that a caller has."""
        return as_state(arrays if layout.batched else (array[:, 0] for array in arrays))

    def stream(self, batch: int = 1) -> Stream:
        """Run the layer one step at a time; ValueError if it is bidirectional.

        Parameters
        ----------
        batch : int, default 1
            N.

        Returns
        -------
        Stream
        """
        return Stream(self, batch)

# SPDX-License-Identifier: BSD-3-Clause
"""Residual."""

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, overload

from numpy.typing import ArrayLike

from .._engine.arguments import Array, as_floats
from .._engine.layout import Layout
from .._engine.ragged import Rows, as_rows, length_mask
from ._container import Container
from ._layer import Layer
from ._masked import steps_to_read
from ._options import Sublayer
from ._parameters import NamedArrays
from ._signal import Axes, Signal
from ._stateful import State, StatefulLayer
from ._stateless import StatelessLayer
from ._streams.residual import ResidualStream
from ._tape import Tape, add_extras, exclusive, open_tape

Inner = TypeVar("Inner", bound=Layer, covariant=True)


class Residual(Container, Generic[Inner]):
    """Residual connection: y = x + layer(x) (He et al. 2016, arXiv 1512.03385, equation 1).

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
    It is called like the layer: for a recurrent layer ``y, state = residual(x, state, lengths)``, with the state of the
    layer. If the layer takes `lengths`, y and the gradient of x are 0 beyond each row's length.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> residual = fr.Residual(fr.GRU(3, 3, seed=0))
    >>> x = np.ones((5, 2, 3), np.float32)
    >>> y, h = residual(x, lengths=[5, 2])
    >>> bool((y[:2] == x[:2] + residual.layer(x)[0][:2]).all()), bool(y[2:, 1].any())
    (True, False)
    """

    layer: Sublayer[Inner] = Sublayer(
        "Its output has the shape of its input, such as ``LSTM(64, 64)`` or ``GRU(64, 32, bidirectional=True)``. "
        "Several layers under one sum are a `Sequential` of them.",
        Layer,
    )

    children_in_sequence: bool = True

    def _setup(self) -> None:
        self._adopt({"": self.layer})

    @classmethod
    def child_configs(cls, config: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        yield "", "layer", config["layer"]

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.layer,), {}

    @property
    def params(self) -> NamedArrays:
        return self.layer.params

    @property
    def grads(self) -> NamedArrays:
        return self.layer.grads

    @property
    def stateful(self) -> bool:
        return self.layer.stateful

    @property
    def takes_lengths(self) -> bool:
        return self.layer.takes_lengths

    @property
    def batch_first(self) -> bool | None:
        """`batch_first` of the layer; None if it has no such option."""
        return getattr(self.layer, "batch_first", None)

    @property
    def features_in(self) -> int | None:
        return self.layer.features_in

    def features_after(self, features: int | None) -> int | None:
        return self.features_in if features is None else features

    @property
    def axes_in(self) -> Axes | None:
        return self.layer.axes_in

    @property
    def directions_in(self) -> int | None:
        return self.layer.directions_in

    @property
    def takes_resets(self) -> bool:
        return self.layer.takes_resets

    @property
    def takes_packed(self) -> bool:
        return self.layer.takes_packed

    def axes_after(self, axes: Axes | None) -> Axes | None:
        return self.layer.axes_after(axes)

    def directions_after(self, directions: int | None) -> int | None:
        return self.signal_after(Signal(directions=directions)).directions

    def signal_after(self, signal: Signal) -> Signal:
        added = self.layer.signal_after(signal)  # once for all: the layer may be made of others
        directions = None if signal.directions is None and added.directions == 1 else added.directions
        return added._replace(features=self.features_after(signal.features), directions=directions)

    def _padding(self, x: Array, lengths: Any) -> tuple[Layout, Array] | None:
        """x's layout, and which (T, N) positions lie beyond their row's length; None if all belong to rows."""
        if lengths is None or not self.takes_lengths:
            return None
        layout = Layout(x.ndim != 2, bool(self.batch_first))
        T, N, _ = layout.time_major(x).shape
        lengths = as_rows(lengths, T, N, layout).lengths
        return None if lengths is None else (layout, ~length_mask(lengths, T))

    def apply(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, Any, Tape | None]:
        x = as_floats("x", x, self.dtype)
        y, state, inner = self.layer.apply(x, state, lengths, training)
        if y.shape != x.shape:
            raise ValueError(f"layer: expected y to have the shape of x, {x.shape}, got {y.shape} from {self.layer!r}")
        padding = self._padding(x, lengths)
        y = without_padding(x + y, padding)
        return y, state, Tape(self, (inner, padding), y.shape) if training else None

    @exclusive
    def apply_backward(self, tape: Tape, dy: Any, dstate: Any) -> tuple[Array, Any]:
        ((inner, padding), dy), kept = self._opened(tape, dy, others=dstate), tape._kept
        dy = dy if kept is None else kept.gradient(dy)
        if padding is not None:
            dy = without_padding(dy.copy(), padding)
        self.layer.check_dstate(inner, dstate)
        tape.close()
        dx, dstate = self.layer.apply_backward(inner, dy, dstate)
        add_extras(tape.extras, [inner])
        return dx + dy if kept is None else kept.scattered(dx + dy), dstate

    def _run(self, x: Any, state: Any, rows: Rows, mask: Any, training: bool) -> tuple[Array, Any, Tape | None]:
        """`apply` of the steps that a mask keeps."""
        (lengths, resets, _), reads = rows, self.stateful or self.takes_lengths
        self._check_arguments(state=(state, self.stateful), lengths=(lengths, reads), mask=(mask, reads))
        x, read, kept = steps_to_read(self, x, lengths, mask, resets)
        y, after, tape = self.apply(x, state, read, training)
        y = y if kept is None else kept.output(y)
        if tape is not None:
            tape.shape, tape._kept = y.shape, kept
        return y, after, tape

    def _results(self, y: Array, state: Any, *rest: Any) -> Any:
        """The results for the caller, with a state if there is one."""
        return (y, state, *rest) if self.stateful else (y, *rest) if rest else y

    def _check_arguments(self, **arguments: Any) -> None:
        """Raise TypeError for a state or lengths that the layer does not take."""
        for name, (value, taken) in arguments.items():
            if value is not None and not taken:
                raise TypeError(f"{name}: expected none, since {type(self.layer).__name__} takes none")

    @overload
    def __call__(
        self: "Residual[StatefulLayer[State]]",
        x: ArrayLike,
        state: State | None = None,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        resets: ArrayLike | None = None,
    ) -> tuple[Array, State]: ...
    @overload
    def __call__(self: "Residual[StatelessLayer]", x: ArrayLike) -> Array: ...
    def __call__(self, x: Any, state: Any = None, lengths: Any = None, mask: Any = None, resets: Any = None) -> Any:
        """Inference: y, or (y, state) of a layer with a state."""
        return self._results(*self._run(x, state, Rows(lengths, resets), mask, training=False)[:2])

    @overload
    def forward(
        self: "Residual[StatefulLayer[State]]",
        x: ArrayLike,
        state: State | None = None,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        resets: ArrayLike | None = None,
    ) -> tuple[Array, State, Tape]: ...
    @overload
    def forward(self: "Residual[StatelessLayer]", x: ArrayLike) -> tuple[Array, Tape]: ...
    def forward(self, x: Any, state: Any = None, lengths: Any = None, mask: Any = None, resets: Any = None) -> Any:
        """Training: (y, tape), or (y, state, tape). `x` must not be changed before `backward`."""
        return self._results(*self._run(x, state, Rows(lengths, resets), mask, training=True))

    @overload
    def backward(
        self: "Residual[StatefulLayer[State]]", tape: Tape, dy: ArrayLike | None, dstate: State | None = None
    ) -> tuple[Array, State]: ...
    @overload
    def backward(self: "Residual[StatelessLayer]", tape: Tape, dy: ArrayLike) -> Array: ...
    def backward(self, tape: Tape, dy: ArrayLike | None, dstate: Any = None) -> Any:
        """The gradient of x, or (dx, dstate). dy may be None, which is zero, where only the state has a gradient."""
        self._check_arguments(dstate=(dstate, self.stateful))
        return self._results(*self.apply_backward(tape, dy, dstate))

    def check_dstate(self, tape: Tape, dstate: Any) -> Any:
        inner, _ = open_tape(tape, self)
        return self.layer.check_dstate(inner, dstate)

    def stream(self, batch: int = 1) -> ResidualStream:
        """Run it one step at a time, as `Sequential.stream`; TypeError or ValueError if the layer has no stream.

        Parameters
        ----------
        batch : int, default 1
            N.

        Returns
        -------
        ResidualStream
            With the methods of `Stream`.
        """
        return ResidualStream(self, batch)


def without_padding(array: Array, padding: tuple[Layout, Array] | None) -> Array:
    """`array`, with zeros written beyond the end of each row."""
    if padding is not None:
        layout, beyond = padding
        layout.time_major(array)[beyond] = 0
    return array

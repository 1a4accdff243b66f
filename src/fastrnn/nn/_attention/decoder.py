# SPDX-License-Identifier: BSD-3-Clause
"""AttentionDecoder: a recurrent layer that attends to a memory at each of its steps."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine import recycled
from ..._engine.arguments import Array, as_floats
from ..._engine.layout import Layout, as_gradient, features_hint
from ..._engine.ragged import as_lengths, length_mask
from .._container import Container
from .._layer import Layer
from .._linear import Linear
from .._option import KW_ONLY
from .._options import Flag, Sublayer
from .._recurrent.gru import GRU
from .._recurrent.lstm import LSTM
from .._recurrent.rnn import RNN
from .._tape import Tape, add_extras, exclusive, open_tape
from . import input_feeding
from .attention import Attention
from .checks import check_fit


class AttentionDecoder(Container):
    """A recurrent layer with attention to a memory.

    Luong, Pham, Manning 2015 (arXiv 1508.04025): the output h_t of the layer is the query, and the context and h_t go
    through one more layer (equation 5)::

        h_t     = layer(x_t)
        context = attention(h_t, memory)
        y_t     = tanh(combine([context; h_t]))

    With input feeding (section 3.3) the layer reads ``[x_t; y_(t-1)]``, so that it knows what it attended to before.
    Before the first step y is 0. The decoder then runs step by step. Without input feeding, the layer runs over all
    steps in one call, followed by attention for all of them.

    Attributes
    ----------
    layer, attention, combine : Layer
    params, grads : mapping
        Theirs: ``layer.weight_ih_l0``, ``attention.query.weight``, ``combine.weight``, ...

    Raises
    ------
    TypeError, ValueError
        A layer is of another kind, or their sizes, dtypes or layouts do not fit together.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> decoder = fr.AttentionDecoder(
    ...     fr.GRU(3 + 5, 4, seed=0), fr.Attention(4, 6, seed=1), fr.Linear(6 + 4, 5, seed=2), input_feeding=True
    ... )
    >>> x, memory = np.ones((7, 2, 3), np.float32), np.ones((9, 2, 6), np.float32)
    >>> y, (h, feed), weights = decoder(x, memory, memory_lengths=[9, 4])
    >>> y.shape, h.shape, feed.shape, weights.shape
    ((7, 2, 5), (1, 2, 4), (1, 2, 5), (7, 2, 9))
    """

    layer: Sublayer[RNN | LSTM | GRU] = Sublayer(
        "A unidirectional layer of hidden size H. Its input size is E, with input feeding E + A.", RNN, LSTM, GRU
    )
    attention: Sublayer[Attention] = Sublayer("Its query size is H; its memory size is M.", Attention)
    combine: Sublayer[Linear] = Sublayer("Maps M + H to A features. (Luong et al. use no bias.)", Linear)
    _: KW_ONLY
    input_feeding: Flag = Flag("Whether the layer reads the previous y in addition to x.", default=False)

    def _setup(self) -> None:
        check_fit(self)
        fed = self.combine.out_features if self.input_feeding else 0
        self.input_size: int = self.layer.input_size - fed

    @property
    def stateful(self) -> bool:
        return True

    @property
    def keeps_axes(self) -> bool:
        return True

    @property
    def takes_lengths(self) -> bool:
        return True

    @property
    def batch_first(self) -> bool:
        """`batch_first` of the layer."""
        return self.layer.batch_first

    def child_tapes(self, tape: Tape) -> list[tuple[str, Layer, Tape]]:
        *_, saved = open_tape(tape, self)
        if self.input_feeding:
            return [("layer", self.layer, step.layer_tape) for step in saved.steps]
        return [(name, layer, inner) for (name, layer), inner in zip(self.children().items(), saved, strict=True)]

    # -- the passes --------------------------------------------------------------------------------------------------

    def _checked(self, x: Any, memory: Any, lengths: Any, memory_lengths: Any) -> tuple[Any, ...]:
        """The arguments as arrays in the caller's layout, and which (T, N) positions are padding, or None."""
        layout = Layout(True, self.batch_first)
        x, memory = as_floats("x", x, self.dtype), as_floats("memory", memory, self.dtype)
        if x.ndim != 3 or x.shape[-1] != self.input_size:
            hint = features_hint("x", x.shape, self.input_size, self.batch_first)
            raise ValueError(f"x: expected {layout.axes(self.input_size)}, got {x.shape}{hint}")
        T, N, _ = layout.time_major(x).shape
        M = self.attention.memory_size
        if memory.ndim != 3 or layout.time_major(memory).shape[1:] != (N, M):
            raise ValueError(f"memory: expected {layout.axes(M)} with N={N}, as x has it, got {memory.shape}")
        if memory_lengths is not None:
            steps = len(layout.time_major(memory))
            memory_lengths = as_lengths(memory_lengths, steps, N, name="memory_lengths", of="memory")
        padding = None
        if lengths is not None:
            lengths = as_lengths(lengths, T, N)
            padding = ~length_mask(lengths, T)
        return layout, x, memory, lengths, memory_lengths, padding

    def _run(self, inputs: tuple[Any, ...], state: Any, training: bool) -> tuple[Array, Any, Array, Any]:
        """y, the state, the weights, and what `backward` needs."""
        layout, x, memory, lengths, memory_lengths, padding = self._checked(*inputs)
        if self.input_feeding:
            x = layout.time_major(x)
            prepared = self.attention.prepare(memory, memory_lengths, layout, x.shape[1], keep=training)
            y, state, weights, saved = input_feeding.forward(self, x, prepared, state, padding, training)
            return layout.laid_out(y), state, layout.laid_out(weights), (layout, y, weights.shape, padding, saved)
        h, state, layer_tape = self.layer.apply(x, state, lengths, training)
        attend = self.attention.forward if training else self.attention
        context, weights, *attention_tape = attend(h, memory, memory_lengths)
        both = recycled.empty((*h.shape[:2], self.combine.in_features), self.dtype)
        np.concatenate([context, h], axis=-1, out=both)
        y, _, combine_tape = self.combine.apply(both, None, None, training)
        np.tanh(y, out=y)
        if padding is not None:
            layout.time_major(y)[padding] = 0
            layout.time_major(weights)[padding] = 0
        tapes = layer_tape, *attention_tape, combine_tape
        content = layout, layout.time_major(y), layout.time_major(weights).shape, padding, tapes
        return y, state, weights, content

    def __call__(  # type: ignore[override]
        self,
        x: ArrayLike,
        memory: ArrayLike,
        state: Any = None,
        lengths: ArrayLike | None = None,
        memory_lengths: ArrayLike | None = None,
    ) -> tuple[Array, Any, Array]:
        """Inference.

        Parameters
        ----------
        x : array_like, shape (T, N, E), or with `batch_first` (N, T, E)
        memory : array_like, shape (S, N, M) or (N, S, M)
        state : array_like or tuple, optional
            The state of the layer, h or (h, c), each (L, N, H); with input feeding a pair of it and the last y, (1, N,
            A). Zero by default.
        lengths, memory_lengths : array_like of int, shape (N,), optional
            How many steps of each row of x, 0..T, and of the memory, 0..S, count.

        Returns
        -------
        y : ndarray, shape (T, N, A) or (N, T, A)
            The attentional vectors; 0 beyond a row's length.
        state
            After each row's own last step, as the argument `state`.
        weights : ndarray, shape (T, N, S) or (N, T, S)
            Of the attention; 0 beyond a row's length.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong dtype or shape; the message names it, what was expected and what was given.
        """
        return self._run((x, memory, lengths, memory_lengths), state, training=False)[:3]

    def forward(  # type: ignore[override]
        self,
        x: ArrayLike,
        memory: ArrayLike,
        state: Any = None,
        lengths: ArrayLike | None = None,
        memory_lengths: ArrayLike | None = None,
    ) -> tuple[Array, Any, Array, Tape]:
        """Training: (y, state, weights, tape). The arguments must not be changed before `backward`.

        `y` is read-only (copy it to change it).
        """
        y, state, weights, content = self._run((x, memory, lengths, memory_lengths), state, training=True)
        y.flags.writeable = False
        return y, state, weights, Tape(self, content, y.shape)

    @exclusive
    def backward(  # type: ignore[override]
        self, tape: Tape, dy: ArrayLike | None, dstate: Any = None, dweights: ArrayLike | None = None
    ) -> tuple[Array, Array, Any]:
        """Back-propagation through time; the gradients of the parameters are added to `grads`.

        Parameters
        ----------
        tape : Tape
            From `forward` of this layer. It can be used only once.
        dy, dstate, dweights : array_like or None
            Gradients of the loss with respect to y, the final state and the weights, as these. None is zero; at least
            one is an array.

        Returns
        -------
        dx, dmemory, dstate
            Gradients with respect to x, the memory and the initial state; 0 beyond a row's length.

        Raises
        ------
        TypeError, ValueError
            The tape was already used or belongs to another layer, or a gradient has the wrong dtype or shape. Nothing
            is added.
        """
        (layout, y, shape, padding, saved), gradient = self._opened(tape, dy, others=(dstate, dweights))
        dy_time_major = layout.time_major(gradient)
        if dweights is not None:
            dweights = as_gradient("dweights", dweights, layout, shape, self.dtype, "the weights")
            dweights = dweights if padding is None else np.where(padding[..., None], self.dtype.type(0), dweights)
        if self.input_feeding:
            dstate = input_feeding.as_decoder_states(self, "dstate", dstate, y.shape[1])
            tape.close()
            dx, dmemory, dstate = input_feeding.backward(self, saved, y, dy_time_major, dstate, dweights)
            return layout.laid_out(dx), layout.laid_out(dmemory), dstate
        layer_tape, attention_tape, combine_tape = saved
        self.layer.check_dstate(layer_tape, dstate)
        tape.close()
        # y = tanh(combine([context; h]))
        dsum = recycled.empty(y.shape, self.dtype)
        np.square(y, out=dsum)
        np.subtract(1, dsum, out=dsum)
        dsum *= dy_time_major
        if padding is not None:
            dsum[padding] = 0
        dboth = self.combine.backward(combine_tape, layout.laid_out(dsum))
        M = self.attention.memory_size
        dweights = None if dweights is None else layout.laid_out(dweights)
        dh, dmemory = self.attention.backward(attention_tape, dboth[..., :M], dweights)
        dh = np.add(dh, dboth[..., M:], out=recycled.empty(dh.shape, self.dtype))
        dx, dstate = self.layer.backward(layer_tape, dh, dstate)
        add_extras(tape.extras, [layer_tape])
        return dx, dmemory, dstate

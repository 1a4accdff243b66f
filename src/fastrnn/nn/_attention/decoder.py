# SPDX-License-Identifier: BSD-3-Clause
"""A recurrent layer that looks back at a memory at each of its steps."""

import numpy as np

from ..._engine import arguments
from ..._engine.layout import Layout, as_gradient
from ..._engine.ragged import as_lengths
from .._container import Composite, agree, typed
from .._layer import results
from .._linear import Linear
from .._recurrent.gru import GRU
from .._recurrent.lstm import LSTM
from .._recurrent.rnn import RNN
from .._tape import Tape, omega_of
from . import input_feeding
from .attention import Attention


class AttentionDecoder(Composite):
    """A recurrent layer and attention to a memory, joined in an attentional vector per step.

    Of Luong, Pham, Manning 2015 (arXiv 1508.04025): the layer makes its step, its output h_t is the query, and both go
    through one more layer (equation 5)::

        h_t     = layer(x_t)
        context = attention(h_t, memory)
        y_t     = tanh(combine([context; h_t]))

    With input feeding (section 3.3) the layer reads ``[x_t; y_(t-1)]``, and so knows what has been attended to; before
    the first step y is 0. It then has to go step by step. Without, the layer runs over all steps in one call, and all
    of them attend after it.

    Parameters
    ----------
    layer : RNN, LSTM or GRU
        Of one direction, hidden size H. Its input size is E, with input feeding E + A.
    attention : Attention
        Its query size is H; its memory size is M.
    combine : Linear
        From M + H to A features. (Luong et al. give it no bias.)
    input_feeding : bool

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

    stateful = takes_lengths = True
    _names = ("layer", "attention", "combine")

    def __init__(self, layer, attention, combine, *, input_feeding=False):
        typed("layer", layer, RNN, LSTM, GRU)
        typed("attention", attention, Attention)
        typed("combine", combine, Linear)
        self.input_feeding = arguments.as_flag("input_feeding", input_feeding)
        if layer.bidirectional:
            raise ValueError(
                "layer: expected one direction, got bidirectional=True: a decoder cannot know its own future"
            )
        agree({"layer": layer, "attention": attention, "combine": combine}, "dtype", "batch_first")
        H, M, A = layer.hidden_size, attention.memory_size, combine.out_features
        if attention.query_size != H:
            raise ValueError(
                f"attention: expected query_size={H}, the hidden_size of layer, got {attention.query_size}"
            )
        if combine.in_features != M + H:
            raise ValueError(
                f"combine: expected in_features={M} + {H}, the memory_size of attention and the hidden_size of layer, "
                f"got {combine.in_features}"
            )
        if self.input_feeding and layer.input_size <= A:
            raise ValueError(
                f"layer: expected an input_size above {A}, to read x beside the {A} out_features of combine, "
                f"got {layer.input_size}"
            )
        drawn = {"recurrent_dropout", "weight_drop", "omega"} & {key for key, value in layer.config().items() if value}
        if self.input_feeding and drawn:
            raise ValueError(
                f"layer: expected one that can go step by step, got {', '.join(sorted(drawn))}, "
                "which means a sequence as a whole"
            )
        self.input_size = layer.input_size - (A if self.input_feeding else 0)
        self._hold(layer=layer, attention=attention, combine=combine)

    @property
    def dtype(self):
        return self.layer.dtype

    @property
    def batch_first(self):
        return self.layer.batch_first

    def _options(self):
        return {"input_feeding": self.input_feeding}

    def inside(self, tape):
        *_, saved = Tape.check(tape, self)
        if self.input_feeding:
            _, steps = saved
            return [("layer", self.layer, step.run) for step in steps]
        return list(zip(self._names, self.parts().values(), saved, strict=True))

    # -- the passes ----------------------------------------------------------------------------------------------------

    def _checked(self, x, memory, lengths, memory_lengths):
        """The arguments as arrays in the caller's layout, and which (T, N) lie beyond a row's length, or None."""
        layout = Layout(True, self.batch_first)
        x, memory = arguments.as_floats("x", x, self.dtype), arguments.as_floats("memory", memory, self.dtype)
        if x.ndim != 3 or x.shape[-1] != self.input_size:
            raise ValueError(f"x: expected {layout.axes(self.input_size)}, got {x.shape}")
        T, N, _ = layout.time_major(x).shape
        M = self.attention.memory_size
        if memory.ndim != 3 or layout.time_major(memory).shape[1:] != (N, M):
            raise ValueError(f"memory: expected {layout.axes(M)} with N={N}, as x has it, got {memory.shape}")
        if memory_lengths is not None:
            steps = len(layout.time_major(memory))
            memory_lengths = as_lengths(memory_lengths, steps, N, name="memory_lengths", of="memory")
        beyond = None
        if lengths is not None:
            lengths = as_lengths(lengths, T, N)
            beyond = np.arange(T)[:, None] >= lengths
        return layout, x, memory, lengths, memory_lengths, beyond

    def _run(self, x, memory, state, lengths, memory_lengths, keep):
        """y, the state, the weights, and what `backward` needs."""
        layout, x, memory, lengths, memory_lengths, beyond = self._checked(x, memory, lengths, memory_lengths)
        if self.input_feeding:
            x = layout.time_major(x)
            prepared = self.attention.prepare(memory, memory_lengths, layout, x.shape[1], keep=keep)
            y, state, weights, saved = input_feeding.forward(self, x, prepared, state, beyond, keep)
            return layout.laid_out(y), state, layout.laid_out(weights), (layout, y, weights.shape, beyond, saved)
        method = "forward" if keep else "__call__"
        h, state, *run = getattr(self.layer, method)(x, state, lengths)
        context, weights, *attended = getattr(self.attention, method)(h, memory, memory_lengths)
        y, *combined = results(getattr(self.combine, method)(np.concatenate([context, h], axis=-1)))
        np.tanh(y, out=y)
        if beyond is not None:
            layout.time_major(y)[beyond] = 0
            layout.time_major(weights)[beyond] = 0
        content = layout, layout.time_major(y), layout.time_major(weights).shape, beyond, (*run, *attended, *combined)
        return y, state, weights, content

    def __call__(self, x, memory, state=None, lengths=None, memory_lengths=None):
        """Inference.

        Parameters
        ----------
        x : array_like, shape (T, N, E), or with `batch_first` (N, T, E)
        memory : array_like, shape (S, N, M) or (N, S, M)
        state : array_like or tuple, optional
            That of the layer, h or (h, c), each (L, N, H); with input feeding a pair of that and the last y, (1, N, A).
            Zero by default.
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
            An argument has the wrong dtype or shape; the message names it, what was expected and what came.
        """
        return self._run(x, memory, state, lengths, memory_lengths, keep=False)[:3]

    def forward(self, x, memory, state=None, lengths=None, memory_lengths=None):
        """Training: (y, state, weights, tape). The arguments must not be changed before `backward`.

        `y` is read-only (copy it to change it).
        """
        y, state, weights, content = self._run(x, memory, state, lengths, memory_lengths, keep=True)
        y.flags.writeable = False
        return y, state, weights, Tape(self, content)

    def backward(self, tape, dy, dstate=None, dweights=None):
        """Back-propagation through time; the gradients of the parameters are added into `grads`.

        Parameters
        ----------
        tape : Tape
            From this layer's `forward`; used up.
        dy, dstate, dweights : array_like
            Gradients of the loss with respect to y, the final state and the weights, as these. The last two are zero by
            default.

        Returns
        -------
        dx, dmemory, dstate
            Gradients with respect to x, the memory and the initial state; 0 beyond a row's length.

        Raises
        ------
        TypeError, ValueError
            The tape is used or another layer's, or a gradient has the wrong dtype or shape. Nothing is added then.
        """
        layout, y, shape, beyond, saved = Tape.check(tape, self)
        dy = as_gradient("dy", dy, layout, y.shape, self.dtype)
        if dweights is not None:
            dweights = as_gradient("dweights", dweights, layout, shape, self.dtype, "the weights")
            dweights = dweights if beyond is None else np.where(beyond[..., None], self.dtype.type(0), dweights)
        self.check_grads()
        if self.input_feeding:
            dx, dmemory, dstate = input_feeding.backward(self, saved, y, dy, dstate, dweights)
            tape.use()
            return layout.laid_out(dx), layout.laid_out(dmemory), dstate
        run, attended, combined = saved
        self.layer.check_dstate(run, dstate)
        # y = tanh(combine([context; h]))
        dsum = dy * (1 - np.square(y))
        if beyond is not None:
            dsum[beyond] = 0
        dboth = self.combine.backward(combined, layout.laid_out(dsum))
        M = self.attention.memory_size
        dweights = None if dweights is None else layout.laid_out(dweights)
        dh, dmemory = self.attention.backward(attended, dboth[..., :M], dweights)
        dx, dstate = self.layer.backward(run, dh + dboth[..., M:], dstate)
        tape.use()
        tape.omega = omega_of([run])
        return dx, dmemory, dstate

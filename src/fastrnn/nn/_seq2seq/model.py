# SPDX-License-Identifier: BSD-3-Clause
"""Seq2Seq: from a sequence to a sequence of another length."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, Generator
from ..._engine.layout import select_rows
from .._attention.decoder import AttentionDecoder
from .._container import Container
from .._embedding import Embedding
from .._layer import Layer
from .._linear import Linear
from .._option import KW_ONLY
from .._options import Seed, Size, Sublayer
from .._recurrent.gru import GRU
from .._recurrent.lstm import LSTM
from .._recurrent.rnn import RNN
from .._tape import Tape, exclusive, open_tape
from .bridge import Bridge, last_recurrent
from .checks import as_source_lengths, check_fit
from .passes import BeforeOutput, decode, decode_back, encode
from .stepping import Step, steps


class Seq2Seq(Container):
    """A sequence-to-sequence model: an encoder, a decoder, and a bridge between their states.

    The encoder reads the source. The decoder starts from the final state of the encoder and reads the symbol `start`
    and then the target up to the step before: ``logits[t]`` are those of ``target[t]``. Without attention the final
    state of the encoder has to hold the whole source (Sutskever, Vinyals, Le 2014, arXiv 1409.3215); with an
    `AttentionDecoder` each step attends to all steps of the encoder.

    Attributes
    ----------
    encoder, embedding, decoder, output, bridge : Layer
    params, grads : mapping
        Those of the layers: ``encoder.0.weight``, ``decoder.attention.v.weight``, ``output.bias``, ...

    Raises
    ------
    TypeError, ValueError
        A layer is of another kind, or the sizes, dtypes or layouts of the layers do not fit together.

    Notes
    -----
    The target of a row usually ends with a stop symbol, at which `fastrnn.decoding` ends the sequence.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Seq2Seq(
    ...     encoder=fr.Sequential(fr.Embedding(20, 8, seed=0), fr.GRU(8, 16, bidirectional=True, seed=1)),
    ...     embedding=fr.Embedding(10, 8, seed=2),
    ...     decoder=fr.AttentionDecoder(fr.GRU(8, 32, seed=3), fr.Attention(32, 32, seed=4), fr.Linear(64, 24, seed=5)),
    ...     output=fr.Linear(24, 10, seed=6),
    ... )
    >>> source, target = np.ones((7, 2), int), np.ones((5, 2), int)  # (T, N)
    >>> logits, weights, tape = model.forward(source, target, source_lengths=[7, 4], target_lengths=[3, 5])
    >>> logits.shape, weights.shape
    ((5, 2, 10), (5, 2, 7))
    >>> loss, dlogits = fr.cross_entropy(logits, target, lengths=[3, 5])
    >>> model.backward(tape, dlogits)
    """

    encoder: Sublayer[Layer] = Sublayer(
        "A recurrent layer, of one or both directions, or a `Sequential` that holds one: with an `Embedding` before "
        "it, say, if the source is tokens. Its output is the memory.",
        Layer,
    )
    embedding: Sublayer[Embedding] = Sublayer(
        "The embedding of the V target symbols that the decoder reads.", Embedding
    )
    decoder: Sublayer[AttentionDecoder | RNN | LSTM | GRU] = Sublayer(
        "A recurrent layer alone decodes without attention.", AttentionDecoder, RNN, LSTM, GRU
    )
    output: Sublayer[Linear] = Sublayer("Maps the features of the decoder to V logits.", Linear)
    bridge: Sublayer[Linear | None] = Sublayer(
        "From the final state of the encoder's last recurrent layer to the initial state of the decoder. None: "
        "layer l of the decoder starts from the state of layer l of the encoder, its directions concatenated; the "
        "sizes have to fit. Linear: ``tanh(bridge(z))`` is all of the decoder's state, and z all of the encoder's, "
        "concatenated (for an LSTM of L layers and D directions 2*L*D*H numbers).",
        Linear,
        default=None,
    )
    _: KW_ONLY
    start: Size = Size("The symbol that the decoder reads first.", default=0, low=0)
    seed: Seed = Seed(
        "Seed of scheduled sampling. Copies and pickles continue with the random numbers of the original.", default=None
    )

    def _setup(self, seed: Generator) -> None:  # type: ignore[override]
        check_fit(self)
        self.attends: bool = isinstance(self.decoder, AttentionDecoder)
        self.batch_first: bool = self.decoder.batch_first
        recurrent = self.decoder.layer if isinstance(self.decoder, AttentionDecoder) else self.decoder
        self._bridge = Bridge(last_recurrent(self.encoder), recurrent, self.bridge)
        (self._rng,) = seed.spawn(1)

    keeps_axes: bool = True  # type: ignore[assignment]
    takes_lengths: bool = True  # type: ignore[assignment]

    def child_tapes(self, tape: Tape) -> list[tuple[str, Layer, Tape]]:
        (*_, tapes), output_tape = open_tape(tape, self)
        children = self.children()
        return [(name, children[name], inner) for name, inner in zip(children, (*tapes, output_tape), strict=False)]

    # -- the passes --------------------------------------------------------------------------------------------------

    def __call__(  # type: ignore[override]
        self,
        source: ArrayLike,
        target: ArrayLike,
        source_lengths: ArrayLike | None = None,
        target_lengths: ArrayLike | None = None,
    ) -> tuple[Array, Array | None]:
        """Inference, given the target up to each step ("teacher forcing").

        Parameters
        ----------
        source : array_like
            The input of the encoder: tokens (T_s, N) or features (T_s, N, I); with `batch_first` N comes first.
        target : array_like of int, shape (T, N), or (N, T)
            0..V-1. The last symbol of each row is not read.
        source_lengths, target_lengths : array_like of int, shape (N,), optional
            The number of valid steps of each row, in any order; 0 is allowed.

        Returns
        -------
        logits : ndarray, shape (T, N, V) or (N, T, V)
            Of the symbol of the target at each step.
        weights : ndarray, shape (T, N, T_s) or (N, T, T_s), or None
            Of the attention; 0 beyond the lengths of either.
        """
        y, weights, _ = decode(self, (source, target), (source_lengths, target_lengths), training=False)
        return self.output(y), weights

    def forward(  # type: ignore[override]
        self,
        source: ArrayLike,
        target: ArrayLike,
        source_lengths: ArrayLike | None = None,
        target_lengths: ArrayLike | None = None,
        *,
        sampling: float = 0.0,
    ) -> tuple[Array, Array | None, Tape]:
        """Training: (logits, weights, tape). The arguments must not be changed before `backward`.

        Parameters
        ----------
        source, target, source_lengths, target_lengths
            As in a call.
        sampling : float, default 0.0
            Scheduled sampling (Bengio, Vinyals, Jaitly, Shazeer 2015, arXiv 1506.03099): with this probability, in [0,
            1], a step reads the model's most likely symbol of the previous step instead of the target, independently
            for each row and step. (Their epsilon is 1 - sampling.) The choice has no gradient. It requires an
            additional step-by-step run of the decoder.
        """
        y, weights, saved = decode(self, (source, target), (source_lengths, target_lengths), True, sampling)
        logits, _, output_tape = self.output.apply(y, None, None, True)
        return logits, weights, Tape(self, (saved, output_tape), logits.shape)

    @exclusive
    def backward(self, tape: Tape, dlogits: ArrayLike) -> Array | None:  # type: ignore[override]
        """The gradient of the source, None where it is tokens; the gradients of the parameters are added to `grads`.

        Parameters
        ----------
        tape : Tape
            From `forward` of this layer. It can be used only once.
        dlogits : array_like
            The gradient of the loss with respect to the logits, of their shape.
        """
        (saved, output_tape), dlogits = self._opened(tape, dlogits, "dlogits", "logits")
        tape.close()
        return decode_back(self, saved, self.output.backward(output_tape, dlogits), tape.extras)

    def _before_last(self) -> tuple[BeforeOutput, str]:
        return BeforeOutput(self), "output"

    # -- one step at a time ------------------------------------------------------------------------------------------

    def begin(self, source: ArrayLike, lengths: ArrayLike | None = None, copies: int = 1) -> tuple[Array, Any, Step]:
        """The interface for `fastrnn.decoding`: initial symbols, initial state, and a function that runs one step.

        Parameters
        ----------
        source : array_like
            As in a call.
        lengths : array_like of int, shape (N,), optional
        copies : int, default 1
            The number of copies of each row of the source, next to each other.

        Returns
        -------
        tokens : ndarray of int, shape (N * copies,)
        state : ndarray or nested tuple of them
            In all of them rows are on axis 1.
        step : callable
            ``logits, state, weights = step(tokens, state)``: logits (N * copies, V) of the next symbol, weights
            (N * copies, T_s) or None.
        """
        N, lengths = as_source_lengths(self, source, lengths)
        memory, lengths, state, _, _ = encode(self, source, lengths, training=False)
        tokens = np.full(N * copies, self.start, np.intp)
        return tokens, select_rows(state, np.repeat(np.arange(N), copies)), steps(self, memory, lengths, copies)

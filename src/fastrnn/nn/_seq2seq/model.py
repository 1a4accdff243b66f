# SPDX-License-Identifier: BSD-3-Clause
"""From a sequence to a sequence of another length."""

import numpy as np

from ..._engine import arguments
from ..._engine.layout import Layout
from ..._engine.ragged import as_lengths
from .._attention import input_feeding
from .._attention.decoder import AttentionDecoder
from .._container import Composite, agree, typed
from .._embedding import Embedding
from .._layer import Layer, results
from .._linear import Linear
from .._recurrent.gru import GRU
from .._recurrent.lstm import LSTM
from .._recurrent.rnn import RNN
from .._recurrent.stream import rows_of
from .._tape import Tape, omega_of
from .bridge import Bridge, as_state, last_stack, last_state


class Seq2Seq(Composite):
    """Encoder, decoder and what stands between them: reads one sequence, writes another.

    The encoder reads the source. The decoder begins with what the encoder ends with, reads the symbol `start` and then
    the target up to the step before, and says at each step what the target's symbol is: ``logits[t]`` is about
    ``target[t]``. Without attention the final state of the encoder has to hold the whole source (Sutskever, Vinyals, Le
    2014, arXiv 1409.3215); with an `AttentionDecoder` each step looks back at all steps of the encoder.

    Parameters
    ----------
    encoder : Layer
        A recurrent layer, of one or both directions, or a `Sequential` that holds one: with an `Embedding` before it,
        say, if the source is tokens. Its output is the memory.
    embedding : Embedding
        Of the target's V symbols: what the decoder reads of them.
    decoder : AttentionDecoder, or RNN, LSTM or GRU
        The last three go without attention.
    output : Linear
        From the features of the decoder to V logits.
    bridge : Linear or None
        From the final state of the encoder's last recurrent layer to the first of the decoder. None: layer l of the
        decoder begins with the state of layer l of the encoder, its directions side by side; the sizes have to fit.
        Linear: ``tanh(bridge(z))`` is all of the decoder's state, and z all of the encoder's, side by side (for an LSTM
        of L layers and D directions 2*L*D*H numbers).
    start : int
        The symbol that the decoder reads first.
    seed : int or None
        Of scheduled sampling. Copies and pickles go on with the numbers of the original.

    Attributes
    ----------
    encoder, embedding, decoder, output, bridge : Layer
    params, grads : mapping
        Theirs: ``encoder.0.weight``, ``decoder.attention.v.weight``, ``output.bias``, ...

    Raises
    ------
    TypeError, ValueError
        A layer is of another kind, or their sizes, dtypes or layouts do not fit together.

    Notes
    -----
    A row's target usually ends with a symbol that says so, by which `fastrnn.decoding` knows when to stop.

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

    takes_lengths = True
    _names = ("encoder", "embedding", "decoder", "output", "bridge")

    def __init__(self, encoder, embedding, decoder, output, bridge=None, *, start=0, seed=None):
        typed("encoder", encoder, Layer)
        typed("embedding", embedding, Embedding)
        typed("decoder", decoder, AttentionDecoder, RNN, LSTM, GRU)
        typed("output", output, Linear)
        if bridge is not None:
            typed("bridge", bridge, Linear)
        if last_stack(encoder) is None:
            raise TypeError(f"encoder: expected a recurrent layer or a Sequential that holds one, got {encoder!r}")
        layers = {"encoder": encoder, "embedding": embedding, "decoder": decoder, "output": output}
        agree(layers | ({} if bridge is None else {"bridge": bridge}), "dtype", "batch_first")
        self.attends = isinstance(decoder, AttentionDecoder)
        stack, features = (decoder.layer, decoder.combine.out_features) if self.attends else (decoder, None)
        if stack.bidirectional:
            raise ValueError("decoder: expected one direction, got bidirectional=True: it cannot know its own future")
        V, E = embedding.num_embeddings, embedding.embedding_dim
        if decoder.input_size != E:
            raise ValueError(
                f"decoder: expected input_size={E}, the embedding_dim of embedding, got {decoder.input_size}"
            )
        wanted = features or decoder.hidden_size, V
        if (output.in_features, output.out_features) != wanted:
            raise ValueError(
                f"output: expected Linear({wanted[0]}, {wanted[1]}), from the features of decoder to the symbols of "
                f"embedding, got Linear({output.in_features}, {output.out_features})"
            )
        self.start = arguments.as_size("start", start, 0)
        if self.start >= V:
            raise ValueError(f"start: expected at most {V - 1}, the last symbol of embedding, got {start}")
        self._across = Bridge(last_stack(encoder), stack, bridge)
        (self._rng,) = arguments.as_rng(seed).spawn(1)
        self._hold(**layers, bridge=bridge)

    @property
    def dtype(self):
        return self.encoder.dtype

    @property
    def batch_first(self):
        return self.decoder.batch_first

    def _options(self):
        return {"start": self.start}

    def _random_state(self):
        return self._rng.bit_generator.state

    def _set_random_state(self, state):
        self._rng.bit_generator.state = state

    def inside(self, tape):
        *_, tapes = Tape.check(tape, self)
        return [(name, self.parts()[name], inner) for name, inner in zip(self._names, tapes, strict=False)]

    # -- the passes ----------------------------------------------------------------------------------------------------

    def _lengths(self, source, lengths):
        """N, and the lengths of the rows of the source, or None."""
        source = arguments.as_array("source", source)
        layout = Layout(True, self.batch_first)
        if source.ndim < 2:
            axes = layout.axes("I")
            raise ValueError(
                f"source: expected tokens {axes.replace(', I', '')} or features {axes}, got {source.shape}"
            )
        T, N = layout.time_major(source).shape[:2]
        if lengths is not None:
            lengths = as_lengths(lengths, T, N, name="source_lengths", of="source")
        return N, lengths

    def _inputs(self, target, lengths, N):
        """What the decoder reads, time-major (T, N): `start`, then the target up to the step before; and lengths."""
        target = arguments.as_integers("target", target)
        layout = Layout(True, self.batch_first)
        if target.ndim != 2 or layout.time_major(target).shape[1] != N:
            axes = layout.axes("V").replace(", V", "")
            raise ValueError(f"target: expected tokens {axes} with N={N}, as source has it, got {target.shape}")
        target = layout.time_major(target)
        T = len(target)
        inputs = np.full((T, N), self.start, np.intp)
        inputs[1:] = target[:-1]
        if lengths is not None:
            lengths = as_lengths(lengths, T, N, name="target_lengths", of="target")
            inputs[np.arange(T)[:, None] >= lengths] = self.start  # any symbol: what is beyond is not read
        return inputs, lengths

    def _encode(self, source, lengths, keep):
        """The memory, the lengths of its rows, the first state of the decoder, and what goes back needs."""
        with self._noted("encoder"):
            memory, state, *tape = (self.encoder.forward if keep else self.encoder)(source, None, lengths)
        state = last_state(self.encoder, state)
        begun, kept = self._across.forward(state) if keep else (self._across(state), None)
        if self.attends and self.decoder.input_feeding:
            begun = begun, np.zeros((1, memory.shape[not self.batch_first], self.output.in_features), self.dtype)
        return memory, self.encoder.lengths_after(lengths), begun, tape, kept

    def _run(self, source, target, source_lengths, target_lengths, keep, sampling=0.0):
        """Logits, weights or None, and what `backward` needs."""
        N, source_lengths = self._lengths(source, source_lengths)
        inputs, target_lengths = self._inputs(target, target_lengths, N)
        memory, memory_lengths, state, encoded, kept = self._encode(source, source_lengths, keep)
        if sampling:
            inputs = self._mixed(inputs, self._steps(memory, memory_lengths), state, sampling)
        method = "forward" if keep else "__call__"
        layout = Layout(True, self.batch_first)
        x, *embedded = results(getattr(self.embedding, method)(layout.laid_out(inputs)))
        with self._noted("decoder"):
            if self.attends:
                run = getattr(self.decoder, method)(x, memory, state, target_lengths, memory_lengths)
                y, _, weights, *decoded = run
            else:
                (y, _, *decoded), weights = getattr(self.decoder, method)(x, state, target_lengths), None
        logits, *said = results(getattr(self.output, method)(y))
        return logits, weights, (memory.shape, kept, [*encoded, *embedded, *decoded, *said])

    def __call__(self, source, target, source_lengths=None, target_lengths=None):
        """Inference, given what the target was up to each step ("teacher forcing").

        Parameters
        ----------
        source : array_like
            What the encoder takes: tokens (T_s, N) or features (T_s, N, I); with `batch_first` N comes first.
        target : array_like of int, shape (T, N), or (N, T)
            0..V-1. The last symbol of each row is not read.
        source_lengths, target_lengths : array_like of int, shape (N,), optional
            How many steps of each row count, in any order; 0 is allowed.

        Returns
        -------
        logits : ndarray, shape (T, N, V) or (N, T, V)
            Of the symbol of the target at each step.
        weights : ndarray, shape (T, N, T_s) or (N, T, T_s), or None
            Of the attention; 0 beyond the lengths of either.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong dtype or shape; the message names it, what was expected and what came.
        """
        return self._run(source, target, source_lengths, target_lengths, keep=False)[:2]

    def forward(self, source, target, source_lengths=None, target_lengths=None, *, sampling=0.0):
        """Training: (logits, weights, tape). The arguments must not be changed before `backward`.

        Parameters
        ----------
        source, target, source_lengths, target_lengths
            As in a call.
        sampling : float
            Scheduled sampling (Bengio, Vinyals, Jaitly, Shazeer 2015, arXiv 1506.03099): with this probability, in
            [0, 1], a step reads the likeliest symbol by the model's own account of the step before, instead of the
            target's, row by row and step by step. (Their epsilon is 1 - sampling.) The choice has no gradient. It costs
            one more run through the decoder, step by step.
        """
        sampling = arguments.as_number("sampling", sampling, "a number in [0, 1]", lambda p: 0 <= p <= 1)
        logits, weights, content = self._run(source, target, source_lengths, target_lengths, True, sampling)
        return logits, weights, Tape(self, content)

    def backward(self, tape, dlogits):
        """Gradient with respect to the source, None where it is tokens; those of the parameters are added into `grads`.

        Parameters
        ----------
        tape : Tape
            From this layer's `forward`; used up.
        dlogits : array_like
            Gradient of the loss with respect to the logits, of their shape.

        Raises
        ------
        TypeError, ValueError
            The tape is used or another layer's, or a gradient has the wrong dtype or shape. Nothing is added then.
        """
        shape, kept, (encoded, embedded, decoded, said) = Tape.check(tape, self)
        self.check_grads()
        with self._noted("output"):
            dy = self.output.backward(said, dlogits)
        tape.use()
        if self.attends:
            dx, dmemory, dstate = self.decoder.backward(decoded, dy)
            dstate = dstate[0] if self.decoder.input_feeding else dstate
        else:
            dx, dstate = self.decoder.backward(decoded, dy)
            dmemory = np.zeros(shape, self.dtype)
        self.embedding.backward(embedded, dx)
        dstate = as_state(self.encoder, self._across.backward(kept, dstate))
        dsource, _ = self.encoder.backward(encoded, dmemory, dstate)
        tape.omega = omega_of([encoded, decoded])
        return dsource

    # -- one step at a time --------------------------------------------------------------------------------------------

    def begin(self, source, lengths=None, copies=1):
        """What `fastrnn.decoding` needs: the first symbols, the first state, and a function that makes a step.

        Parameters
        ----------
        source : array_like
            As in a call.
        lengths : array_like of int, shape (N,), optional
        copies : int
            Each row of the source stands so many times side by side.

        Returns
        -------
        tokens : ndarray of int, shape (N * copies,)
        state : ndarray or nested tuple of them
            In all of them rows are on axis 1.
        step : callable
            ``logits, state, weights = step(tokens, state)``: logits (N * copies, V) of the next symbol, weights
            (N * copies, T_s) or None.
        """
        N, lengths = self._lengths(source, lengths)
        memory, lengths, state, _, _ = self._encode(source, lengths, keep=False)
        tokens = np.full(N * copies, self.start, np.intp)
        return tokens, rows_of(state, np.repeat(np.arange(N), copies)), self._steps(memory, lengths, copies)

    def _steps(self, memory, lengths, copies=1):
        """The function that makes a step."""
        layout = Layout(True, self.batch_first)
        if self.attends:
            N = layout.time_major(memory).shape[1]
            prepared = self.decoder.attention.prepare(memory, lengths, layout, N, keep=False).repeated(copies)

        def step(tokens, state):
            x, weights = self.embedding(tokens), None
            if self.attends:
                y, state, columns, _ = input_feeding.step(self.decoder, x, prepared, state)
                weights = columns.T
            else:
                y, state = self.decoder(layout.laid_out(x[None]), state)
            return self.output(y.reshape(len(tokens), self.output.in_features)), state, weights

        return step

    def _mixed(self, inputs, step, state, sampling):
        """`inputs` (T, N), some of which are the model's own choices of the step before."""
        inputs, own = inputs.copy(), self._rng.random(inputs.shape) < sampling
        for t in range(len(inputs) - 1):
            logits, state, _ = step(inputs[t], state)
            inputs[t + 1] = np.where(own[t + 1], logits.argmax(axis=-1), inputs[t + 1])
        return inputs

# SPDX-License-Identifier: BSD-3-Clause
"""Attention: what a query takes from a memory of many steps."""

import numpy as np

from ..._engine import arguments
from ..._engine.layout import as_gradient, as_sequence
from ..._engine.ragged import as_lengths
from .._layer import Layer
from .._linear import Linear
from .._parameters import Prefixed
from .._tape import Tape
from . import scores

SCORES = ("additive", "dot", "general", "concat")


class Attention(Layer):
    """A weighted mean of the steps of a memory, with weights that depend on a query.

    With a query q_s and the steps m_1 .. m_T of one row of the memory::

        weights[s, t] = exp(score(q_s, m_t)) / sum_r exp(score(q_s, m_r))
        context[s]    = sum_t weights[s, t] m_t

    (Bahdanau, Cho, Bengio 2015, arXiv 1409.0473, equations 5 and 6). The scores are

    ==========  =========================  ==============================================================
    "additive"  ``v^T tanh(W q + U m)``    Bahdanau et al., section A.1.2
    "dot"       ``q^T m``                  Luong, Pham, Manning 2015, arXiv 1508.04025, equation 8, as are
    "general"   ``q^T W m``                this one
    "concat"    ``v^T tanh(W [q; m])``     and this one
    ==========  =========================  ==============================================================

    "concat" is the same function of q and m as "additive": the columns of its one matrix that meet q are the W, those
    that meet m the U of the other, and neither has a bias. It is computed and stored in that form, and only begins
    elsewhere: as one matrix of Q + M columns. (The two papers differ in what they take for q: Bahdanau et al. the state
    of the decoder before its step, Luong et al. the one after it. That is the caller's choice.)

    Parameters
    ----------
    query_size, memory_size : int
        Q and M. For "dot" they are equal.
    score : {"additive", "dot", "general", "concat"}
    attention_size : int or None
        A, the rows of W and U of "additive" and "concat"; None is Q. The other scores have none.
    batch_first : bool
        Sequences are (N, T, features) instead of (T, N, features).
    dtype : {np.float32, np.float64}
    seed : int or None

    Attributes
    ----------
    params, grads : mapping
        "additive", "concat": ``query.weight`` (A, Q), ``memory.weight`` (A, M), ``v.weight`` (1, A). "general":
        ``memory.weight`` (Q, M). Uniform in +-1/sqrt(columns) at first, as in `Linear`.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> attention = fr.Attention(3, 4, seed=0)
    >>> query, memory = np.ones((2, 1, 3), np.float32), np.ones((5, 1, 4), np.float32)
    >>> context, weights = attention(query, memory, lengths=[4])  # the same memory at every step, so the same weights
    >>> context.shape, weights[0, 0].tolist()
    ((2, 1, 4), [0.25, 0.25, 0.25, 0.25, 0.0])
    """

    def __init__(
        self, query_size, memory_size, *, score="additive", attention_size=None, batch_first=False, dtype=np.float32,
        seed=None,
    ):  # fmt: skip
        self.query_size = arguments.as_size("query_size", query_size)
        self.memory_size = arguments.as_size("memory_size", memory_size)
        if score not in SCORES:
            raise ValueError(f"score: expected one of {', '.join(SCORES)}, got {score!r}")
        self.score = score
        self.attention_size = self._size(attention_size)
        self.batch_first = arguments.as_flag("batch_first", batch_first)
        self.dtype = arguments.as_dtype(dtype)
        rng = arguments.as_rng(seed)
        for name, (O, I) in self._matrices(**self.config()):
            setattr(self, name, Linear(I, O, bias=False, dtype=self.dtype, seed=rng))
        if score == "concat":
            for part in (self.query, self.memory):
                part.params["weight"] *= (part.in_features / (self.query_size + self.memory_size)) ** 0.5
        self.params = Prefixed({name: part.params for name, part in self.parts().items()})
        self.grads = Prefixed({name: part.grads for name, part in self.parts().items()})

    def _size(self, attention_size):
        """A, or None for a score that has none."""
        if self.score in ("additive", "concat"):
            return self.query_size if attention_size is None else arguments.as_size("attention_size", attention_size)
        if attention_size is not None:
            raise ValueError(f"attention_size: expected None for the score {self.score!r}, got {attention_size!r}")
        if self.score == "dot" and self.query_size != self.memory_size:
            raise ValueError(f"memory_size: expected {self.query_size}, the query_size, got {self.memory_size}")
        return None

    @staticmethod
    def _matrices(query_size, memory_size, score, attention_size, **others):
        """(name, (rows, columns)) of each matrix of a score."""
        if score == "general":
            yield "memory", (query_size, memory_size)
        if score in ("additive", "concat"):
            A = query_size if attention_size is None else attention_size
            yield "query", (A, query_size)
            yield "memory", (A, memory_size)
            yield "v", (1, A)

    @classmethod
    def _shapes(cls, **config):
        """(name, shape) of each parameter that a layer with this `config` has, one after another; allocates nothing."""
        return ((f"{name}.weight", shape) for name, shape in cls._matrices(**config))

    def parts(self):
        return {name: getattr(self, name) for name, _ in self._matrices(**self.config())}

    def config(self):
        return {
            "query_size": self.query_size,
            "memory_size": self.memory_size,
            "score": self.score,
            "attention_size": self.attention_size,
            "batch_first": self.batch_first,
            "dtype": str(self.dtype),
        }

    # -- all queries of a batch ----------------------------------------------------------------------------------------

    def _run(self, query, memory, lengths, keep):
        query, layout = as_sequence("query", query, self.query_size, self.dtype, self.batch_first)
        prepared = self.prepare(memory, lengths, layout, query.shape[1], keep=keep)
        query, query_tape = self.project(query, keep)
        (S, N, _), T = query.shape, len(prepared.values)
        context = np.empty(layout.shape(S, N, self.memory_size), self.dtype)
        weights = np.empty(layout.shape(S, N, T), self.dtype)
        columns = np.empty((S, T, N), self.dtype)  # the weights, as they are computed
        for s, context_s in enumerate(layout.time_major(context)):
            context_s[...], columns[s] = scores.attend(query[s], prepared)
        layout.time_major(weights)[...] = columns.swapaxes(1, 2)
        return context, weights, (layout, query, query_tape, columns, prepared)

    def __call__(self, query, memory, lengths=None):
        """Inference.

        Parameters
        ----------
        query : array_like, shape (S, N, Q), with `batch_first` (N, S, Q), or unbatched (S, Q)
        memory : array_like, shape (T, N, M), (N, T, M) or (T, M)
        lengths : array_like of int, shape (N,), optional
            How many steps of each row of the memory count, 0..T; the others are not read.

        Returns
        -------
        context : ndarray, shape (S, N, M), (N, S, M) or (S, M)
            0 for a row of length 0.
        weights : ndarray, shape (S, N, T), (N, S, T) or (S, T)
            Of each query, over the steps of the memory: they sum to 1, and are 0 beyond a row's length.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong dtype or shape; the message names it, what was expected and what came.
        """
        return self._run(query, memory, lengths, keep=False)[:2]

    def forward(self, query, memory, lengths=None):
        """Training: (context, weights, tape). `query` and `memory` must not be changed before `backward`."""
        context, weights, content = self._run(query, memory, lengths, keep=True)
        return context, weights, Tape(self, content)

    def backward(self, tape, dcontext, dweights=None):
        """Gradients with respect to the query and the memory; those of the parameters are added into `grads`.

        Parameters
        ----------
        tape : Tape
            From this layer's `forward`; used up.
        dcontext : array_like
            Gradient of the loss with respect to the context, of its shape.
        dweights : array_like, optional
            Gradient with respect to the weights, of their shape. Zero by default.

        Returns
        -------
        dquery, dmemory : ndarray
            Of the shapes of query and memory; dmemory is 0 beyond a row's length.

        Raises
        ------
        TypeError, ValueError
            The tape is used or another layer's, or a gradient has the wrong dtype or shape. Nothing is added then.
        """
        layout, query, query_tape, columns, prepared = Tape.check(tape, self)
        S, T, N = columns.shape
        dcontext = as_gradient("dcontext", dcontext, layout, (S, N, self.memory_size), self.dtype, "the context")
        if dweights is not None:
            dweights = as_gradient("dweights", dweights, layout, (S, N, T), self.dtype, "the weights")
        self.check_grads()
        tape.use()
        gradients = scores.Gradients(prepared)
        dquery = np.empty_like(query)
        for s in reversed(range(S)):
            upstream = dcontext[s], None if dweights is None else dweights[s]
            dquery[s] = scores.attend_back(query[s], columns[s], *upstream, prepared, gradients)
        dquery = self.project_back(query_tape, dquery)
        dmemory = self.prepare_back(prepared, gradients)
        return layout.laid_out(dquery), layout.laid_out(dmemory)

    # -- what comes before the scores, once for all queries, and its way back ------------------------------------------

    def prepare(self, memory, lengths, layout, N, *, keep):
        """The memory as each query meets it.

        Parameters
        ----------
        memory, lengths
            As the caller gives them.
        layout : Layout
            Of the query, and so of the memory.
        N : int
            Rows of the query.
        keep : bool
            Keep what `prepare_back` needs.

        Returns
        -------
        scores.Memory
        """
        values = arguments.as_floats("memory", memory, self.dtype)
        expected = layout.shape("T", N, self.memory_size)
        if len(values.shape) != len(expected) or layout.time_major(values).shape[1:] != (N, self.memory_size):
            expected = f"({', '.join(map(str, expected))})"
            raise ValueError(f"memory: expected {expected}, as query has {N} rows, got {values.shape}")
        values = layout.time_major(values)
        beyond = None
        if lengths is not None:
            lengths = as_lengths(lengths, len(values), N, of="memory")
            beyond = np.arange(len(values))[:, None] >= lengths
            values = np.where(beyond[..., None], self.dtype.type(0), values)
        values = np.require(values, requirements="C")  # einsum sums rows in one order, then
        if self.score == "dot":
            return scores.Memory(values, values, None, beyond, None)
        keys, tape = self.memory.forward(values) if keep else (self.memory(values), None)
        v = None if self.score == "general" else self._peek("v.weight")[0].copy()
        return scores.Memory(values, keys, v, beyond, tape)

    def project(self, query, keep):
        """The query (..., Q) as the score takes it, (..., K), and the tape of that."""
        if self.score in ("dot", "general"):
            return np.require(query, requirements="C"), None
        return self.query.forward(query) if keep else (self.query(query), None)

    def project_back(self, tape, dquery):
        """Back through `project`, given the tape of it."""
        return dquery if tape is None else self.query.backward(tape, dquery)

    def prepare_back(self, prepared, gradients):
        """Back through `prepare`: the gradient of the memory, (T, N, M)."""
        dmemory, dkeys = gradients.of_values(), gradients.of_keys()
        if gradients.dv is not None:
            self.grads.peek("v.weight")[0] += gradients.dv
        dmemory += dkeys if prepared.tape is None else self.memory.backward(prepared.tape, dkeys)
        return dmemory

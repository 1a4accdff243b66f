# SPDX-License-Identifier: BSD-3-Clause
"""Attention: what a query takes from a memory of many steps."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine import recycled
from ..._engine.arguments import Array, Generator, as_floats
from ..._engine.attention import Memory, attend
from ..._engine.layout import Layout, as_gradient, as_sequence
from ..._engine.ragged import as_lengths
from .._container import Container
from .._layer import Layer, Shapes
from .._linear import Linear
from .._option import KW_ONLY
from .._options import Choice, DType, Flag, OptionalSize, Seed, Size
from .._tape import Tape, exclusive, open_tape
from . import scores
from .scores import AttentionMemory, MemoryGradients


class Attention(Container):
    """A weighted mean of the steps of a memory, with weights that depend on a query.

    With a query q_s and the steps m_1 .. m_T of one row of the memory::

        weights[s, t] = exp(score(q_s, m_t)) / sum_r exp(score(q_s, m_r))
        context[s]    = sum_t weights[s, t] m_t

    (Bahdanau, Cho, Bengio 2015, arXiv 1409.0473, equations 5 and 6). The scores are

    ============  =======================  ==============================================================
    "additive"    ``v^T tanh(W q + U m)``  Bahdanau et al., section A.1.2
    "dot"         ``q^T m``                Luong, Pham, Manning 2015, arXiv 1508.04025, equation 8, as are
    "general"     ``q^T W m``              this one
    "concat"      ``v^T tanh(W [q; m])``   and this one
    "scaled_dot"  ``q^T m / sqrt(Q)``      Vaswani et al. 2017, arXiv 1706.03762, equation 1
    ============  =======================  ==============================================================

    "concat" is the same function as "additive": the columns of its one matrix that multiply q are W, those that
    multiply m are U. It is computed and stored in that form; only the initial values differ, which are those of one
    matrix of Q + M columns. (For q, Bahdanau et al. take the decoder's state before its step, Luong et al. after it.)

    Attributes
    ----------
    params, grads : mapping
        "additive", "concat": ``query.weight`` (A, Q), ``memory.weight`` (A, M), ``v.weight`` (1, A). "general":
        ``memory.weight`` (Q, M). Initially uniform in +-1/sqrt(columns), as in `Linear`.

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

    query_size: Size = Size("Q, the features of a query.")
    memory_size: Size = Size('M, the features of a step of the memory. For "dot" and "scaled_dot" it is Q.')
    _: KW_ONLY
    score: Choice = Choice("The score, as above.", scores.SCORES, default="additive")
    attention_size: OptionalSize = OptionalSize(
        'A, the rows of W and U of "additive" and "concat"; None is Q. The other scores have none.', default=None
    )
    batch_first: Flag = Flag("Sequences are (N, T, features) instead of (T, N, features).", default=False)
    dtype: DType = DType(default=np.float32)
    seed: Seed = Seed(default=None)

    def _setup(self, seed: Generator) -> None:  # type: ignore[override]
        if self.score in ("additive", "concat"):
            vars(self)["attention_size"] = self.attention_size or self.query_size
        elif self.attention_size is not None:
            raise ValueError(f"attention_size: expected None, as {self.score!r} has none, got {self.attention_size!r}")
        if self.score in scores.PLAIN and self.query_size != self.memory_size:
            raise ValueError(f"memory_size: expected {self.query_size}, the query_size, got {self.memory_size}")
        self._scale = self.query_size**-0.5 if self.score == "scaled_dot" else 1.0
        matrices = scores.matrices(**self.config())
        children = {name: Linear(I, O, bias=False, dtype=self.dtype, seed=seed) for name, (O, I) in matrices}
        if self.score == "concat":
            for name in ("query", "memory"):
                fan_in = children[name].in_features
                children[name].params["weight"] *= (fan_in / (self.query_size + self.memory_size)) ** 0.5
        self._adopt(children)
        self.query: Linear | None = children.get("query")
        self.memory: Linear | None = children.get("memory")
        self.v: Linear | None = children.get("v")

    # The children follow from the sizes, so that copies are made like those of a layer without children.

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Layer.__reduce__(self)

    def __repr__(self) -> str:
        return Layer.__repr__(self)

    def inference_copy(self) -> Layer:
        return Layer.inference_copy(self)

    @classmethod
    def parameter_shapes(cls, **config: Any) -> Shapes:
        return ((f"{name}.weight", shape) for name, shape in scores.matrices(**config))

    # -- all queries of a batch --------------------------------------------------------------------------------------

    def _run(
        self, query: ArrayLike, memory: ArrayLike, lengths: ArrayLike | None, keep: bool
    ) -> tuple[Array, Array, Any]:
        query, layout = as_sequence("query", query, self.query_size, self.dtype, self.batch_first)
        prepared = self.prepare(memory, lengths, layout, query.shape[1], keep=keep)
        query, query_tape = self.project(query, keep)
        (S, N, _), T = query.shape, prepared.of.values.shape[1]
        context, weights = (recycled.empty(layout.shape(S, N, F), self.dtype) for F in (self.memory_size, T))
        attend(query, prepared.of, layout.time_major(context), layout.time_major(weights))
        kept = (layout, query, query_tape, layout.time_major(weights.copy()), prepared) if keep else None
        return context, weights, kept

    def __call__(  # type: ignore[override]
        self, query: ArrayLike, memory: ArrayLike, lengths: ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """Inference.

        Parameters
        ----------
        query : array_like, shape (S, N, Q), with `batch_first` (N, S, Q), or unbatched (S, Q)
        memory : array_like, shape (T, N, M), (N, T, M) or (T, M)
        lengths : array_like of int, shape (N,), optional
            The number of valid steps of each row of the memory, 0..T; the others are not read.

        Returns
        -------
        context : ndarray, shape (S, N, M), (N, S, M) or (S, M)
            0 for a row of length 0.
        weights : ndarray, shape (S, N, T), (N, S, T) or (S, T)
            Of each query over the steps of the memory. They sum to 1 and are 0 beyond a row's length.
        """
        return self._run(query, memory, lengths, keep=False)[:2]

    def forward(  # type: ignore[override]
        self, query: ArrayLike, memory: ArrayLike, lengths: ArrayLike | None = None
    ) -> tuple[Array, Array, Tape]:
        """Training: (context, weights, tape). `query` and `memory` must not be changed before `backward`."""
        context, weights, content = self._run(query, memory, lengths, keep=True)
        return context, weights, Tape(self, content, context.shape)

    @exclusive
    def backward(  # type: ignore[override]
        self, tape: Tape, dcontext: ArrayLike, dweights: ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """Gradients with respect to the query and the memory; the gradients of the parameters are added to `grads`.

        Parameters
        ----------
        tape : Tape
            From `forward` of this layer. It can be used only once.
        dcontext : array_like
            Gradient of the loss with respect to the context, of its shape.
        dweights : array_like, optional
            Gradient with respect to the weights, of their shape. Zero by default.

        Returns
        -------
        dquery, dmemory : ndarray
            With the shapes of query and memory; dmemory is 0 beyond a row's length. A query whose gradients are all 0,
            such as padding, is left out of all sums and may be NaN; its dquery is 0.

        Raises
        ------
        TypeError, ValueError
            The tape was used or belongs to another layer, or a gradient has the wrong dtype or shape. Nothing is added.
        """
        layout, query, query_tape, weights, prepared = open_tape(tape, self)
        shape = *query.shape[:2], self.memory_size
        dcontext = as_gradient("dcontext", dcontext, layout, shape, self.dtype, "the context")
        if dweights is not None:
            dweights = as_gradient("dweights", dweights, layout, weights.shape, self.dtype, "the weights")
        self.check_grads()
        tape.close()
        gradients, dscores = MemoryGradients(prepared.of), recycled.empty(weights.shape, self.dtype)
        dquery = self.project_back(query_tape, gradients.back((query, weights), (dcontext, dweights), dscores))
        dmemory = self.prepare_back(prepared, gradients, (weights, dcontext), (dscores, query))
        return layout.laid_out(dquery), layout.laid_out(dmemory)

    # -- what precedes the scores, and the way back ------------------------------------------------------------------

    def prepare(self, memory: ArrayLike, lengths: Any, layout: Layout, N: int, *, keep: bool) -> AttentionMemory:
        """The memory, prepared once for all queries.

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
        """
        values = as_floats("memory", memory, self.dtype)
        expected = layout.shape("T", N, self.memory_size)
        if len(values.shape) != len(expected) or layout.time_major(values).shape[1:] != (N, self.memory_size):
            expected = f"({', '.join(map(str, expected))})"
            raise ValueError(f"memory: expected {expected}, as query has {N} rows, got {values.shape}")
        values = layout.time_major(values)
        lengths = None if lengths is None else as_lengths(lengths, len(values), N, of="memory")
        values = scores.by_rows(values, lengths)
        if self.score in scores.PLAIN:
            return AttentionMemory(Memory(values, values, None, lengths), None)
        assert self.memory is not None
        keys, tape = self.memory.forward(values) if keep else (self.memory(values), None)
        v = None if self.v is None else self.v.params["weight"][0].copy()
        return AttentionMemory(Memory(keys, values, v, lengths), tape)

    def project(self, query: Array, keep: bool) -> tuple[Array, Tape | None]:
        """The query (..., Q) in the form that the score takes, (..., K), and the tape of that."""
        if self.query is None:
            return query if self._scale == 1 else query * self._scale, None
        return self.query.forward(query) if keep else (self.query(query), None)

    def project_back(self, tape: Tape | None, dquery: Array) -> Array:
        """The backward pass of `project`, given its tape."""
        if tape is not None and self.query is not None:
            return self.query.backward(tape, dquery)
        return dquery if self._scale == 1 else dquery * self._scale

    def prepare_back(
        self,
        prepared: AttentionMemory,
        gradients: MemoryGradients,
        of_values: tuple[Array, Array],
        of_keys: tuple[Array, Array],
    ) -> Array:
        """The backward pass of `prepare`, after all queries: the gradient of the memory, a view (T, N, M).

        `of_values` and `of_keys` are the arguments of these methods of `gradients`.
        """
        dmemory, dkeys = gradients.of_values(*of_values), gradients.of_keys(*of_keys)
        if self.v is not None:
            self.v.grads["weight"][0] += gradients.of_v()
        dmemory += dkeys if prepared.tape is None or self.memory is None else self.memory.backward(prepared.tape, dkeys)
        return dmemory.swapaxes(0, 1)

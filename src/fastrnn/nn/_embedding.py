# SPDX-License-Identifier: BSD-3-Clause
"""Embedding."""

import numpy as np

from .._engine import arguments
from ._layer import Layer
from ._tape import Tape


class Embedding(Layer):
    """A row of a table for each integer token; torch.nn.Embedding.

    The product of the table with a one-hot vector, without the product.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        V tokens, E features.
    padding_idx : int or None
        A token whose row is zero at first and gets no gradient; -1 is the last one.
    dtype : {np.float32, np.float64}
    seed : int or None

    Attributes
    ----------
    params, grads : Parameters
        ``weight`` (V, E), standard normal at first, as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> embedding = fr.Embedding(10, 4, seed=0)
    >>> embedding(np.array([[3, 1], [4, 1]])).shape
    (2, 2, 4)
    """

    def __init__(self, num_embeddings, embedding_dim, *, padding_idx=None, dtype=np.float32, seed=None):
        self.num_embeddings = arguments.as_size("num_embeddings", num_embeddings)
        self.embedding_dim = arguments.as_size("embedding_dim", embedding_dim)
        self.padding_idx = None if padding_idx is None else self._row(padding_idx)
        self.dtype = arguments.as_dtype(dtype)
        rng = arguments.as_rng(seed)
        shapes = self._shapes(**self.config())
        self._own({name: rng.standard_normal(shape).astype(self.dtype) for name, shape in shapes})
        if self.padding_idx is not None:
            self.params.own()["weight"][self.padding_idx] = 0

    def _row(self, padding_idx):
        """The row that `padding_idx` means."""
        V = self.num_embeddings
        row = arguments.as_size("padding_idx", padding_idx, -V)
        if row >= V:
            raise ValueError(f"padding_idx: expected at most {V - 1}, got {row}")
        return row % V

    def features_after(self, features):
        return self.embedding_dim

    @staticmethod
    def _shapes(num_embeddings, embedding_dim, **others):
        """(name, shape) of each parameter that a layer with this `config` has, one after another; allocates nothing."""
        yield "weight", (num_embeddings, embedding_dim)

    def config(self):
        return {
            "num_embeddings": self.num_embeddings,
            "embedding_dim": self.embedding_dim,
            "padding_idx": self.padding_idx,
            "dtype": str(self.dtype),
        }

    def _checked(self, tokens):
        tokens = arguments.as_integers("tokens", tokens)
        if tokens.size and (tokens.min() < 0 or tokens.max() >= self.num_embeddings):
            wrong = (tokens < 0) | (tokens >= self.num_embeddings)
            at = tuple(map(int, np.argwhere(wrong)[0]))
            raise ValueError(
                f"tokens: expected integers in 0..{self.num_embeddings - 1}, got {tokens[at]} at position {at}"
            )
        return tokens

    def __call__(self, tokens):
        """Inference: tokens (...) give y (..., E)."""
        return self._peek("weight")[self._checked(tokens)]

    def forward(self, tokens):
        """Training: (y, tape)."""
        tokens = self._checked(tokens)
        return self._peek("weight")[tokens], Tape(self, tokens.copy())

    def backward(self, tape, dy):
        """Add the gradient of each row into `grads`. Tokens have no gradient: returns None."""
        tokens = Tape.check(tape, self)
        dy = arguments.as_floats("dy", dy, self.dtype)
        if dy.shape != (*tokens.shape, self.embedding_dim):
            raise ValueError(f"dy: expected {(*tokens.shape, self.embedding_dim)}, the shape of y, got {dy.shape}")
        self.check_grads()
        tape.use()
        if not tokens.size:
            return
        # sum the rows of each token: sorted, they are runs (numpy.add.at is ten times slower)
        order = np.argsort(tokens, axis=None, kind="stable")
        used, starts = np.unique(tokens.reshape(-1)[order], return_index=True)
        sums = np.add.reduceat(dy.reshape(-1, self.embedding_dim)[order], starts, axis=0)
        learns = slice(None) if self.padding_idx is None else used != self.padding_idx
        self.grads.own()["weight"][used[learns]] += sums[learns]

# SPDX-License-Identifier: BSD-3-Clause
"""Linear and Embedding."""

import numpy as np

from .. import arguments, functional
from ..layer import Layer, Tape


class Linear(Layer):
    """y = x W^T + b over the last axis; torch.nn.Linear.

    Sequences need nothing special: (T, N, I) gives (T, N, O).

    Parameters
    ----------
    in_features, out_features : int
        I and O.
    bias : bool
    dtype : {np.float32, np.float64}
    seed : int or None

    Attributes
    ----------
    params, grads : Parameters
        ``weight`` (O, I) and ``bias`` (O,), uniform in +-1/sqrt(I) at first, as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> linear = fr.Linear(3, 2, seed=0)
    >>> linear(np.ones((5, 4, 3), np.float32)).shape
    (5, 4, 2)
    """

    cell = functional.CELLS["linear"]

    def __init__(self, in_features, out_features, *, bias=True, dtype=np.float32, seed=None):
        self.in_features = arguments.as_size("in_features", in_features)
        self.out_features = arguments.as_size("out_features", out_features)
        self.bias, self.dtype = arguments.as_flag("bias", bias), arguments.as_dtype(dtype)
        self._own(self._initial(arguments.as_rng(seed)))
        own = self.params.own()
        self._weights = functional.weights(
            self.cell,
            self.dtype,
            self.in_features,
            self.out_features,
            (own["weight"], None, own.get("bias"), None),
            self.params,
        )

    @property
    def features_in(self):
        return self.in_features

    def features_after(self, features):
        return self.out_features

    @staticmethod
    def _shapes(in_features, out_features, bias, **others):
        """(name, shape) of each parameter that a layer with this `config` has, one after another; allocates nothing."""
        yield "weight", (out_features, in_features)
        if bias:
            yield "bias", (out_features,)

    def _initial(self, rng):
        """PyTorch's default: everything uniform in +-1/sqrt(I)."""
        bound = self.in_features**-0.5
        shapes = self._shapes(**self.config())
        return {name: rng.uniform(-bound, bound, shape).astype(self.dtype) for name, shape in shapes}

    def config(self):
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "bias": self.bias,
            "dtype": str(self.dtype),
        }

    def _run(self, x, keep):
        x = arguments.as_floats("x", x, self.dtype)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"x: expected (..., {self.in_features}), got {x.shape}")
        y = np.empty((*x.shape[:-1], self.out_features), self.dtype)
        rows = arguments.readable(x.reshape(1, -1, self.in_features))  # every position is a row, in a single step
        saved = functional.forward(
            self.cell,
            self._weights.pack(),
            rows,
            y.reshape(1, -1, self.out_features),
            (None, None),
            (None, None),
            keep=keep,
        )
        return y, saved

    def __call__(self, x):
        """Inference: x (..., I) gives y (..., O)."""
        return self._run(x, keep=False)[0]

    def forward(self, x):
        """Training: (y, tape). `x` must not be changed before `backward`."""
        y, saved = self._run(x, keep=True)
        return y, Tape(self, (y.shape, saved))

    def backward(self, tape, dy):
        """Gradient with respect to x; those of the parameters are added into `grads`."""
        shape, saved = Tape.check(tape, self)
        dy = arguments.as_floats("dy", dy, self.dtype)
        if dy.shape != shape:
            raise ValueError(f"dy: expected {shape}, the shape of y, got {dy.shape}")
        self.check_grads()
        tape.use()
        dx = np.zeros((*shape[:-1], self.in_features), self.dtype)
        own = self.grads.own()
        functional.backward(
            self.cell, saved, arguments.readable(dy.reshape(1, -1, self.out_features)), (None, None),
            dx.reshape(1, -1, self.in_features), (None, None), (own["weight"], None, own.get("bias"), None),
        )  # fmt: skip
        return dx


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

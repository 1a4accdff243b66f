# SPDX-License-Identifier: BSD-3-Clause
"""The layers around the recurrent ones: Linear, Embedding, Sequential."""

import contextlib

import numpy as np

from . import functional
from .layer import Layer, Prefixed, Tape


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
        self.in_features = functional.as_size("in_features", in_features)
        self.out_features = functional.as_size("out_features", out_features)
        self.bias, self.dtype = functional.as_flag("bias", bias), functional.as_dtype(dtype)
        self._own(self._initial(functional.as_rng(seed)))
        own = self.params.own()
        self._weights = functional.weights(
            self.cell,
            self.dtype,
            self.in_features,
            self.out_features,
            (own["weight"], None, own.get("bias"), None),
            self.params,
        )

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
        x = functional.as_floats("x", x, self.dtype)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"x: expected (..., {self.in_features}), got {x.shape}")
        y = np.empty((*x.shape[:-1], self.out_features), self.dtype)
        rows = functional.readable(x.reshape(1, -1, self.in_features))  # every position is a row, in a single step
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
        dy = functional.as_floats("dy", dy, self.dtype)
        if dy.shape != shape:
            raise ValueError(f"dy: expected {shape}, the shape of y, got {dy.shape}")
        self.check_grads()
        tape.use()
        dx = np.zeros((*shape[:-1], self.in_features), self.dtype)
        own = self.grads.own()
        functional.backward(
            self.cell, saved, functional.readable(dy.reshape(1, -1, self.out_features)), (None, None),
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

    def __init__(self, num_embeddings, embedding_dim, *, dtype=np.float32, seed=None):
        self.num_embeddings = functional.as_size("num_embeddings", num_embeddings)
        self.embedding_dim = functional.as_size("embedding_dim", embedding_dim)
        self.dtype = functional.as_dtype(dtype)
        rng = functional.as_rng(seed)
        shapes = self._shapes(**self.config())
        self._own({name: rng.standard_normal(shape).astype(self.dtype) for name, shape in shapes})

    @staticmethod
    def _shapes(num_embeddings, embedding_dim, **others):
        """(name, shape) of each parameter that a layer with this `config` has, one after another; allocates nothing."""
        yield "weight", (num_embeddings, embedding_dim)

    def config(self):
        return {
            "num_embeddings": self.num_embeddings,
            "embedding_dim": self.embedding_dim,
            "dtype": str(self.dtype),
        }

    def _checked(self, tokens):
        tokens = functional.as_integers("tokens", tokens)
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
        dy = functional.as_floats("dy", dy, self.dtype)
        if dy.shape != (*tokens.shape, self.embedding_dim):
            raise ValueError(f"dy: expected {(*tokens.shape, self.embedding_dim)}, the shape of y, got {dy.shape}")
        self.check_grads()
        tape.use()
        if not tokens.size:
            return
        # sum the rows of each token: sorted, they are runs (numpy.add.at is ten times slower)
        order = np.argsort(tokens, axis=None, kind="stable")
        used, starts = np.unique(tokens.reshape(-1)[order], return_index=True)
        self.grads.own()["weight"][used] += np.add.reduceat(dy.reshape(-1, self.embedding_dim)[order], starts, axis=0)


class Sequential(Layer):
    """Layers one after another, each reading the output of the one before.

    Parameters
    ----------
    *layers : Layer
        Recurrent or not, in any mixture.

    Attributes
    ----------
    layers : tuple of Layer
    params, grads : mapping
        Of all layers, named as PyTorch does: ``"0.weight"``, ``"1.weight_ih_l0"``.

    Raises
    ------
    TypeError
        Something that is not a layer.

    Notes
    -----
    It takes and returns a state as recurrent layers do: a tuple with the state of each recurrent layer, empty if there
    is none; None is zero everywhere. `lengths` go to every recurrent layer.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.Embedding(10, 4, seed=0), fr.LSTM(4, 8, seed=1), fr.Linear(8, 10, seed=2))
    >>> tokens = np.array([[3, 1], [4, 1], [5, 9]])  # (T, N)
    >>> logits, state, tape = model.forward(tokens)
    >>> loss, dlogits = fr.cross_entropy(logits[:-1], tokens[1:])
    >>> dx, dstate = model.backward(tape, np.concatenate([dlogits, np.zeros_like(logits[:1])]))
    >>> sorted(model.grads)[:2]
    ['0.weight', '1.bias_hh_l0']
    """

    stateful = True

    def __init__(self, *layers):
        for k, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise TypeError(f"layers: expected layers, got {type(layer).__name__} at position {k}")
        if not layers:
            raise ValueError("layers: expected at least one layer, got none")
        self.layers = layers
        self.params = Prefixed(layer.params for layer in layers)
        self.grads = Prefixed(layer.grads for layer in layers)

    @property
    def dtype(self):
        return self.layers[0].dtype

    def config(self):
        return {"layers": [{"type": type(layer).__name__, **layer.config()} for layer in self.layers]}

    def __repr__(self):
        return f"Sequential({', '.join(map(repr, self.layers))})"

    def __reduce__(self):
        return Sequential, self.layers

    def _peek(self, name):
        index, _, rest = name.partition(".")
        return self.layers[int(index)]._peek(rest)

    def _states(self, name, state):
        """One state for each layer; None for those that have none."""
        count = sum(layer.stateful for layer in self.layers)
        if state is None:
            state = (None,) * count
        if not isinstance(state, tuple | list) or len(state) != count:
            got = f"{len(state)} of them" if isinstance(state, tuple | list) else type(state).__name__
            raise TypeError(
                f"{name}: expected a tuple with a state for each of the {count} recurrent layers, got {got}"
            )
        states = iter(state)
        return [next(states) if layer.stateful else None for layer in self.layers]

    @contextlib.contextmanager
    def _noted(self, k):
        """Errors inside say which layer they come from."""
        try:
            yield
        except (TypeError, ValueError) as error:
            error.add_note(f"in layer {k} of Sequential: {self.layers[k]!r}")
            raise

    def _through(self, x, state, lengths, method):
        """Run x through `method` of every layer; collects (y, [state], [further results])."""
        states, tapes = [], []
        for k, (layer, before) in enumerate(zip(self.layers, self._states("state", state), strict=True)):
            with self._noted(k):
                result = getattr(layer, method)(*((x, before, lengths) if layer.stateful else (x,)))
            x, *rest = result if isinstance(result, tuple) else (result,)
            if layer.stateful:
                states.append(rest.pop(0))
            tapes += rest
        return x, tuple(states), tapes

    def __call__(self, x, state=None, lengths=None):
        """Inference: (y, state)."""
        y, state, _ = self._through(x, state, lengths, "__call__")
        return y, state

    def forward(self, x, state=None, lengths=None):
        """Training: (y, state, tape)."""
        y, state, tapes = self._through(x, state, lengths, "forward")
        return y, state, Tape(self, tapes)

    def backward(self, tape, dy, dstate=None):
        """Gradients with respect to x and the initial state: (dx, dstate). dx is None where x is tokens."""
        tapes = Tape.check(tape, self)
        after, before = self._states("dstate", dstate), []
        self.check_dstate(tape, dstate)  # before any layer adds to its gradients
        for k in reversed(range(len(self.layers))):
            layer = self.layers[k]
            with self._noted(k):
                if layer.stateful:
                    dy, dbefore = layer.backward(tapes[k], dy, after[k])
                    before.append(dbefore)
                else:
                    dy = layer.backward(tapes[k], dy)
        tape.use()
        return dy, tuple(reversed(before))

    def check_dstate(self, tape, dstate):
        for k, (layer, part, after) in enumerate(
            zip(self.layers, Tape.check(tape, self), self._states("dstate", dstate), strict=True)
        ):
            if layer.stateful:
                with self._noted(k):
                    layer.check_dstate(part, after)

# SPDX-License-Identifier: BSD-3-Clause
"""Random recurrent layers with a batch for each, and running them."""

from typing import Any, NamedTuple

import numpy as np
from fuzz.arrays import choose, numbers, size
from support.recurrent import RECURRENT_CELLS, as_tuple, make_layer, random_lengths

import fastrnn as fr
from fastrnn._engine import recomputation
from fastrnn._engine.layout import as_state
from fastrnn.nn._layer import rebuilt
from fastrnn.nn._recurrent import stack

WORK = 1_500_000  # multiply-adds of a pass, at most; of one case in twenty thirty times as many
PARTS = "hc"

# Options that act at random, in training only.
RANDOM = ("dropout", "recurrent_dropout", "zoneout", "weight_drop")


class Problem(NamedTuple):
    """A layer that reads (T, N, I), a batch for it, and the gradients of its results."""

    cell: str
    layer: Any
    x: Any  # (T, N, I)
    state: Any  # or None
    lengths: Any  # (N,), or None
    dy: Any  # (T, N, D*H)
    dstate: Any  # or None

    @property
    def full_lengths(self):
        T, N, _ = self.x.shape
        return np.full(N, T) if self.lengths is None else self.lengths

    @property
    def repeatable(self):
        """Whether training is the same function as inference, in every batch."""
        return not any(np.any(getattr(self.layer, name)) for name in RANDOM)

    @property
    def causal(self):
        return not self.layer.reads_ahead

    def of(self, layer):
        return self._replace(layer=layer)

    def rows(self, picked):
        """The same of some rows alone, in any order."""
        return self._replace(
            x=self.x[:, picked],
            state=part_of(self.state, picked),
            lengths=None if self.lengths is None else self.lengths[picked],
            dy=self.dy[:, picked],
            dstate=part_of(self.dstate, picked),
        )

    def __str__(self):
        own = {"x": self.x, "state": self.state, "lengths": self.lengths, "dstate": self.dstate}
        shapes = {k: None if v is None else [np.shape(part) for part in as_tuple(v)] for k, v in own.items()}
        lengths = None if self.lengths is None else self.lengths.tolist()
        return f"{self.layer!r} on {fr._core.get_isa()}: {shapes}, lengths={lengths}"


def part_of(state, rows):
    return None if state is None else as_state(array[:, rows] for array in as_tuple(state))


def twin(layer, **changed):
    """A layer with the same parameters and random state, and other options."""
    return rebuilt(type(layer), layer.config() | changed, layer.state_dict(), layer.random_state)


def named(prefix, state):
    return dict(zip((prefix + part for part in PARTS), as_tuple(state), strict=False))


def infer(problem):
    """What a call returns, by name."""
    y, final = problem.layer(problem.x, problem.state, problem.lengths)
    return {"y": y} | named("", final)


def train(problem):
    """What a step of training gives, by name; gradients of parameters begin with "grad."."""
    layer = problem.layer
    y, final, tape = layer.forward(problem.x, problem.state, problem.lengths)
    result = {"y": y} | {name: array.copy() for name, array in named("", final).items()}
    layer.zero_grad()
    dx, dinitial = layer.backward(tape, problem.dy, problem.dstate)
    result |= {"dx": dx} | named("d", dinitial)
    return result | {f"grad.{name}": layer.grads[name].copy() for name in layer.grads}


def without_grads(results):
    """Those that belong to a row each."""
    return {name: array for name, array in results.items() if not name.startswith("grad.")}


def rows_of(results, rows):
    return {name: array[:, rows] for name, array in without_grads(results).items()}


# -- drawing ---------------------------------------------------------------------------------------------------------


def draw_options(rng, cell):
    """Options of RNN, LSTM and GRU; each is at its default more often than not."""
    rarely = lambda value, default: value if rng.random() < 0.15 else default  # noqa: E731
    p = lambda: float(choose(rng, 0.1, 0.5, 0.9))  # noqa: E731
    layers = choose(rng, 1, 2, 3, p=[0.6, 0.25, 0.15])
    options = {
        "num_layers": layers,
        "bias": bool(rng.random() < 0.8),
        "bidirectional": bool(rng.random() < 0.35),
        "reverse": bool(rng.random() < 0.2),
        "dtype": choose(rng, np.float32, np.float64),
        "recompute": bool(rng.random() < 0.25),
        "dropout": rarely(p(), 0.0) if layers > 1 else 0.0,
        "recurrent_dropout": rarely(p(), 0.0),
        "zoneout": rarely(p(), 0.0),
        "weight_drop": rarely(p(), 0.0),
        "delta_clip": rarely(10.0 ** rng.integers(-3, 2), None),
        "learn_initial_state": bool(rng.random() < 0.15),
        "seed": int(rng.integers(2**32)),
    }
    options["reverse"] &= not options["bidirectional"]
    if cell == "lstm":
        options["zoneout"] = choose(rng, options["zoneout"], (options["zoneout"], 0.0), (0.0, options["zoneout"]))
    if cell.startswith("rnn"):
        options["leak"] = rarely(p(), 1.0)
        plain = cell != "rnn_selu" and not options["recompute"] and options["leak"] == 1
        plain &= not any(options[name] for name in ("recurrent_dropout", "zoneout", "weight_drop"))
        options["omega"] = rarely(p(), 0.0) if plain else 0.0
    return options


def draw_sizes(rng, options, gates):
    """T, N, I, H of bounded work."""
    T, N, I, H = size(rng, 0, 40), size(rng, 0, 100), size(rng, 1, 100), size(rng, 1, 130)
    D, L = 1 + options["bidirectional"], options["num_layers"]
    most = WORK * (30 if rng.random() < 0.05 else 1)
    step = D * L * gates * H * (max(I, D * H) + H)
    while T * N * step > most:
        if N > T:
            N = N * 2 // 3
        else:
            T = T * 2 // 3
    return T, N, I, H


def draw_batch(rng, layer, T, N):
    """x, state, lengths, dy and dstate of a batch."""
    K, H, D = layer.num_layers * layer.num_directions, layer.hidden_size, layer.num_directions
    state, dstate = (
        as_state(numbers(rng, (K, N, H), layer.dtype) for _ in layer.cell.parts) if rng.random() < 0.6 else None
        for _ in range(2)
    )
    lengths = random_lengths(T, N, rng) if rng.random() < 0.6 else None
    x, dy = numbers(rng, (T, N, layer.input_size), layer.dtype), numbers(rng, (T, N, D * H), layer.dtype)
    if rng.random() < 0.05 and x.size:  # of one row, which is nobody else's
        x[rng.integers(T), rng.integers(N)] = choose(rng, np.nan, np.inf, -np.inf, np.finfo(x.dtype).max)
    if rng.random() < 0.05:  # one row for all, with strides of 0
        x, dy = (np.broadcast_to(array[:, :1], array.shape) for array in (x, dy))
    return x, state, lengths, dy, dstate


def draw(rng):
    """A `Problem`, on one of the machine's engines, with blocks of time of any size."""
    fr._core.set_isa(choose(rng, *fr.isas()))
    small = rng.random() < 0.7
    recomputation.BLOCK_ROWS, recomputation.BLOCK_STEPS = (8, int(rng.integers(1, 4))) if small else (2048, 16)
    stack.BLOCK_ELEMENTS, stack.BLOCK_STEPS = (64, int(rng.integers(1, 4))) if small else (1 << 18, 16)
    cell = choose(rng, *RECURRENT_CELLS)
    options = draw_options(rng, cell)
    T, N, I, H = draw_sizes(rng, options, {"lstm": 4, "rnn": 1}.get(cell[:4].rstrip("_"), 3))
    layer = make_layer(cell, I, H, **options)
    scale = choose(rng, 1.0, 0.0, 2.0, p=[0.85, 0.05, 0.1])
    for name in layer.params:
        if name in ("h0", "c0"):
            layer.params[name] = numbers(rng, layer.params[name].shape, layer.dtype)
        elif scale != 1:
            layer.params[name] *= scale
    return Problem(cell, layer, *draw_batch(rng, layer, T, N))

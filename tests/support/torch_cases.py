# SPDX-License-Identifier: BSD-3-Clause
"""The cases on which fastrnn is compared with PyTorch, and the function that runs PyTorch.

`golden/make_torch.py` runs the few `FROZEN` cases and saves them; `test_torch.py` checks fastrnn
against the saved files always, and on the many `LIVE` cases wherever PyTorch can be imported.

A case and its results are one flat dict of arrays; T steps, N batch, I input, H hidden, L layers,
D directions, G gates (1 RNN, 4 LSTM, 3 GRU). `draw` makes the first half, `run_torch` the second:

    x (T, N, I)    h0, c0 (L*D, N, H)    dy (T, N, D*H)   dhn, dcn (L*D, N, H)   lengths (N,) int64
    param.<name>, by PyTorch's names: weight_ih_l0 (G*H, I), ...
    y (T, N, D*H)  hn, cn (L*D, N, H)    dx (T, N, I)     dh0, dc0 (L*D, N, H)   grad.<name>

c* only for the LSTM; h0, c0, dh0, dc0 only if the case gives an initial state; dhn, dcn only if a
gradient arrives at the last state. x, y, dx, dy are (N, T, ...) with batch_first; an unbatched case
has no N axis. Every initial state and gradient is the one PyTorch calls by the same name.
"""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass

import numpy as np

GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}


@dataclass(frozen=True)
class Case:
    """One network and the way it is called."""

    cell: str  # a key of GATES; the GRU is reset_after=True, the only one PyTorch has
    size: tuple[int, int, int, int]  # (T, N, I, H)
    layers: int = 1
    bidirectional: bool = False
    bias: bool = True
    lengths: tuple[int, ...] | None = None  # each at least 1: PyTorch refuses 0
    dtype: str = "float64"  # of the inputs and parameters, and of fastrnn's results
    state: bool = True  # an initial state is given; otherwise None
    dstate: bool = True  # a gradient arrives at the last state too; otherwise at y alone
    batch_first: bool = False
    unbatched: bool = False  # needs N = 1

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the state's parts: h, and c for the LSTM."""
        return ("h", "c") if self.cell == "lstm" else ("h",)

    @property
    def name(self) -> str:
        parts = [
            self.cell,
            "T{}N{}I{}H{}".format(*self.size),
            f"{self.layers}layer",
            "bidirectional" if self.bidirectional else "",
            "" if self.bias else "nobias",
            "ragged" if self.lengths else "",
            "" if self.state else "nostate",
            "" if self.dstate else "nodstate",
            "batchfirst" if self.batch_first else "",
            "unbatched" if self.unbatched else "",
            self.dtype,
        ]
        return "-".join(part for part in parts if part)


# Sizes lie one off the vector widths (4, 8, 16 floats), or are 1.
ONE = (3, 1, 1, 1)
SMALL = (6, 4, 3, 5)
ODD = (7, 5, 3, 17)
WIDE = (5, 9, 16, 33)
SINGLE = (6, 1, 3, 9)

# In no order; ODD has a full row, a row of 1 and a tie, and no row of WIDE reaches T.
LENGTHS = {
    SMALL: (2, 6, 1, 4),
    ODD: (4, 7, 1, 6, 4),
    WIDE: (2, 4, 1, 4, 3, 1, 4, 2, 3),
}

# Small enough to be kept in the repository, and every feature of a Case at least once.
FROZEN = [
    Case("rnn_tanh", ODD),
    Case("rnn_tanh", SMALL, layers=2, bidirectional=True, bias=False, lengths=LENGTHS[SMALL]),
    Case("rnn_relu", WIDE, bias=False, dtype="float32", state=False),
    Case("rnn_relu", SINGLE, bidirectional=True, unbatched=True),
    Case("lstm", ONE),
    Case("lstm", ODD, dtype="float32"),
    Case("lstm", SMALL, layers=2, bidirectional=True, lengths=LENGTHS[SMALL]),
    Case("lstm", ODD, bias=False, lengths=LENGTHS[ODD], dtype="float32", state=False,
         batch_first=True),
    Case("lstm", SINGLE, layers=2, dstate=False, unbatched=True),
    Case("gru", ONE, layers=2, bidirectional=True, bias=False),
    Case("gru", ODD, lengths=LENGTHS[ODD]),
    Case("gru", SMALL, layers=2, bidirectional=True, lengths=LENGTHS[SMALL], dtype="float32",
         batch_first=True),
    Case("gru", SINGLE, bidirectional=True, dtype="float32", state=False, dstate=False,
         unbatched=True),
]  # fmt: skip

# Every combination of what changes the arithmetic ...
LIVE = [
    Case(cell, size, layers, bidirectional, bias, LENGTHS[size] if ragged else None, dtype, state)
    for cell, size, layers, bidirectional, bias, ragged, dtype, state in itertools.product(
        GATES, (ODD, WIDE), (1, 2), (False, True), (True, False), (False, True),
        ("float64", "float32"), (True, False),
    )
]  # fmt: skip
# ... and of what only changes how it is called.
LIVE += [
    Case(cell, ODD, 2, True, lengths=lengths, state=state, dstate=dstate, batch_first=True)
    for cell, lengths, state, dstate in itertools.product(GATES, (None, LENGTHS[ODD]), (True, False), (True, False))
]
LIVE += [
    Case(cell, SINGLE, layers, bidirectional, state=state, dstate=dstate, unbatched=True,
         batch_first=batch_first)
    for cell, layers, bidirectional, state, dstate, batch_first in itertools.product(
        GATES, (1, 2), (False, True), (True, False), (True, False), (False, True)
    )
]  # fmt: skip
# One unit, one row, one input: float64 only, which has digits to spare (see `draw`).
LIVE += [
    Case(cell, ONE, layers, bidirectional, bias)
    for cell, layers, bidirectional, bias in itertools.product(GATES, (1, 2), (False, True), (True, False))
]


def draw(case: Case) -> dict[str, np.ndarray]:
    """Make the inputs, parameters and arriving gradients of a case, the same ones each time.

    Everything is drawn in float64 and rounded to `case.dtype`. What lies beyond a row's length in
    x and dy is as random as the rest, for it must not matter.

    Where relu has its kink, rounding alone could switch a unit and its gradient on or off. In the
    float32 cases no pre-activation lies nearer to 0 than 2e-6, some ten times the rounding error;
    the name seeds the generator, so a renamed or added relu case wants a look at that.
    """
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    T, N, inputs, H = case.size
    D, L, G = case.directions, case.layers, GATES[case.cell]
    rows = () if case.unbatched else (N,)

    def sequence(features):
        both = (*rows, T) if case.batch_first else (T, *rows)
        return rng.standard_normal((*both, features))

    given = {"x": sequence(inputs), "dy": sequence(D * H)}
    for part in case.states:
        if case.state:
            given[f"{part}0"] = rng.uniform(-1, 1, (L * D, *rows, H))
        if case.dstate:
            given[f"d{part}n"] = rng.standard_normal((L * D, *rows, H))

    # PyTorch draws from U(-1/sqrt(H), 1/sqrt(H)); half as wide again bends the activations more.
    bound = 1.5 / np.sqrt(H)
    for layer, suffix in itertools.product(range(L), ("", "_reverse")[:D]):
        shapes = {"weight_ih": (G * H, D * H if layer else inputs), "weight_hh": (G * H, H)}
        if case.bias:
            shapes |= {"bias_ih": (G * H,), "bias_hh": (G * H,)}
        for stem, shape in shapes.items():
            given[f"param.{stem}_l{layer}{suffix}"] = rng.uniform(-bound, bound, shape)

    # A sum of three terms may cancel, and an array of one element has no larger neighbour by which
    # to measure its error; a lone relu may be dead, a lone tanh saturated (1 - h*h loses digits).
    # So with one unit everything is positive, and small.
    given = {name: abs(array) / 2 if H == 1 else array for name, array in given.items()}
    given = {name: array.astype(case.dtype) for name, array in given.items()}
    if case.lengths:
        given["lengths"] = np.array(case.lengths, np.int64)
    return given


def parameters(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Pick the state_dict out of a case's arrays."""
    return {k.removeprefix("param."): v for k, v in arrays.items() if k.startswith("param.")}


def torch_module(case: Case, dtype: str):
    """Build the network in PyTorch, with parameters of PyTorch's own choice."""
    import torch

    _, _, inputs, hidden = case.size
    options = {
        "num_layers": case.layers,
        "bias": case.bias,
        "batch_first": case.batch_first,
        "bidirectional": case.bidirectional,
        "dtype": getattr(torch, dtype),
    }
    if case.cell == "lstm":
        return torch.nn.LSTM(inputs, hidden, **options)
    if case.cell == "gru":
        return torch.nn.GRU(inputs, hidden, **options)
    return torch.nn.RNN(inputs, hidden, nonlinearity=case.cell.removeprefix("rnn_"), **options)


def run_torch(case: Case, given: dict[str, np.ndarray], dtype: str = "float64", build=torch_module):
    """Run PyTorch forward and backward on `given`, computing in `dtype`; return the results. `build` makes the module.

    float64 is the default for float32 cases too, since it is the better oracle: from the same
    float32 values it gives the true result to sixteen digits, so that the tolerance is fastrnn's
    alone. PyTorch's own float32 result is as far from the truth as fastrnn's may be.
    """
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    def tensor(name, requires_grad=False):
        return torch.tensor(given[name], dtype=getattr(torch, dtype), requires_grad=requires_grad)

    module = build(case, dtype)
    module.load_state_dict({name: tensor(f"param.{name}") for name in parameters(given)})

    x = tensor("x", requires_grad=True)
    initial = [tensor(f"{part}0", requires_grad=True) for part in case.states if case.state]
    state = None if not initial else tuple(initial) if case.cell == "lstm" else initial[0]
    if case.lengths:
        first = case.batch_first
        lengths = torch.tensor(given["lengths"])
        packed = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False)
        packed_y, last = module(packed, state)
        y, _ = pad_packed_sequence(packed_y, batch_first=first, total_length=case.size[0])
    else:
        y, last = module(x, state)
    last = last if case.cell == "lstm" else (last,)

    heads, arriving = [y], [tensor("dy")]
    if case.dstate:
        heads += last
        arriving += [tensor(f"d{part}n") for part in case.states]
    torch.autograd.backward(heads, arriving)

    result = {"y": y, "dx": x.grad}
    result |= {f"{part}n": value for part, value in zip(case.states, last, strict=True)}
    result |= {f"d{part}0": value.grad for part, value in zip(case.states, initial, strict=False)}
    result |= {f"grad.{name}": value.grad for name, value in module.named_parameters()}
    return {name: value.detach().numpy().copy(order="C") for name, value in result.items()}

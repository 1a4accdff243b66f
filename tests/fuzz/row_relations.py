# SPDX-License-Identifier: BSD-3-Clause
"""Relations of rows that begin anew, or lie packed: each compares two ways to the same bits."""

import numpy as np
from fuzz.arrays import same
from fuzz.problems import infer, named, train, twin

import fastrnn as fr
from fastrnn._engine.layout import as_state
from fastrnn._engine.layout import state_arrays as as_tuple


def row_of(state, n):
    return None if state is None else as_state(array[:, n : n + 1] for array in as_tuple(state))


def entering(problem, n, first, last):
    """The state that enters a part of row n: forwards at the first one, backwards at the last."""
    if problem.state is None:
        return None
    arrays, D = [], problem.layer.num_directions
    ends = (last,) if problem.layer.reverse else (first, last)[:D]
    for array in as_tuple(row_of(problem.state, n)):
        arrays.append(np.zeros_like(array))
        for direction, enters in enumerate(ends):
            if enters:
                arrays[-1][direction::D] = array[direction::D]
    return as_state(arrays)


def resets(problem, rng, expected):
    """A row with resets is its parts, each from a state of zeros; also backward, where training is repeatable."""
    (T, N, _), layer = problem.x.shape, twin(problem.layer)  # what is random of the problem's own stays as it is
    if not layer.takes_resets or not T or not N:
        return
    marks, n = rng.random((T, N)) < rng.random() / 2, int(rng.integers(N))
    length = int(problem.full_lengths[n])
    y, final = layer(problem.x, problem.state, problem.lengths, resets=marks)
    starts = [0, *(t for t in range(1, length) if marks[t, n])]
    spans = [slice(a, b) for a, b in zip(starts, [*starts[1:], length], strict=True)]
    passed = []
    for span in spans:
        state = entering(problem, n, span.start == 0 and not marks[0, n], span.stop == length)
        passed.append(layer.forward(problem.x[span, n : n + 1], state))
    if problem.repeatable:
        wanted = np.concatenate([y_part for y_part, _, _ in passed])
        same({"y": y[:length, n : n + 1]}, {"y": wanted}, f"row {n} with resets before {starts[1:]}")
        if problem.causal and length:
            same(named("", row_of(final, n)), named("", passed[-1][1]), f"the state of row {n} after its resets")
    if not problem.repeatable or not length or not problem.causal:
        return
    trained, end, tape = layer.forward(problem.x, problem.state, problem.lengths, resets=marks)
    same({"y": trained} | named("", end), {"y": y} | named("", final), "training and inference with resets")
    dx, dstate = layer.backward(tape, problem.dy, problem.dstate)
    parts, upstream = [], row_of(problem.dstate, n)
    for span, (_, _, part) in zip(reversed(spans), reversed(passed), strict=True):
        back, before = layer.backward(part, problem.dy[span, n : n + 1], upstream)
        parts.insert(0, back)
        upstream = None
    same({"dx": dx[:length, n : n + 1]}, {"dx": np.concatenate(parts)}, f"the gradient of row {n} with resets")
    if not marks[0, n]:
        same(named("d", row_of(dstate, n)), named("d", before), f"the gradient of the state of row {n} with resets")


def packed(problem, rng, expected):
    """Rows without padding, in the order of their lengths: in a call and in a step of training, with every gradient."""
    layer, lengths = problem.layer, problem.full_lengths
    if not layer.takes_packed or not len(lengths) or not lengths.all():
        return
    pack = lambda array: fr.pack_sequence([array[:length, n] for n, length in enumerate(lengths)])  # noqa: E731
    other = twin(layer)
    ragged = problem.of(twin(layer))._replace(lengths=lengths)
    x, dy = pack(np.asarray(problem.x)), pack(np.asarray(problem.dy))
    y, final = other(x, problem.state)
    wanted = infer(ragged)
    same({"y": y.data} | named("", final), wanted | {"y": pack(wanted["y"]).data}, "packed")
    if not problem.repeatable:  # what is random is drawn for the steps there are
        return
    wanted = train(ragged)
    y, final, tape = other.forward(x, problem.state)
    other.zero_grad()
    dx, dinitial = other.backward(tape, dy, problem.dstate)
    found = {"y": y.data, "dx": dx} | named("", final) | named("d", dinitial)
    found |= {f"grad.{name}": other.grads[name] for name in other.grads}
    wanted |= {"y": pack(wanted["y"]).data, "dx": pack(wanted["dx"]).data}
    same(found, wanted, "training on packed rows")


RELATIONS = (resets, packed)

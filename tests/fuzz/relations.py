# SPDX-License-Identifier: BSD-3-Clause
"""What holds bit for bit of every recurrent layer: each relation compares two ways to the same results.

Where a relation does not apply to a problem, it returns at once.
"""

import copy

import numpy as np
from fuzz.arrays import choose, laid_out, same
from fuzz.problems import infer, named, rows_of, train, twin, without_grads

import fastrnn as fr
from fastrnn._engine import recomputation
from fastrnn._engine.layout import as_state
from fastrnn._engine.layout import state_arrays as as_tuple
from fastrnn.nn._layer import rebuilt


def on_threads(problem, rng, expected):
    """Any number of threads; and a second run."""
    for n in (1, int(rng.integers(2, 9))):
        with fr.threads(n):
            same(train(problem.of(twin(problem.layer))), expected, f"training on {n} threads")
    with fr.threads(1):
        alone = infer(problem)
    with fr.threads(int(rng.integers(2, 9))):
        same(infer(problem), alone, "inference on several threads")


def inference(problem, rng, expected):
    """Inference computes what training does."""
    if problem.repeatable:
        forward = infer(problem)
        same(forward, {name: expected[name] for name in forward}, "inference and training")


def some_rows(problem, rng, expected):
    """Some rows alone, in any order, also one row as an unbatched sequence."""
    T, N, _ = problem.x.shape
    picked = rng.permutation(N)[: choose(rng, 0, 1, 2, N // 2, N)]
    part = problem.rows(picked)
    same(infer(part), rows_of(infer(problem), picked), f"inference of rows {picked} alone")
    if problem.repeatable:
        same(without_grads(train(part)), rows_of(expected, picked), f"training of rows {picked} alone")
    for n in picked[:1]:
        length = problem.full_lengths[n]
        state = None if problem.state is None else as_state(array[:, n] for array in as_tuple(problem.state))
        y, final = problem.layer(problem.x[:length, n], state)
        wanted = infer(problem)
        wanted = {"y": wanted.pop("y")[:length, n]} | {name: array[:, n] for name, array in wanted.items()}
        same({"y": y} | named("", final), wanted, f"row {n} unbatched")


def pieces(problem, rng, expected):
    """A sequence in pieces, with the state carried forth and its gradient back."""
    if not problem.causal:
        return
    T, layer, state, lengths = len(problem.x), problem.layer, problem.state, problem.full_lengths
    cuts = [0, *sorted(rng.integers(0, T + 1, int(rng.integers(0, 4)))), T]
    spans = [slice(a, b) for a, b in zip(cuts, cuts[1:], strict=False)]
    tapes, whole = [], infer(problem)
    for mode in ("inference", "training")[: 1 + problem.repeatable]:
        outputs, now = [], state
        for span in spans:
            within = np.clip(lengths - span.start, 0, span.stop - span.start)
            if mode == "inference":
                y, now = layer(problem.x[span], now, within)
            else:
                y, now, tape = layer.forward(problem.x[span], now, within)
                tapes.append(tape)
            outputs.append(y)
        same({"y": np.concatenate(outputs)} | named("", now), whole, f"{mode} in pieces at {cuts}")
    if tapes:
        dxs, dstate = [], problem.dstate
        for span, tape in zip(reversed(spans), reversed(tapes), strict=True):
            dx, dstate = layer.backward(tape, problem.dy[span], dstate)
            dxs.insert(0, dx)
        back = {"dx": np.concatenate(dxs)} | named("d", dstate)
        same(back, {name: expected[name] for name in back}, f"backward in pieces at {cuts}")


def stream(problem, rng, expected):
    """Step by step, and in blocks of steps."""
    T, N, _ = problem.x.shape
    if not problem.causal or not N:
        return
    running = problem.layer.stream(N)
    if problem.state is not None:
        running.state = problem.state
    outputs, t = [np.empty((0, N, problem.layer.hidden_size), problem.layer.dtype)], 0
    while t < T:
        block = int(rng.integers(0, T - t + 1))
        outputs.append(running.step(problem.x[t])[None] if block < 2 else running.steps(problem.x[t : t + block]))
        t += max(block, 1)
    whole = infer(problem._replace(lengths=None))
    same({"y": np.concatenate(outputs)} | named("", running.state), whole, "a stream")


def padding(problem, rng, expected):
    """Whatever lies beyond the rows' ends, and however much of it."""
    more, lengths = int(rng.integers(0, 20)), problem.full_lengths
    pad = lambda array: np.concatenate([array, np.zeros((more, *array.shape[1:]), array.dtype)])  # noqa: E731
    x, dy = pad(problem.x), pad(problem.dy)
    beyond = np.arange(len(x))[:, None] >= lengths
    x[beyond], dy[beyond] = choose(rng, np.nan, np.inf, 1e30), np.nan
    padded = problem._replace(x=x, dy=dy, lengths=lengths)
    for run in (infer, train):
        if run is train and not problem.repeatable:
            continue
        results = run(padded)
        for name in ("y", "dx"):
            if name in results:
                assert not results[name][beyond].any(), f"{name} is not 0 beyond the rows' ends"
                results[name] = results[name][: len(problem.x)]
        wanted = expected if run is train else infer(problem)
        if recomputed_in_blocks(problem.layer, *padded.x.shape[:2]):  # sums over time in another order
            results, wanted = without_grads(results), without_grads(wanted)
        same(results, wanted, f"{run.__name__} with padding")


def recomputed_in_blocks(layer, T, N):
    return layer.recompute and len(recomputation.blocks(T, N, False)) > 1


def masked(problem, rng, expected):
    """Steps that a mask leaves out are as if they did not exist."""
    T, N, _ = problem.x.shape
    mask = rng.random((T, N)) < rng.random()
    counted = mask & (np.arange(T)[:, None] < problem.full_lengths)
    counts = counted.sum(axis=0)
    dense = np.zeros_like(problem.x)
    for n in range(N):
        dense[: counts[n], n] = problem.x[counted[:, n], n]
    wanted = infer(problem._replace(x=dense, lengths=counts))
    spread = np.zeros_like(wanted["y"])
    for n in range(N):
        spread[counted[:, n], n] = wanted["y"][: counts[n], n]
    y, final = problem.layer(problem.x, problem.state, problem.lengths, mask)
    same({"y": y} | named("", final), wanted | {"y": spread}, "a mask")


def layouts(problem, rng, expected):
    """The same numbers wherever they lie in memory; nothing is written to them."""
    laid = lambda array: laid_out(rng, array)[0]  # noqa: E731
    state, dstate = (
        None if part is None else as_state(laid(array) for array in as_tuple(part))
        for part in (problem.state, problem.dstate)
    )
    lengths = None if problem.lengths is None else laid(problem.lengths)
    other = problem._replace(
        layer=twin(problem.layer), x=laid(problem.x), dy=laid(problem.dy), state=state, dstate=dstate, lengths=lengths
    )
    same(train(other), expected, "another layout in memory")
    for name in ("x", "dy"):
        same({name: np.asarray(getattr(other, name), problem.layer.dtype)}, {name: getattr(problem, name)}, "an input")


def batch_first(problem, rng, expected):
    swap = lambda array: array.swapaxes(0, 1)  # noqa: E731
    x, dy = (choose(rng, swap, lambda array: swap(array).copy())(array) for array in (problem.x, problem.dy))
    results = train(problem._replace(layer=twin(problem.layer, batch_first=True), x=x, dy=dy))
    same(results | {name: swap(results[name]) for name in ("y", "dx")}, expected, "batch first")


def recomputed(problem, rng, expected):
    """Gates that are computed again, where sums over time have another order."""
    if not getattr(problem.layer, "omega", 0):
        other = problem.of(twin(problem.layer, recompute=not problem.layer.recompute))
        same(without_grads(train(other)), without_grads(expected), "recompute")


def changed_weights(problem, rng, expected):
    """Weights that were written in any way act at once, as in a layer that was made with them."""
    layer = twin(problem.layer)
    infer(problem.of(layer))
    view = layer.params[str(choose(rng, *layer.params))]
    for _ in range(int(rng.integers(1, 4))):
        how, name = int(rng.integers(6)), str(choose(rng, *layer.params))
        if how == 0:
            layer.params[name] *= 0.5
        elif how == 1:
            view[...] = rng.standard_normal(view.shape)
        elif how == 2:
            layer.load_state_dict({key: array * 0.5 for key, array in layer.state_dict().items()})
        elif how == 3:
            layer.params[name].flat[-1] = 0.25
        elif how == 4:
            np.multiply(layer.params[name], 2, out=layer.params[name])
        else:
            layer.zero_grad()
            layer.grads[name][...] = 1
            fr.SGD(layer, lr=0.1).step()
        fresh = rebuilt(type(layer), layer.config(), layer.state_dict(), None)
        same(infer(problem.of(layer)), infer(problem.of(fresh)), "inference with changed weights")
    if problem.repeatable:
        same(train(problem.of(layer)), train(problem.of(fresh)), "training with changed weights")


def copied(problem, rng, expected):
    same(train(problem.of(copy.deepcopy(twin(problem.layer)))), expected, "a copy")


RELATIONS = (
    on_threads, inference, some_rows, pieces, stream, padding, masked, layouts, batch_first, recomputed,
    changed_weights, copied,
)  # fmt: skip

# SPDX-License-Identifier: BSD-3-Clause
"""Everything but the recurrent layers: other layers, losses, optimizers and norms, each against its definition."""

import math

import numpy as np
from fuzz.arrays import choose, laid_out, numbers, same, size
from fuzz.runner import Attack
from support import every_layer, every_loss, optimizers
from support.losses import CTC_RTOL, RTOL, RTOL_DIFFERENCES, brute_force, spelled
from support.tolerance import assert_close, central_differences

import fastrnn as fr
from fastrnn._engine.elementwise import sum_of_squares

DTYPES = (np.float32, np.float64)
KINKED = {"RNN", "MaxPool", "Embedding, padding"}  # differences do not give their gradients: see check_gradients
SMOOTH = ("mse", "binary", "binary weighted", "classes", "classes weighted", "probabilities", "probabilities weighted")


def on_threads(run, rng, what):
    """What `run()` gives on one thread, after a comparison with several."""
    with fr.threads(1):
        alone = run()
    with fr.threads(int(rng.integers(2, 9))):
        same(run(), alone, f"{what} on several threads")
    return alone


def linear(rng, note):
    dtype, I, O = choose(rng, *DTYPES), size(rng, 1, 130), size(rng, 1, 130)
    lead = choose(rng, (size(rng, 0, 300),), (size(rng, 0, 30), size(rng, 0, 30)), (3, size(rng, 0, 9), 5))
    layer = fr.Linear(I, O, bias=bool(rng.random() < 0.8), dtype=dtype, seed=rng)
    x, dy = rng.standard_normal((*lead, I)).astype(dtype), rng.standard_normal((*lead, O)).astype(dtype)
    note(f"{layer!r} on {fr._core.get_isa()}, x {x.shape}")

    def run(x=x, dy=dy):
        y, tape = layer.forward(x)
        layer.zero_grad()
        return {"y": y, "dx": layer.backward(tape, dy)} | {name: grad.copy() for name, grad in layer.grads.items()}

    results = on_threads(run, rng, "Linear")
    same({"y": layer(x)}, {"y": results["y"]}, "inference and training of Linear")
    same(run(laid_out(rng, x)[0], laid_out(rng, dy)[0]), results, "Linear of another layout")
    if lead[0]:
        k = int(rng.integers(lead[0]))
        same({"y": layer(x[k : k + 1])}, {"y": results["y"][k : k + 1]}, "one row of Linear")
    w, b = (np.float64(layer.params[name]) if name in layer.params else 0.0 for name in ("weight", "bias"))
    flat, dflat = np.float64(x).reshape(-1, I), np.float64(dy).reshape(-1, O)
    wanted = {"y": flat @ w.T + b, "dx": dflat @ w, "weight": dflat.T @ flat, "bias": dflat.sum(axis=0)}
    terms = {"y": I + 1, "dx": O, "weight": len(flat), "bias": len(flat)}
    for name, array in results.items():
        if array.size >= 8 and len(flat):
            assert_close(array.reshape(wanted[name].shape), wanted[name], dtype, terms=terms[name], steps=1, what=name)


def embedding(rng, note):
    dtype, V, E = choose(rng, *DTYPES), size(rng, 1, 50), size(rng, 1, 40)
    padding = choose(rng, None, int(rng.integers(V)))
    layer = fr.Embedding(V, E, padding_idx=padding, dtype=dtype, seed=rng)
    tokens = rng.integers(0, V, (size(rng, 0, 30), size(rng, 0, 9)))
    dy = rng.standard_normal((*tokens.shape, E)).astype(dtype)
    note(f"{layer!r}, tokens {tokens.shape}")

    def run():
        y, tape = layer.forward(tokens)
        layer.zero_grad()
        layer.backward(tape, dy)
        return {"y": y, "weight": layer.grads["weight"].copy()}

    results = on_threads(run, rng, "Embedding")
    same({"y": results["y"]}, {"y": layer.params["weight"][tokens]}, "Embedding")
    wanted = np.zeros((V, E))
    np.add.at(wanted, tokens, np.float64(dy))
    if padding is not None:
        wanted[padding] = 0
    if wanted.size >= 8 and tokens.size:
        assert_close(results["weight"], wanted, dtype, terms=tokens.size, steps=1, what="weight")


def any_layer(rng, note):
    """Central differences give the gradients, in float64; inference is training; and threads."""
    name = choose(rng, *every_layer.LAYERS)
    case = every_layer.LAYERS[name]
    layer = case[0](dtype=np.float64, seed=int(rng.integers(2**32)))
    x = tuple(rng.standard_normal(x.shape) if x.dtype == float else x for x in every_layer.each(case[1]))
    note(f"{name}: {layer!r}")
    on_threads(lambda: {"y": every_layer.call(layer, x), "trained": every_layer.step(layer, x)[0]}, rng, name)
    same({"y": every_layer.step(layer, x)[0]}, {"y": every_layer.call(layer, x)}, "inference and training")
    if name not in KINKED:
        report = fr.check_gradients(layer, x if len(x) > 1 else x[0], seed=int(rng.integers(2**32)))
        assert report, report


def attention(rng, note):
    """Each row is what it is alone, whatever lies beyond its memory's end."""
    dtype, score = choose(rng, *DTYPES), choose(rng, "additive", "dot", "general", "concat", "scaled_dot")
    Q, S, N, T = size(rng, 1, 20), size(rng, 1, 5), size(rng, 1, 6), size(rng, 1, 20)
    M = Q if score.endswith("dot") else size(rng, 1, 20)
    layer = fr.Attention(Q, M, score=score, dtype=dtype, seed=rng)
    query, memory = (rng.standard_normal(shape).astype(dtype) for shape in ((S, N, Q), (T, N, M)))
    lengths = rng.integers(0, T + 1, N)
    memory[np.arange(T)[:, None] >= lengths] = np.nan
    note(f"{layer!r}, query {query.shape}, memory {memory.shape}, lengths {lengths.tolist()}")

    def run(rows=slice(None), end=T):
        context, weights, tape = layer.forward(query[:, rows], memory[:end, rows], lengths[rows])
        dquery, dmemory = layer.backward(tape, context, weights)
        return {"context": context, "weights": weights, "dquery": dquery, "dmemory": dmemory}

    whole = on_threads(run, rng, "attention")
    n = int(rng.integers(N))
    row, end = slice(n, n + 1), max(int(lengths[n]), 1)
    wanted = {name: whole[name][:, row] for name in ("context", "dquery")}
    wanted |= {"weights": whole["weights"][:, row, :end], "dmemory": whole["dmemory"][:end, row]}
    same(run(row, end), wanted, f"attention of row {n} alone")


def loss(rng, note):
    """The mean is that of its parts; in float64 central differences give the gradient where it has no kinks."""
    name = choose(rng, *every_loss.CASES)
    case, scale = every_loss.CASES[name], choose(rng, 0.1, 1.0, 5.0)
    prediction = scale * every_loss.prediction_of(seed=int(rng.integers(2**32)))
    counted = np.ones(prediction.shape[: case.axes], bool)
    note(f"{name}, scale {scale}")
    value, gradient = case.loss(prediction, case.target)
    totals, divisors = every_loss.one_by_one(case, prediction, counted)
    assert math.isclose(value, totals.sum() / divisors.sum(), rel_tol=RTOL[np.float64]), (value, totals, divisors)
    if name in SMOOTH:
        slopes = central_differences(lambda p: case.loss(p, case.target)[0], prediction)
        error = np.abs(gradient - slopes).max()
        assert error <= RTOL_DIFFERENCES * np.abs(slopes).max(), f"gradient: error {error}"


def ctc(rng, note):
    """The sum over all paths."""
    dtype, T, N, V = choose(rng, *DTYPES), int(rng.integers(1, 6)), int(rng.integers(1, 4)), int(rng.integers(2, 5))
    blank, logits = int(rng.integers(V)), 2 * rng.standard_normal((T, N, V)).astype(dtype)
    steps = rng.integers(1, T + 1, N)
    targets = [spelled(rng.integers(0, V, length).tolist(), blank) for length in steps]  # each has a path
    note(f"ctc of {logits.shape}, blank {blank}, targets {targets}, steps {steps.tolist()}")
    value, gradient = fr.ctc_loss(logits, targets, steps, blank=blank)
    total, wanted = 0.0, np.zeros(logits.shape)
    for n, target in enumerate(targets):
        cost, slope = brute_force(logits[: steps[n], n], target, blank)
        scale = N * max(len(target), 1)
        total, wanted[: steps[n], n] = total + cost / scale, slope / scale
    assert math.isclose(value, total, rel_tol=CTC_RTOL[dtype], abs_tol=CTC_RTOL[dtype]), (value, total)
    np.testing.assert_allclose(gradient, wanted, rtol=0, atol=CTC_RTOL[dtype])


class Vectors:
    """A model of parameters that are vectors."""

    def __init__(self, arrays):
        self.params = {f"p{k}": array for k, array in enumerate(arrays)}
        self.grads = {name: np.zeros_like(array) for name, array in self.params.items()}

    def zero_grad(self):
        for grad in self.grads.values():
            grad[...] = 0


def optimizer(rng, note):
    """Each number is updated by itself: in one array or in two, in any layout, on any number of threads."""
    name, dtype, n = choose(rng, *optimizers.CASES), choose(rng, *DTYPES), size(rng, 0, 200)
    n = n * 100 if rng.random() < 0.1 else n
    kind, options = optimizers.CASES[name]
    start, cut = numbers(rng, n, dtype), int(rng.integers(0, n + 1))
    gradients = [numbers(rng, n, dtype) for _ in range(3)]
    note(f"{name} of {n} numbers of {np.dtype(dtype)}, cut at {cut}, on {fr._core.get_isa()}")

    def train(cuts, layout=lambda array: array.copy()):
        model = Vectors([layout(part) for part in np.split(start, cuts)])
        rule = kind(model, **options)
        for gradient in gradients:
            for grad, part in zip(model.grads.values(), np.split(gradient, cuts), strict=True):
                grad[...] = part
            rule.step()
        return {"p": np.concatenate([np.asarray(part) for part in model.params.values()])}

    whole = on_threads(lambda: train([]), rng, name)
    same(train([cut]), whole, f"{name} in two parts")
    same(train([], lambda array: np.repeat(array, 2)[::2]), whole, f"{name} of every other element")


def norm(rng, note):
    """The sum of squares, in float64, on any number of threads."""
    dtype, n = choose(rng, *DTYPES), size(rng, 0, 200) * choose(rng, 1, 1, 100)
    array = numbers(rng, n, dtype)
    note(f"the norm of {n} numbers of {np.dtype(dtype)}")
    got = on_threads(lambda: {"norm": np.float64(sum_of_squares(array))}, rng, "a norm")["norm"]
    wanted = math.fsum(float(value) ** 2 for value in array)
    assert math.isclose(got, wanted, rel_tol=(n + 2) * 2.0**-53), (got, wanted)  # of n roundings and those of a square


PARTS = (linear, embedding, any_layer, attention, loss, ctc, optimizer, norm)


class Parts(Attack):
    """One of the parts above, on one of the machine's engines."""

    def case(self, rng):
        fr._core.set_isa(choose(rng, *fr.isas()))
        choose(rng, *PARTS)(rng, self.note)

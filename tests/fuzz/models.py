# SPDX-License-Identifier: BSD-3-Clause
"""Models of random layers: each row has the bits that it has alone, whatever it is run with and by which way."""

import copy
import math
import pickle
from typing import Any, NamedTuple

import numpy as np
from fuzz.arrays import choose, laid_out, same
from fuzz.runner import Attack

import fastrnn as fr
from fastrnn.nn._layer import leaves
from fastrnn.nn._signal import keeps_steps

RTOL = {"float32": 1e-4, "float64": 1e-10}  # of sums over rows in another order, relative to the largest


class Case(NamedTuple):
    """A model, its rows, each (T_n, I) or tokens (T_n,), and what it gives of each alone, (T', O) or (O,)."""

    model: Any
    rows: list
    alone: list
    folder: Any

    @property
    def batch_first(self):
        return self.model.axes_in != "TN"

    @property
    def lengths(self):
        return np.array([len(row) for row in self.rows])

    def padded(self, T, garbage):
        """All rows as one array in the layout of the model."""
        first = self.rows[0]
        value = garbage if first.dtype.kind == "f" else 0  # of tokens, one that there is
        x = np.full((len(self.rows), T, *first.shape[1:]), value, first.dtype)
        for n, row in enumerate(self.rows):
            x[n, : len(row)] = row
        return x if self.batch_first else np.ascontiguousarray(x.swapaxes(0, 1))

    def by_row(self, y, trimmed=True):
        """The outputs of a batch, row by row, as alone."""
        after = self.model.axes_after(self.model.axes_in or "NT")
        rows = list(y if after != "TN" else y.swapaxes(0, 1))
        if trimmed and after != "N":
            rows = [row[: len(alone)] for row, alone in zip(rows, self.alone, strict=True)]
        return [np.ascontiguousarray(row) for row in rows]


# -- drawing ---------------------------------------------------------------------------------------------------------


def draw_layer(rng, F, causal, options, depth=0):
    """A layer that reads F features, and how many it gives."""
    size, seed = int(rng.integers(1, 12)), int(rng.integers(99))
    plain, kind = {"dtype": options["dtype"]}, int(rng.integers(9 if depth < 2 else 7))
    if kind <= 2:
        both = not causal and rng.random() < 0.3
        layer = choose(rng, fr.RNN, fr.LSTM, fr.GRU)(
            F, size, num_layers=int(rng.integers(1, 3)), bidirectional=bool(both), recompute=bool(rng.random() < 0.2),
            learn_initial_state=bool(rng.random() < 0.2), seed=seed, **options,
        )  # fmt: skip
        return layer, size * (1 + both)
    if kind == 3:
        return fr.Linear(F, size, seed=seed, **plain), size
    if kind == 4:
        return choose(rng, fr.LayerNorm(F, **plain), fr.Activation(choose(rng, "tanh", "relu"), **plain)), F
    if kind == 5:
        k, d = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        return fr.CausalConv1d(F, size, k, dilation=d, seed=seed, **options), size
    if kind == 6:
        if causal:
            return fr.Dropout(0.0, **plain), F
        k, same_steps = int(rng.integers(1, 6)), depth or rng.random() < 0.5
        steps = {"padding": k - 1} if same_steps else {"padding": k // 2, "stride": int(rng.integers(1, 4))}
        return fr.Conv1d(F, size, 2 * k - 1 if same_steps else k, seed=seed, **steps, **options), size
    inner, O = draw_layer(rng, F, causal, options, depth + 1)
    if kind == 7:
        last, O = draw_layer(rng, O, causal, options, depth + 1)
        return fr.Sequential(inner, last), O
    return fr.Residual(inner if O == F else fr.Sequential(inner, fr.Linear(O, F, seed=seed, **plain))), F


def draw_model(rng):
    """A model, and the features or tokens that it reads."""
    options = {"dtype": choose(rng, np.float32, np.float64), "batch_first": bool(rng.random() < 0.4)}
    causal, first = rng.random() < 0.5, int(rng.integers(1, 9))
    layers, F = [], first
    if rng.random() < 0.25:
        F = int(rng.integers(1, 9))
        layers.append(fr.Embedding(first, F, padding_idx=choose(rng, None, 0), dtype=options["dtype"], seed=0))
    for _ in range(int(rng.integers(1, 5))):
        layer, F = draw_layer(rng, F, causal, options)
        layers.append(layer)
    if not causal and rng.random() < 0.5:
        both = fr.Sequential(*layers).directions_after(None) == 2
        pools = fr.MaxPool(**options), fr.MeanPool(**options), fr.LastStep(bidirectional=both, **options)
        layers += [choose(rng, *pools), fr.Linear(F, 3, dtype=options["dtype"], seed=1)]
        if rng.random() < 0.3:
            layers += [fr.RepeatVector(int(rng.integers(1, 4)), **options), fr.GRU(3, 2, seed=2, **options)]
    return fr.Sequential(*layers), first


def draw(rng, folder):
    model, first = draw_model(rng)
    N, longest = int(rng.integers(1, 7)), int(rng.integers(1, 13))
    lengths = rng.integers(0 if rng.random() < 0.3 else 1, longest + 1, N) if rng.random() < 0.8 else [longest] * N
    if model.reads_tokens:
        rows = [rng.integers(0, first, T) for T in lengths]
    else:
        rows = [rng.standard_normal((T, first)).astype(model.dtype) for T in lengths]
    axis = 0 if model.axes_in != "TN" else 1  # where all positions are treated alike, a row alone has its axis of rows
    alone = [np.ascontiguousarray(model(np.expand_dims(row, axis))[0]) for row in rows]
    case = Case(model, rows, alone, folder)
    one = [case._replace(rows=[row], alone=[y]) for row, y in zip(rows, alone, strict=True)]
    return case._replace(alone=[each.by_row(each.alone[0], trimmed=False)[0] for each in one])


# -- ways to the same outputs ----------------------------------------------------------------------------------------


def batched(case, rng):
    """Padded, on several threads, in any layout; in training, too."""
    reads_lengths = leaves(case.model)[0].takes_lengths
    x = case.padded(case.lengths.max() + int(rng.integers(3)), np.nan if reads_lengths else 0.5)
    lengths = case.lengths if case.model.takes_lengths else None
    with fr.threads(int(rng.integers(1, 5))):
        given = laid_out(rng, x)[0] if x.size else x
        return case.by_row(choose(rng, case.model, case.model.forward)(given, None, lengths)[0])


def packed(case, rng):
    if not case.model.takes_packed or not case.lengths.all():
        return None
    y = case.model(fr.pack_sequence(case.rows))[0]
    return y.unpack() if hasattr(y, "unpack") else list(y) if case.model.axes_after("TN") == "N" else case.by_row(y)


def masked(case, rng):
    """The rows at random places of longer ones."""
    if keeps_steps(case.model) is False or case.model.axes_in is None:
        return None
    T = case.lengths.max() + int(rng.integers(4))
    x = case.padded(T, np.nan)
    mask, by_row = np.zeros((len(case.rows), T), bool), x if case.batch_first else x.swapaxes(0, 1)
    for n, row in enumerate(case.rows):
        places = np.sort(rng.choice(T, len(row), replace=False))
        mask[n, places] = True
        by_row[n, places] = row
        if row.dtype.kind == "f":
            by_row[n, ~mask[n]] = np.nan
    y = case.model(x, mask=mask if case.batch_first else mask.T)[0]
    rows = case.by_row(y, trimmed=False)
    return [row[keep] for row, keep in zip(rows, mask, strict=True)] if keeps_steps(case.model) else rows


def predicted(case, rng):
    lengths, batch_size = case.lengths, int(rng.integers(1, 5))
    if rng.random() < 0.5:
        y = fr.predict(case.model, case.rows, batch_size=batch_size)
        return case.by_row(y) if isinstance(y, np.ndarray) else y
    if case.model.axes_in is None:
        return None
    return case.by_row(fr.predict(case.model, case.padded(lengths.max(), 0.5), lengths, batch_size=batch_size))


def streamed(case, rng):
    """One row after another in a stream, with resets between them; step by step, in blocks, or in a pool."""
    try:
        stream = case.model.stream()
    except (TypeError, ValueError):
        return None
    if rng.random() < 0.5:
        pool = fr.StreamPool(case.model, len(case.rows))
        keys, found = [pool.open() for _ in case.rows], [[] for _ in case.rows]
        for t in range(case.lengths.max()):
            now = {keys[n]: case.rows[n][t] for n in rng.permutation(len(keys)) if t < len(case.rows[n])}
            for key, y in pool.step(now).items():
                found[keys.index(key)].append(np.array(y))
        return [np.stack(y) if y else alone for y, alone in zip(found, case.alone, strict=True)]
    ends = np.cumsum(case.lengths)
    resets, cut = np.zeros(ends[-1] + 1, bool), int(rng.integers(ends[-1] + 1))
    resets[ends] = True
    block = np.concatenate(case.rows)
    parts = [stream.steps(block[part], resets=resets[:-1][part]) for part in (slice(cut), slice(cut, None))]
    return np.split(np.concatenate(parts), ends[:-1])


def copied(case, rng):
    """A copy, or what a file holds."""

    def from_file(model):
        fr.save(model, case.folder / "model")
        return fr.load(case.folder / "model")

    other = choose(rng, copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), from_file)
    return batched(case._replace(model=other(case.model)), rng)


WAYS = (batched, packed, masked, predicted, streamed, copied)


def check_training(case, rng):
    """The loss of all rows is the mean over their elements, and one step goes along the mean of their gradients."""
    if keeps_steps(case.model) is False or case.model.axes_in is None or not sum(y.size for y in case.alone):
        return
    targets = [rng.standard_normal(y.shape).astype(y.dtype) for y in case.alone]
    size, rtol = sum(y.size for y in targets), RTOL[case.model.dtype.name]
    total = sum(float(np.square(np.float64(y) - t).sum()) for y, t in zip(case.alone, targets, strict=True))
    batch_size = int(rng.integers(1, 5))
    loss = fr.evaluate(case.model, fr.mse_loss, case.rows, targets, batch_size=batch_size)["loss"]
    assert math.isclose(loss, total / size, rel_tol=rtol), (loss, total / size)
    sums = {name: np.zeros(p.shape) for name, p in case.model.params.items()}
    for row, t in zip(case.rows, targets, strict=True):
        output, _, tape = case.model.forward(row)
        case.model.zero_grad()
        case.model.backward(tape, fr.mse_loss(output, t, reduction="sum")[1])
        for name, grad in case.model.grads.items():
            sums[name] += grad
    before, options = case.model.state_dict(), {"epochs": 1, "batch_size": len(case.rows), "progress": False}
    fr.fit(case.model, fr.mse_loss, case.rows, targets, optimizer=fr.SGD(case.model, lr=1.0), **options)
    for name, expected in sums.items():
        step, scale = before[name] - np.float64(case.model.params[name]), max(np.abs(expected).max() / size, 0.01)
        np.testing.assert_allclose(step, expected / size, rtol=0, atol=30 * rtol * scale, err_msg=name)


class Models(Attack):
    """A random model and its rows, by two of the ways, and in training."""

    def case(self, rng):
        fr._core.set_isa(choose(rng, *fr.isas()))
        case = draw(rng, self.folder)
        self.note(f"{case.model!r} of rows {case.lengths.tolist()}, {case.rows[0].dtype}, on {fr._core.get_isa()}")
        for way in rng.permutation(np.array(WAYS, object))[:3]:
            if (found := way(case, rng)) is not None:
                expected = {f"y[{n}]": y for n, y in enumerate(case.alone)}
                same({f"y[{n}]": y for n, y in enumerate(found)}, expected, way.__name__)
        check_training(case, rng)

# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints of several kinds of trainings, and everything that can be changed in one."""

import copy
import math
from types import SimpleNamespace

import numpy as np

import fastrnn as fr

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 4, 2)).astype(np.float32)  # (T, N, I)
SEQUENCES = [row.astype(np.float32) for row in (RNG.standard_normal((n, 2)) for n in (3, 1, 4, 2))]
EPOCHS = 3


class Broken(Exception):
    """The training ends here."""


class Plain:
    """A model that is no layer."""

    def __init__(self):
        self.layer = fr.Linear(2, 2, seed=0)
        self.params, self.grads = self.layer.params, self.layer.grads
        self.zero_grad, self.forward, self.backward = self.layer.zero_grad, self.layer.forward, self.layer.backward

    def __call__(self, x):
        return self.layer(x)


def generate():
    while True:
        yield X, X


def layers(rng=0, **more):
    return fr.Sequential(fr.LSTM(2, 3, dropout=0.0, seed=0), fr.Dropout(0.5, seed=rng), fr.Linear(3, 2, seed=1), **more)


def philox():
    return layers(np.random.Generator(np.random.Philox(0)))


def twister():
    return layers(np.random.Generator(np.random.MT19937(0)))


def warmup(adam):
    return fr.LinearWarmup(adam, 2, fr.CosineAnnealingLR(adam, 9))


def adam(model):
    return fr.Adam(model, lr=0.01)


def grouped(model):
    return fr.SGD(model, lr=0.01, momentum=0.5, groups={"*bias*": {"lr": 0.02}})


ARRAYS = {"x": X, "y": X}
RUNS = {  # a model, its optimizer, a schedule or None, and what fit is given
    "validated": (layers, adam, lambda o: fr.StepLR(o, 2), ARRAYS | {"validation": (X, X), "patience": 2, "clip": 1.0}),
    "plateau": (philox, fr.NAdam, fr.ReduceLROnPlateau, ARRAYS | {"metrics": ["mae"], "penalty": {"l2": 0.1}}),
    "ragged": (twister, grouped, warmup, {"x": SEQUENCES, "y": SEQUENCES, "validation": 0.25}),
    "generator": (layers, fr.RAdam, lambda o: fr.OneCycleLR(o, 0.1, 9), {"x": generate, "steps_per_epoch": 2}),
    "truncated": (layers, adam, None, ARRAYS | {"truncate": (2, 3)}),
    "plain": (Plain, fr.RMSprop, None, {"x": X.reshape(20, 2), "y": X.reshape(20, 2), "batch_size": 10}),
    "stopped": (layers, adam, None, ARRAYS | {"validation": (X, X), "patience": 1, "min_delta": 100.0}),
}


def train(name, path, *, resume, steps=math.inf):
    """Train until a step after which it breaks."""
    make, make_optimizer, make_schedule, options = RUNS[name]
    model = make()
    optimizer = make_optimizer(model)
    schedule = None if make_schedule is None else make_schedule(optimizer)

    def on_step(model, step, loss, norm):
        if step > steps:
            raise Broken

    options = {"batch_size": 2, "seed": 0, "progress": False, "epochs": EPOCHS, "schedule": schedule} | options
    options |= {"checkpoint": fr.Checkpoint(path, every_n_steps=1), "callbacks": [SimpleNamespace(on_step=on_step)]}
    return fr.fit(model, fr.mse_loss, optimizer=optimizer, resume=resume, **options)


def places(part, place=()):
    """The places of all parts of a tree, inner ones and leaves."""
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [place, *(inner for key, value in items for inner in places(value, (*place, key)))]


MISSING = object()


def instead(part):
    """What is put in the place of a part: other types, signs and sizes, one missing, one more."""
    yield from (MISSING, None, True, -1, 0, 1.5, math.nan, -math.inf, 2**40, 2**200, "", "text", [], [1], {}, {"x": 1})
    yield from (np.ones(3), np.array(0.5), np.array([None, 1.0], float))
    if isinstance(part, dict):
        yield part | {"extra": 1}
        yield part | {"extra": np.ones(2, np.float32)}
    elif isinstance(part, list):
        yield [*part, *part[-1:]]
        yield [*part, "text"]
        yield part[:-1]
    elif isinstance(part, np.ndarray):
        with np.errstate(all="ignore"):
            yield from (part.astype(np.int32), part.astype(np.float16), part[..., None], part * np.nan)
        yield from (part.reshape(-1)[:0], -part, part.astype(np.float64))
    elif isinstance(part, int | float) and not isinstance(part, bool):
        yield from (-part, part + 1, part - 1, float(part), str(part), [part])


def changed(tree, place, value):
    """A copy of a tree with a value in a place."""
    if not place:
        return value
    result = copy.copy(tree)
    if len(place) == 1 and value is MISSING:
        del result[place[0]]
    elif len(place) == 1:
        result[place[0]] = value
    else:
        result[place[0]] = changed(tree[place[0]], place[1:], value)
    return result

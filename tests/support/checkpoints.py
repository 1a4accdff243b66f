# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of checkpoints share: a training of a few steps, and all of its state."""

import numpy as np

import fastrnn as fr


def make_model(hidden=4, seed=0):
    return fr.Sequential(
        fr.GRU(3, hidden, 2, dropout=0.5, seed=seed), fr.Dropout(0.5, seed=seed), fr.Linear(hidden, 2, seed=seed)
    )


def learn(model, optimizer, schedule=None, steps=3, seed=0):
    """A few updates; dropout draws numbers."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        y, _, tape = model.forward(rng.standard_normal((5, 2, 3)).astype(np.float32))
        model.zero_grad()
        model.backward(tape, y)
        optimizer.step()
        if schedule is not None:
            schedule.step()


def make(seed=0, hidden=4):
    model = make_model(hidden, seed)
    adam = fr.Adam(model, lr=0.1)
    return model, adam, fr.StepLR(adam, 2)


def everything(model, optimizer, schedule):
    state = {**model.state_dict(), **{f"optimizer.{k}": v for k, v in optimizer.state_dict().items()}}
    return state | {f"schedule.{k}": v for k, v in schedule.state_dict().items()}


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)

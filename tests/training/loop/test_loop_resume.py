# SPDX-License-Identifier: BSD-3-Clause
"""fit resumes from its checkpoints to the same bits."""

import subprocess
import sys

import pytest
from support.training import assert_same, but_seconds, fit, make_model

import fastrnn as fr

KILLED = """
import os, random, signal, sys, time
import numpy as np
import fastrnn as fr

case, path = sys.argv[1:]
rng = np.random.default_rng(0)
sequences = [rng.standard_normal((length, 2)).astype(np.float32) for length in rng.integers(0, 30, 60)]
sums = [row.cumsum(axis=0) for row in sequences]
x = rng.standard_normal((200, 8, 2)).astype(np.float32)

def generate():
    rng = np.random.default_rng(1)
    while True:
        x = rng.standard_normal((20, 8, 2)).astype(np.float32)
        yield x, x.cumsum(axis=0)

def train(path, resume, seed):
    model = fr.Sequential(
        fr.LSTM(2, 16, 2, dropout=0.2, seed=seed), fr.Dropout(0.3, seed=seed), fr.Linear(16, 2, seed=seed)
    )
    adam = fr.Adam(model, lr=0.01)
    schedule = fr.LinearWarmup(adam, 20, fr.CosineAnnealingLR(adam, 200))
    data, options = {
        "ragged": ((sequences, sums), {"validation": (sequences[:9], sums[:9]), "batch_size": 4, "epochs": 8}),
        "truncated": ((x, x.cumsum(axis=0)), {"truncate": (7, 19), "batch_size": 4, "epochs": 3}),
        "generator": ((generate(),), {"steps_per_epoch": 13, "epochs": 6}),
    }[case]
    history = fr.fit(
        model, fr.mse_loss, *data, optimizer=adam, schedule=schedule, clip=1.0, progress=False, seed=5,
        checkpoint=fr.Checkpoint(path, every_n_steps=3), resume=resume, **options,
    )
    history.pop("seconds")
    return {**model.state_dict(), **adam.state_dict()}, dict(history), schedule.count

start = time.monotonic()
expected, kills, rng = train(path + ".whole", False, 1), 0, random.Random(4)
longest = (time.monotonic() - start) / 4
while True:
    child = os.fork()
    if not child:
        # With other first parameters and dropout where there is a file: then all comes from it.
        state, *rest = train(path, True, 2 if os.path.exists(path) else 1)
        same = rest == list(expected[1:]) and state.keys() == expected[0].keys()
        os._exit(0 if same and all(np.array_equal(state[name], expected[0][name]) for name in state) else 1)
    time.sleep(rng.uniform(0, longest))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        break
    kills += 1
print(kills, os.WEXITSTATUS(status))
"""


@pytest.mark.parametrize("case", ["ragged", "truncated", "generator"])
def test_killed_and_resumed_to_the_same_bits(case, tmp_path):
    """kill -9 at any moments, again and again; in the end the parameters, moments and history of a run in one go."""
    command = [sys.executable, "-c", KILLED, case, str(tmp_path / "run")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    kills, status = map(int, run.stdout.split())
    assert status == 0, run.stderr
    assert kills >= 2


def test_a_checkpoint_that_does_not_fit_changes_nothing(data, tmp_path):
    path = tmp_path / "run"
    fit(make_model(), data, checkpoint=path)
    content = path.read_bytes()
    scheduled = make_model()
    adam = fr.Adam(scheduled)
    for message, model, changed, options in [
        ("rows: expected 20, as in the state, got 19", make_model(), [part[1:] for part in data], {}),
        ("batch_size: expected 8, as in the state, got 5", make_model(), data, {"batch_size": 5}),
        ("model: .*: model.layers is a list of 3 in the .*, a list of 4 in", make_model(fr.LayerNorm(8)), data, {}),
        ("schedule: expected none", scheduled, data, {"optimizer": adam, "schedule": fr.StepLR(adam, 1)}),
    ]:
        before = model.state_dict()
        with pytest.raises(ValueError, match=message):
            fit(model, changed, checkpoint=path, resume=True, **options)
        assert_same(model, before)
        assert path.read_bytes() == content
    model = make_model()
    fr.save_checkpoint(path, model)
    with pytest.raises(ValueError, match="expected a checkpoint that fit wrote"):
        fit(model, data, checkpoint=path, resume=True)


def test_a_finished_training_is_not_repeated(data, tmp_path):
    """Resumed, it returns the same history; with more epochs it continues."""
    path = tmp_path / "run"
    model, other, longer = make_model(), make_model(seed=5), make_model()
    history = fit(model, data, checkpoint=path, validation=data)
    assert fit(other, data, checkpoint=path, validation=data, resume=True) == history
    assert_same(other, model.params)
    assert but_seconds(fit(other, data, checkpoint=path, validation=data, resume=True, epochs=5)) == but_seconds(
        fit(longer, data, validation=data, epochs=5)
    )
    assert_same(other, longer.params)

# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/which_inputs.py, and a whole run."""

import re

import numpy as np
import pytest


def test_three_inputs_make_the_number_and_the_others_do_not(example):
    """What remains of the targets without the three inputs is the noise."""
    x, numbers = example.measure(30, np.random.default_rng(0))
    assert x.shape == (example.T, 30, example.INPUTS) and x.dtype == numbers.dtype == np.float32
    powers = example.FORGET ** np.arange(example.T)
    summed = np.stack([np.convolve(row, powers)[: example.T] for row in x[:, :, example.SUMMED].T], axis=1)
    late = np.pad(x[: -example.DELAY, :, example.LATE], ((example.DELAY, 0), (0, 0)))
    noise = numbers[..., 0] - 0.6 * summed - late - np.maximum(x[:, :, example.RECTIFIED], 0)
    assert noise.std() == pytest.approx(example.NOISE, rel=0.03) and abs(noise.mean()) < 0.02
    assert np.abs(np.einsum("tn,tni->i", noise, x)).max() / noise.size < 0.03


def test_weights_of_an_input(example):
    model = example.make_model(0)
    model.params["0.weight_ih_l0"][...] = 0
    model.params["0.weight_ih_l0"][:2, 5] = 3, 4
    model.params["0.weight_ih_l0"][7, 6] = -1
    assert example.weights(model)[4:8].tolist() == pytest.approx([0, 1, 0.2, 0])


def test_training_is_the_same_on_every_run_and_a_penalty_makes_weights_small(example):
    known, sums = example.measure(4, np.random.default_rng(0)), {}
    for penalty in ({}, {}, {"l1": 0.1}, {"l2": 1.0}):
        model = example.make_model(0)
        example.train(model, *known, 30, **penalty)
        total = np.abs(model.params["0.weight_ih_l0"]).sum()
        assert sums.setdefault(str(penalty), total) == total
    assert max(sums["{'l1': 0.1}"], sums["{'l2': 1.0}"]) < sums["{}"]


@pytest.mark.slow
def test_whole_run(run, tmp_path):
    pytest.importorskip("matplotlib")
    output = run("--plot", tmp_path / "inputs.png")
    match = re.fullmatch(r"L1 keeps 3 of 40 .* series: (.*), with L2 (.*) \((\d+) inputs\), with nothing (.*) \(40\)\.",
                         output.splitlines()[-1])  # fmt: skip
    l1, l2, used, nothing = map(float, match.groups())
    assert 0.09 < l1 < 0.15 < 0.2 < l2 < 0.5 < 1 < nothing  # 0.09 is the noise
    assert used > 30
    assert (tmp_path / "inputs.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_found_is_an_error(example, run, monkeypatch):
    monkeypatch.setattr(example, "PENALTIES", {"nothing": (), "L2": (0.1,), "L1": (0.01,)})
    with pytest.raises(SystemExit, match="has not found the inputs that matter"):
        run("--steps", 5)

# SPDX-License-Identifier: BSD-3-Clause
"""Whole steps: every library computes the same, and parts add up to the whole."""

from dataclasses import replace

import numpy as np
import pytest

from fastrnn.benchmarks._suite import peers, run, steps, worker
from fastrnn.benchmarks._suite.run import Settings
from fastrnn.benchmarks._suite.steps import models
from fastrnn.benchmarks._suite.steps.cases import QUICK, STEPS, Step, make_steps

SMALL = [
    Step("language", T=5, N=2, I=3, H=4, V=7),
    Step("translation", T=5, N=2, I=3, H=4, V=7, S=6),
    Step("translation", T=5, N=2, I=3, H=4, V=7, S=6, score="dot"),
    Step("speech", T=9, N=2, I=3, H=4, V=7, S=3),
    Step("fit", T=5, N=2, I=3, H=4, V=3, B=3),
]
JOBS = [Step(job, T=150, N=1, I=1, H=30, density=0.2, dtype="float64") for job in ("states", "readout", "make")]
PARTS = {
    "language": {"embedding", "recurrent", "linear", "loss", "optimizer"},
    "translation": {"embedding", "recurrent", "attention", "linear", "loss", "optimizer"},
    "speech": {"recurrent", "linear", "loss", "optimizer"},
    "fit": {"recurrent", "linear", "loss", "optimizer"},
}
NAMES = [step.name.removeprefix("steps-") for step in SMALL]


def test_every_step_has_a_name_of_its_own():
    """And every quick one is among all."""
    names = [step.name for step in make_steps([1, 2])]
    assert len(set(names)) == len(names) == 2 * len(STEPS)
    assert {step.name for step in make_steps([2], QUICK)} <= set(names)
    assert {step.model for step in STEPS} == {step.model for step in (*SMALL, *JOBS)}


def agree(peer, step):
    """How the outputs of a peer differ from those of fastrnn, if they do."""
    ours, theirs = (steps.prepare(name, step)[1]() for name in ("fastrnn", peer))
    return worker.find_difference(step, theirs, ours)


@pytest.mark.parametrize("step", SMALL, ids=NAMES)
def test_torch_computes_the_same(step):
    """The loss and every gradient; after an epoch of `fit` every parameter."""
    pytest.importorskip("torch")
    assert agree("torch", step) is None


@pytest.mark.parametrize("step", JOBS, ids=lambda step: step.model)
def test_reservoirpy_computes_the_same(step):
    """States, predictions after a ridge regression, the spectral radius."""
    pytest.importorskip("reservoirpy")
    assert agree("reservoirpy", step) is None


@pytest.mark.parametrize("step", JOBS, ids=lambda step: step.model)
def test_jobs_of_reservoirs_run(step):
    call, outputs, parts = steps.prepare("fastrnn", step)
    call()
    y = outputs()["y"]
    assert np.isfinite(y).all() and y.any() and parts().keys() == {"rest", "whole"}


def test_a_spectral_radius_is_checked():
    """To one per cent."""
    assert [float(models.has_radius(np.diag([radius, 0.1]))[0]) for radius in (0.9, -0.906, 0.92, 0.1)] == [1, 1, 0, 0]


@pytest.mark.parametrize("step", SMALL, ids=NAMES)
@pytest.mark.parametrize("peer", ["fastrnn", "torch"])
def test_parts_add_up_to_the_whole(step, peer):
    """Every part takes time."""
    if peer == "torch":
        pytest.importorskip("torch")
    parts = steps.prepare(peer, step)[2]()
    assert parts.pop("whole") == pytest.approx(sum(parts.values()))
    assert min(parts.values()) > 0
    expected = PARTS[step.model] if peer == "fastrnn" else {"forward", "loss", "backward", "optimizer"}
    assert parts.keys() == expected | {"rest"}


@pytest.mark.parametrize("step", SMALL[:4], ids=NAMES[:4])
def test_a_call_is_a_whole_step(step):
    """It changes the parameters, and so the loss of the next one."""
    call, outputs, _ = steps.prepare("fastrnn", step)
    before = outputs()["y"]
    for _ in range(5):
        call()
    assert outputs()["y"] < before


def test_steps_are_measured_beside_layers(tmp_path):
    """By those who take part in the group, with parts."""
    step = replace(SMALL[0], threads=1)
    ((case, figures, _),), _ = run.measure_all([step], ["numpy"], Settings(rounds=1, block=0.001, limit=20), tmp_path)
    assert case is step and figures.keys() == {"fastrnn"}
    assert figures["fastrnn"]["parts"].keys() == PARTS["language"] | {"rest", "whole"}
    assert "gflops" not in figures["fastrnn"]


def test_who_takes_part():
    """reservoirpy has reservoirs only, and nobody else is compared with them."""
    layer = worker.Case("tiny", "lstm", 1, 1, 1, 1)
    for case, expected in (
        (layer, set(peers.NAMES) - {"reservoirpy"}),
        (SMALL[0], {"torch"}),
        (JOBS[0], {"reservoirpy"}),
    ):
        assert {name for name in peers.NAMES if run.takes_part(name, case)} == expected


def test_parts_are_timed_once(tmp_path):
    """Afterwards a worker has no step; before one was set up, either."""
    one = worker.Worker("fastrnn", 1, tmp_path)
    assert one.parts() == {"error": "asked for the parts before a step was prepared"}
    one.prepare(vars(SMALL[0]), kind="step")
    assert "whole" in one.parts()["parts"]
    assert "error" in one.time(0.001) and "error" in one.parts()

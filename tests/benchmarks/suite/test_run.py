# SPDX-License-Identifier: BSD-3-Clause
"""A run: its figures, and peers that misbehave."""

import os
from pathlib import Path

import pytest
from support.bench_data import SETTINGS, SMALL

from fastrnn.benchmarks import Case
from fastrnn.benchmarks._suite import run, worker


def test_figures_of_known_samples():
    """Median and high percentiles of all samples; the ratio is the median over the rounds that both took part in."""
    samples = {0: [float(k) for k in range(1, 11)], 1: [float(k) for k in range(11, 21)]}
    figures = run.summarize(samples)
    assert (figures["median_seconds"], figures["best_seconds"]) == (10.5, 1.0)
    assert (figures["p95_seconds"], figures["p99_seconds"]) == (19.0, 20.0)
    assert (figures["samples"], figures["rounds"]) == (20, 2)
    ours = {0: [1.0, 1.0, 9.0], 1: [2.0], 2: [1.0], 3: [1.0]}
    theirs = {0: [2.0], 1: [2.0], 2: [5.0]}
    assert run.time_ratio(theirs, ours) == 2.0


@pytest.mark.parametrize("group, alone", [("streaming", False), ("streams-pooled", True), ("streams-each", True)])
def test_a_latency_is_that_of_single_calls(tmp_path, group, alone):
    """Calls of concurrent streams are never timed in groups, whose means would hide the slow ones."""
    one = worker.Worker("fastrnn", 1, tmp_path)
    one.prepare(vars(Case(group, "gru", 1, 1, 3, 5)))
    calls, call = [], one.call
    one.call = lambda: calls.append(call())
    warm = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "warm_up", lambda call, usual: warm.append(usual))
        samples = one.time(seconds=0.002)["samples"]
    assert warm and (len(samples) == len(calls)) == alone


@pytest.fixture
def misbehaving(monkeypatch):
    """Names of the peers in bench_peers.py, which a worker process can import."""
    folder = str(Path(__file__).parents[2] / "support")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")])))
    return lambda *names: [f"bench_peers:{name}" for name in names]


def test_a_peer_that_disagrees_or_dies_is_reported(misbehaving, tmp_path):
    """With the reason; the others, including one that prints, are measured."""
    names = misbehaving("Wrong", "Chatty", "Dies")
    (_, first, _), (_, second, _) = run.measure_all([SMALL[0]] * 2, names, SETTINGS, tmp_path)[0]
    for figures in (first, second):
        wrong, chatty, dies = (figures[name] for name in names)
        assert wrong["error"].startswith("y: differs from fastrnn's by 1.0e-03 of the largest magnitude")
        assert "ratio" in chatty and "median_seconds" in figures["fastrnn"]
        assert dies == {"error": "the process ended with code 7: last words"}


def test_a_peer_that_hangs_is_ended_and_restarted(misbehaving, tmp_path):
    """It has no figure for the case in which it hangs, and is measured in the next one."""
    (name,) = misbehaving("Hangs")
    settings = run.Settings(rounds=1, block=0.001, limit=3)
    table = [SMALL[0], Case("tiny", "rnn_tanh", 4, 2, 3, 5)]
    (_, first, _), (_, second, _) = run.measure_all(table, [name], settings, tmp_path)[0]
    assert first[name] == {"error": "no answer within 3 s"} and "median_seconds" in first["fastrnn"]
    assert "ratio" in second[name]

# SPDX-License-Identifier: BSD-3-Clause
"""``python -m fastrnn.benchmarks --torch`` measures modules of PyTorch before and after they run on fastrnn."""

import subprocess
from types import SimpleNamespace

import pytest

from fastrnn.benchmarks._suite import accelerated
from fastrnn.benchmarks._suite.cli import main


@pytest.fixture(autouse=True)
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'fastrnn[torch]'")


SMALL = [
    accelerated.Model("small", "GRU", 3, 4, 1, 1, 5, 2),
    accelerated.Model("packed", "LSTM", 3, 4, 2, 2, 5, 3, True),
]


@pytest.mark.parametrize("model", SMALL, ids=lambda model: model.what)
def test_both_run(model, torch):
    """Four times, none of them zero; settings are as before."""
    before = torch.get_num_threads()
    times = accelerated.measure(model, 0)
    assert len(times) == 4 and all(0 < seconds < 60 for seconds in times)
    assert torch.get_num_threads() == before


def test_the_table_has_a_line_for_each_model():
    head, _, first, second, end = accelerated.table(accelerated.measure_all(SMALL, 0))
    assert head.count("|") == first.count("|") == 8 and end == ""
    assert "small: GRU(3, 4, 1), T=5, N=2" in first
    assert "packed: LSTM(3, 4, 2, bidirectional), T<=5, N=3" in second


def test_a_report_has_the_table():
    """Times of PyTorch, of fastrnn, and the ratio, in inference and in training."""
    row = {"name": "x", "seconds": [4e-3, 2e-3, 3e-3, 6e-3]}
    assert accelerated.table([row])[2] == "| x | 4 ms | 2 ms | 2.00 | 3 ms | 6 ms | **0.50** |"


def test_the_command_prints_it(monkeypatch, capsys):
    monkeypatch.setattr(accelerated, "MODELS", tuple(SMALL))
    monkeypatch.setattr(accelerated.measure_all, "__defaults__", (tuple(SMALL), 0.0))
    assert main(["--torch", "--only", "packed"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_process_of_its_own_measures_for_the_report(monkeypatch):
    """With the number of threads in its environment, before PyTorch is imported; without PyTorch there is nothing."""
    started = {}

    def run(command, **options):
        started.update(options, command=command)
        return SimpleNamespace(returncode=0, stdout='[{"name": "x", "seconds": [1, 2, 3, 4]}]')

    monkeypatch.setattr(accelerated.subprocess, "run", run)
    assert accelerated.measure_apart() == [{"name": "x", "seconds": [1, 2, 3, 4]}]
    assert started["command"][1:] == ["-m", "fastrnn.benchmarks._suite.accelerated"]
    assert started["env"]["OMP_NUM_THREADS"] == "1"
    monkeypatch.setattr(accelerated.peers, "missing_packages", lambda name: ["torch"])
    assert accelerated.measure_apart() == []


def test_a_process_that_fails_is_reported(monkeypatch):
    """An hour of other results is not lost by it."""
    failed = SimpleNamespace(returncode=1, stderr="Traceback\nValueError: no\n")
    monkeypatch.setattr(accelerated.subprocess, "run", lambda *command, **options: failed)
    (row,) = accelerated.measure_apart()
    assert row["error"] == "ValueError: no"
    assert accelerated.table([row])[2] == "| all | ValueError: no | – | – | – | – | – |"

    def hang(*command, **options):
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(accelerated.subprocess, "run", hang)
    assert accelerated.measure_apart(1) == [{"name": "all", "error": "no answer within 1 s"}]

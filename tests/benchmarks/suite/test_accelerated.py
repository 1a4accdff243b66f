# SPDX-License-Identifier: BSD-3-Clause
"""``python -m fastrnn.benchmarks --torch`` measures modules of PyTorch before and after they run on fastrnn."""

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
    lines = accelerated.table(SMALL, 0).splitlines()
    assert len(lines) == 3 and "small: GRU(3, 4, 1), T=5, N=2" in lines[1]
    assert "packed: LSTM(3, 4, 2, bidirectional), T<=5, N=3" in lines[2]


def test_the_command_prints_it(monkeypatch, capsys):
    monkeypatch.setattr(accelerated, "MODELS", tuple(SMALL))
    monkeypatch.setattr(accelerated.table, "__defaults__", (tuple(SMALL), 0.0))
    assert main(["--torch", "--only", "packed"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2

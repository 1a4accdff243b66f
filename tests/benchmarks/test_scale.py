# SPDX-License-Identifier: BSD-3-Clause
"""The command ``python -m fastrnn.benchmarks.scale``, and what it wrote last."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
WRITTEN = FOLDER / "SCALE.json"


def test_what_was_written_is_shown_and_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    command = [sys.executable, "-m", "fastrnn.benchmarks.scale", "--read", str(WRITTEN), "--out", str(tmp_path)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert process.returncode == 0, process.stderr
    assert "us an exchange" in process.stdout and "H 512" in process.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SCALE.json", "ranks.png"]
    assert json.loads((tmp_path / "SCALE.json").read_text()) == json.loads(WRITTEN.read_text())


def test_the_model_is_near_what_was_measured():
    """On 1, 2 and 4 processes, in both kinds of time, within what other programs do to such figures."""
    rows = json.loads(WRITTEN.read_text())["compared"]
    assert [(row["H"], row["ranks"]) for row in rows] == [(H, ranks) for H in (128, 512) for ranks in (1, 2, 4)]
    for row in rows:
        assert 0.7 < row["model"] / row["used"] < 1.4, row
        assert 0.7 < row["wall_model"] / row["wall"] < 1.4, row

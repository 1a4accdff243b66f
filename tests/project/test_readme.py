# SPDX-License-Identifier: BSD-3-Clause
"""The examples of README.md run as printed, in order."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_examples_run_and_the_first_one_learns(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # the examples save a model
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    namespace = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), namespace)
    printed = capsys.readouterr().out
    assert float(re.search(r"mean squared error ([0-9.]+)", printed)[1]) < 0.01
    assert "engine:" in printed

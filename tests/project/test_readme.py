# SPDX-License-Identifier: BSD-3-Clause
"""The examples of README.md: each runs alone, as it is copied, and shows what it says."""

import re
from pathlib import Path

import pytest

import fastrnn as fr

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
FIT, LOOP, BITS = range(3)


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    """A function that runs a block in a namespace of its own and returns what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(block):
        exec(compile(BLOCKS[block], f"{README}, block {block}", "exec"), {})
        return capsys.readouterr().out

    return run


def test_the_first_block_learns_to_tell_sequences_of_any_lengths_apart(printed):
    percent = re.match(r"(\d+)% of 200 new sequences are right", printed(FIT))
    assert int(percent[1]) > 85
    assert percent[0].partition(" ")[0] == re.search(r"# (\d+%)$", BLOCKS[FIT], re.MULTILINE)[1]


def test_the_second_block_learns_a_running_mean(printed):
    assert float(re.match(r"mean squared error ([0-9.]+)", printed(LOOP))[1]) < 0.01


def test_the_third_block_finds_the_same_bits(printed):
    assert printed(BITS) == "True True True\n"


def test_every_block_is_tested():
    assert len(BLOCKS) == 3


def test_names_in_the_table_of_parts_exist():
    """`LSTM`, `fr.init` and `fastrnn.inspect`; not `python -m ...`."""
    table = README.read_text().partition("## What is in it")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    names = re.findall(r"`(?:fr\.|fastrnn\.)?(\w+)`", "\n".join(rows))
    assert len(names) > 30 and [name for name in names if not hasattr(fr, name)] == []

# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/what_units_learn.py, and its whole run on a model whose units are known."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastrnn as fr
from fastrnn import inspect

EXAMPLE = Path(__file__).parents[2] / "examples" / "what_units_learn.py"
TEXT = 'He said "to be or not to be" and left. She said (aside) "no", twice.\nThen "all" was quiet.\n' * 30


@pytest.fixture
def quoter(tmp_path):
    """A saved model of which unit 2 knows whether a quotation is open.

    Its update gate keeps the state, but at a quotation mark it takes n = tanh(-15 - 30 h): -1 at 0 and 1, 1 at -1.
    """
    vocabulary = sorted(set(TEXT))
    V, H, big = len(vocabulary) + 1, 4, 30.0
    embedding, gru = fr.Embedding(V, V), fr.GRU(V, H, seed=0)
    embedding.params["weight"][...] = np.eye(V)
    unit, mark = 2, vocabulary.index('"')
    for name, array in gru.params.items():
        for gate in range(3):  # r, z, n
            array[gate * H + unit] = 0
        if name == "bias_ih_l0":
            array[[unit, H + unit, 2 * H + unit]] = big, big, -big / 2
        if name == "weight_ih_l0":
            array[H + unit, mark] = -2 * big
        if name == "weight_hh_l0":
            array[2 * H + unit, unit] = -big
    model = fr.Sequential(embedding, gru, fr.Linear(H, V, seed=1))
    fr.save(model, tmp_path / "model.safetensors", notes={"vocabulary": vocabulary})
    (tmp_path / "text.txt").write_text('"' + TEXT)  # the first mark takes the unit from 0 to -1
    return tmp_path


def run(*arguments, folder=None):
    command = [sys.executable, str(EXAMPLE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=folder)


def test_the_unit_that_knows_is_found(quoter):
    process = run("--model", quoter / "model.safetensors", "--text", quoter / "text.txt", "--plot", quoter / "u.png")
    assert process.returncode == 0, process.stderr
    assert "state of unit 2 tracks inside quotes, " in process.stdout.splitlines()[-1]
    assert (quoter / "u.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_that_knows_nothing_is_an_error(tmp_path):
    vocabulary = sorted(set(TEXT))
    V = len(vocabulary) + 1
    model = fr.Sequential(fr.Embedding(V, 3, seed=0), fr.RNN(3, 2, seed=1), fr.Linear(2, V, seed=2))
    fr.save(model, tmp_path / "model.safetensors", notes={"vocabulary": vocabulary})
    (tmp_path / "text.txt").write_text(TEXT)
    process = run("--model", tmp_path / "model.safetensors", "--text", tmp_path / "text.txt")
    assert process.returncode == 1
    assert "No unit has learned to remember a property" in process.stderr


def test_a_text_without_its_model_is_refused():
    process = run("--text", "novel.txt")
    assert process.returncode == 2
    assert "expected a --model to read it with" in process.stderr


def test_scores_and_strengths(example):
    assert [example.measure(name) for name in ("inside_quotes", "position_in_line")] == ["AUC", "correlation"]
    assert example.strength(0.1, "inside_quotes") == example.strength(0.9, "inside_quotes") == pytest.approx(0.8)
    assert example.strength(-0.5, "position_in_line") == 0.5


def test_the_plot_shows_a_stretch_with_quotations(example):
    text = "nothing is quoted here. " * 40 + "\n" + '"all of this is quoted" here, ' * 20 + "\n"
    begin = example.liveliest(text)
    assert begin == text.index("\n") + 1
    assert 0.3 < inspect.inside_quotes(text)[begin : begin + example.CHARACTERS].mean() < 0.9


@pytest.mark.slow
def test_the_whole_run():
    """The model of language_model.py has a unit that knows whether a quotation is open."""
    process = run()
    assert process.returncode == 0, process.stderr
    assert "tracks inside quotes" in process.stdout.splitlines()[-1]

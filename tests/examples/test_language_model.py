# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/language_model.py, on a tiny scale."""

import contextlib
import functools
import io
import re
import subprocess
import sys
import time
import types
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._loop import loop
from fastrnn.training._state.history import History

EXAMPLE = Path(__file__).parents[2] / "examples" / "language_model.py"


def make_tokens(length, V):
    return np.random.default_rng(0).integers(V, size=length)


def test_help_texts(example):
    text = example.read_text()
    assert text == example.read_text()
    assert all(topic.partition("\n")[0] in text for topic in topics.values())
    repeated = max(topics["compound"].split("\n\n"), key=len)
    assert sum(repeated in topic for topic in topics.values()) > 1
    assert text.count(repeated) == 1
    assert len(text) > 20 * example.T * example.N


def test_text_file(example, tmp_path):
    path = tmp_path / "text"
    path.write_bytes("grüße\r\n".encode())
    assert example.read_text(path) == "grüße\n"


def test_the_text_is_not_replaced_by_the_model(tmp_path):
    command = [sys.executable, EXAMPLE, "--text", tmp_path, "--save", f"{tmp_path}/../{tmp_path.name}"]
    assert b"is the text that is" in subprocess.run(command, capture_output=True, timeout=60).stderr


def test_unknown_characters_share_an_index(example):
    assert example.encode("banana?!", ["a", "b", "n"]).tolist() == [1, 0, 2, 0, 2, 0, 3, 3]
    assert example.encode("", ["a"]).dtype.kind == "i"


def test_columns_are_parts_of_the_text(example):
    x, y = example.columns(np.arange(32), 3)
    assert x.shape == y.shape == (10, 3)
    np.testing.assert_array_equal(x[0], [0, 10, 20])  # where the three parts begin
    np.testing.assert_array_equal(y, x + 1)


@pytest.mark.parametrize("library", ["the LSTM in NumPy", "PyTorch"])
def test_the_libraries_that_are_compared_do_the_same(example, library):
    """The same parameters after three updates."""
    if library == "PyTorch":
        pytest.importorskip("torch", reason="one of the libraries is PyTorch")
    model, other = (example.make_model(V=7, H=12, seed=0) for _ in range(2))
    x, y = example.columns(make_tokens(3 * 16 + 1, 7), 3)
    example.LIBRARIES["fastrnn"](model, x, y, T=6)
    example.LIBRARIES[library](other, x, y, T=6)
    for name, p in model.params.items():
        # Adam divides by the size of the gradient: if that is almost 0, rounding errors decide.
        np.testing.assert_allclose(other.params[name], p, rtol=0, atol=2e-5, err_msg=name)
    assert any((p != example.make_model(V=7, H=12, seed=0).params[name]).any() for name, p in model.params.items())


def test_training_learns_and_carries_the_state(example, monkeypatch):
    # A b is followed by a or b: that takes memory, of more than T steps.
    monkeypatch.setattr(example, "T", 2)
    monkeypatch.setattr(example, "N", 4)
    tokens = np.tile([0, 0, 0, 1, 1, 1], 100)
    model = example.make_model(V=2, H=12, seed=0)
    history = example.train(model, tokens, tokens, epochs=6, progress=False)
    assert history["step"][-1] == 6 * 75
    _, bigram = example.baselines(tokens, tokens, 2)
    assert example.bits_per_character(model, tokens) < 0.4 < 0.9 < bigram


def test_training_resumes_from_a_checkpoint(example, monkeypatch, tmp_path):
    monkeypatch.setattr(example, "N", 4)
    tokens, path = make_tokens(4 * example.T + 1, 5), tmp_path / "run"
    whole, model, other = (example.make_model(V=5, H=4, seed=seed) for seed in (0, 0, 1))
    expected = example.train(whole, tokens, tokens, 2, tmp_path / "other", progress=False)
    monkeypatch.setattr(loop.Training, "epoch", interrupted_after_one(loop.Training.epoch))
    assert example.train(model, tokens, tokens, 2, path, progress=False).interrupted
    monkeypatch.undo()
    monkeypatch.setattr(example, "N", 4)
    assert example.train(other, tokens, tokens, 2, path, progress=False)["loss"] == expected["loss"]


def interrupted_after_one(epoch):
    def run(self):
        if self.history.epochs:
            raise KeyboardInterrupt
        return epoch(self)

    return run


def test_bits_are_those_of_the_whole_text(example):
    V, length = 5, 4096 + 100
    model, tokens = example.make_model(V, 12, seed=0), make_tokens(length, V)
    logits, _ = model(tokens[:-1, None])
    whole, _ = fr.cross_entropy(logits[:, 0], tokens[1:])
    assert example.bits_per_character(model, tokens) == pytest.approx(whole / np.log(2), rel=1e-6)


def test_baselines(example):
    training, validation = np.array([0, 1, 0, 1, 0]), np.array([0, 1, 0])
    unigram, bigram = example.baselines(training, validation, V=3)
    assert unigram == pytest.approx(-(np.log2(3 / 8) + np.log2(4 / 8)) / 2)
    assert bigram == pytest.approx(-np.log2(3 / 5))


def test_a_sample_continues_where_it_was_cut(example):
    model, vocabulary = example.make_model(V=5, H=12, seed=0), ["a", "b", "c", "d"]  # and one for unknown characters
    whole = example.sample(model, vocabulary, "a?", 100, 0.8, seed=7)
    assert len(whole) == 102 and set(whole[2:]) == set(vocabulary)
    for cut in 2, 3, 60, 101:
        assert example.sample(model, vocabulary, whole[:cut], 102 - cut, 0.8, seed=7) == whole
    assert example.sample(model, vocabulary, "a?", 100, 0.8, seed=8) != whole


def test_measuring_leaves_the_model_unchanged(example):
    epoch_times = sys.modules[example.compare.__module__]
    model = example.make_model(V=5, H=12, seed=0)
    before = model.state_dict()
    x, y = example.columns(make_tokens(3 * 8 * example.T + 1, 5), 3)
    start = time.perf_counter()
    seconds = epoch_times.measure("fastrnn", model, x, y, example.T)
    assert 0 < seconds <= 2 * (time.perf_counter() - start)  # an estimate for the whole, from half of it
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_the_comparison_takes_medians_in_turns(example, monkeypatch):
    times, turns, ended = iter([9.0, 20, 2, 99, 3, 30]), [], []

    @contextlib.contextmanager
    def process(command, **_):
        library = command[-1]

        def answer():
            """Yields a word when it is ready, then seconds for each line that it has read."""
            yield "ready\n"
            while True:
                assert stdin.getvalue().count("\n") == turns.count(library) + 1
                turns.append(library)
                yield f"{next(times)}\n"

        stdin, answers = io.StringIO(), answer()
        yield types.SimpleNamespace(stdin=stdin, stdout=types.SimpleNamespace(readline=lambda: next(answers)))
        ended.append(library)

    monkeypatch.setattr(subprocess, "Popen", process)
    sentence = example.compare(["fastrnn", "PyTorch"], [], rounds=3)
    assert turns == ["fastrnn", "PyTorch"] * 3 and sorted(ended) == ["PyTorch", "fastrnn"]
    assert sentence.startswith("An epoch takes 3.0 s, 30.0 s with PyTorch (10.0 times as long); ")


@pytest.fixture
def run(example, monkeypatch, capsys, tmp_path):
    """Run the example on a small text, in which two letters determine the next. Returns its output."""
    (tmp_path / "text").write_text("aabb" * 700 + "\N{EURO SIGN}", encoding="utf-8")
    monkeypatch.setattr(example, "compare", functools.partial(example.compare, rounds=1))

    def run(*arguments):
        text = ["--text", str(tmp_path / "text"), "--hidden", "16"]
        monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *text, *map(str, arguments)])
        example.main()
        return capsys.readouterr().out

    return run


def test_whole_run(run, tmp_path):
    path = tmp_path / "model.safetensors"
    output = run("--epochs", 50, "--save", path)
    assert "below the bigram" in output
    assert re.search(r"\n    epoch 50 +0\.\d{3} ", output)
    assert re.search(r"An epoch takes [\d.]+ s, [\d.]+ s with the LSTM in NumPy \([\d.]+ times as long\)", output)
    assert "new text costs the LSTM 0." in output.splitlines()[-1]
    assert "the same 300 characters" in output
    assert "1 of its characters never" in output
    assert type(fr.load(path)) is fr.Sequential
    assert fr.load_notes(path)["vocabulary"] == ["a", "b"]
    assert [*tmp_path.glob("model*")] == [path]
    written = run("--continue", path)
    assert len(written) == 4 + 300 + 300
    assert written.startswith("The ")


def test_too_little_learned_is_an_error(example, run, monkeypatch):
    monkeypatch.setattr(example, "compare", lambda *_: "")
    with pytest.raises(SystemExit, match="bits below the bigram"):
        run("--epochs", 1)


def test_another_continuation_is_an_error(example, run, monkeypatch):
    monkeypatch.setattr(example, "continue_in_another_process", lambda *_: "")
    with pytest.raises(SystemExit, match="continued the text differently"):
        run("--epochs", 1)


def test_an_interrupted_run_continues_with_the_model_as_it_is(example, run, monkeypatch, capsys):
    def train(*_):
        history = History()
        history.interrupted = True
        return history

    monkeypatch.setattr(example, "train", train)
    monkeypatch.setattr(example, "compare", lambda *_: "")
    with pytest.raises(SystemExit, match="bits below the bigram"):
        run()
    assert "Stopped after 0 epochs." in capsys.readouterr().out


def test_wrong_arguments_are_refused_before_training(run, tmp_path, capsys):
    for message, arguments in [
        ("there is no folder", ["--save", tmp_path / "none" / "model.safetensors"]),
        ("--temperature: expected a number above 0, got 0.0", ["--temperature", 0]),
    ]:
        with pytest.raises(SystemExit):
            run(*arguments)
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("installed", [False, True])
def test_pytorch_is_measured_if_it_is_installed(example, run, monkeypatch, installed):
    compared = []
    monkeypatch.setattr(example.importlib.util, "find_spec", lambda name: name if installed else None)
    monkeypatch.setattr(example, "compare", lambda libraries, command: compared.extend(libraries) or "")
    run("--epochs", 50)
    assert compared == ["fastrnn", "the LSTM in NumPy", *(["PyTorch"] if installed else [])]


def test_short_text(run, tmp_path):
    (tmp_path / "text").write_text("too short")
    with pytest.raises(SystemExit, match="expected more than 1137 characters, got 9"):
        run()

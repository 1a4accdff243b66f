# SPDX-License-Identifier: BSD-3-Clause
"""The pieces of examples/char_lstm.py, on a tiny scale."""

import importlib.util
import sys
from itertools import islice
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest
from conftest import assert_close

import fastrnn as fr

pytest.importorskip("tqdm", reason="the example shows its progress with tqdm")

EXAMPLE = Path(__file__).parent.parent / "examples" / "char_lstm.py"


def load_example():
    spec = importlib.util.spec_from_file_location("char_lstm", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def example():
    return load_example()


def make_model(V, H=12):
    return fr.Sequential(fr.Embedding(V, 5, seed=0), fr.LSTM(5, H, seed=1), fr.Linear(H, V, seed=2))


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


def test_unknown_characters_share_an_index(example):
    assert example.encode("banana?!", ["a", "b", "n"]).tolist() == [1, 0, 2, 0, 2, 0, 3, 3]
    assert example.encode("", ["a"]).dtype.kind == "i"


def test_batches_follow_one_another(example):
    N, T = 3, 4
    first, second, again = islice(example.batches(np.arange(32), T, N), 3)
    assert [begins for _, _, begins in (first, second, again)] == [True, False, True]
    for x, y, _ in first, second, again:
        assert x.shape == (T, N)
        np.testing.assert_array_equal(y, x + 1)
    np.testing.assert_array_equal(first[0][0], [0, 10, 20])  # where the three parts begin
    np.testing.assert_array_equal(second[0][0], first[1][-1])
    np.testing.assert_array_equal(again[0], first[0])


def test_reference_step_is_the_same_step(example):
    T, N, V, H = 6, 3, 7, 12
    x, y, _ = next(example.batches(make_tokens(50, V), T, N))
    results = []
    for step in example.step, example.reference_step:
        model = make_model(V, H)
        _, state = model(x)
        loss, state = step(model, fr.Adam(model), x, y, state)
        results.append({"loss": loss, "h": state[0][0], "c": state[0][1], **model.grads})
    assert all(array.dtype == np.float32 for name, array in results[1].items() if name != "loss")
    bound = {"dtype": np.float32, "backward": True, "terms": 4 * H, "steps": T}
    for name, expected in results[1].items():
        assert_close(results[0][name], expected, **bound, what=name)


def test_training_learns_and_carries_the_state(example, monkeypatch):
    # After a b may come a or b: it takes a memory, and one of more than T steps at that.
    monkeypatch.setattr(example, "T", 2)
    monkeypatch.setattr(example, "N", 4)
    tokens = np.tile([0, 0, 0, 1, 1, 1], 100)
    model = make_model(V=2)
    assert example.train(model, tokens, steps=400) == 400
    _, bigram = example.baselines(tokens, tokens, 2)
    assert example.evaluate(model, tokens) < 0.3 < 0.6 < bigram


def test_interrupted_training_returns(example, monkeypatch):
    step, calls = example.step, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return step(*args)

    monkeypatch.setattr(example, "step", interrupted)
    tokens = make_tokens(example.T * example.N + 1, 5)
    assert example.train(make_model(5), tokens, steps=100) == 2


def test_evaluation_carries_the_state_over_its_blocks(example):
    V, length = 5, 4096 + 100
    model, tokens = make_model(V), make_tokens(length, V)
    logits, _ = model(tokens[:-1, None])
    whole, _ = fr.cross_entropy(logits[:, 0], tokens[1:])
    assert example.evaluate(model, tokens) == pytest.approx(whole, rel=1e-9)


def test_baselines(example):
    training, validation = np.array([0, 1, 0, 1, 0]), np.array([0, 1, 0])
    unigram, bigram = example.baselines(training, validation, V=3)
    assert unigram == pytest.approx(-(np.log(3 / 8) + np.log(4 / 8)) / 2)
    assert bigram == pytest.approx(-np.log(3 / 5))


def test_sample_continues_where_it_was_cut(example):
    model, vocabulary = make_model(V=5), ["a", "b", "c", "d"]  # one more is the unknown one
    whole = example.sample(model, vocabulary, "a?", 100, seed=7)
    assert len(whole) == 102 and set(whole[2:]) == set(vocabulary)
    for cut in 2, 3, 60, 101:
        assert example.sample(model, vocabulary, whole[:cut], 102 - cut, seed=7) == whole
    assert example.sample(model, vocabulary, "a?", 100, seed=8) != whole


def test_timing_leaves_the_model_alone(example):
    model = make_model(V=5)
    before = model.state_dict()
    x, y, _ = next(example.batches(make_tokens(50, 5), 6, 3))
    assert example.seconds_per_step(example.step, model, x, y) > 0
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


@pytest.fixture
def run(example, monkeypatch, capsys, tmp_path):
    """Run the example on a small text, in which two letters tell the next. Returns its output."""
    (tmp_path / "text").write_text("aabb" * 700 + "\N{EURO SIGN}", encoding="utf-8")

    def run(*arguments):
        text = ["--text", str(tmp_path / "text"), "--hidden", "16"]
        monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *text, *map(str, arguments)])
        example.main()
        return capsys.readouterr().out

    return run


def test_whole_run(run, tmp_path):
    path = tmp_path / "model.safetensors"
    output = run("--steps", 100, "--save", path)
    assert "under the bigram's" in output
    assert output.splitlines()[-1].startswith("New text costs the LSTM 0.")
    assert "the same 300 characters" in output
    assert "1 of its characters never" in output
    assert type(fr.load(path)) is fr.Sequential
    assert fr.load_notes(path)["vocabulary"] == ["a", "b"]
    assert [*tmp_path.glob("model*")] == [path]
    written = run("--continue", path)
    assert len(written) == 4 + 300 + 300
    assert written.startswith("The ")


def test_too_little_learned_is_an_error(run):
    with pytest.raises(SystemExit, match="not clearly"):
        run("--steps", 1)


def test_other_continuation_is_an_error(example, run, monkeypatch):
    monkeypatch.setattr(example, "in_another_process", lambda *_: "")
    with pytest.raises(SystemExit, match="not as this one does"):
        run("--steps", 1)


def test_missing_folder_is_told_before_the_training(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run("--save", tmp_path / "none" / "model.safetensors")
    assert "there is no folder" in capsys.readouterr().err


def test_short_text(run, tmp_path):
    (tmp_path / "text").write_text("too short")
    with pytest.raises(SystemExit, match="expected more than"):
        run()


def test_without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(SystemExit, match=r'pip install "fastrnn\[demo\]"'):
        load_example()

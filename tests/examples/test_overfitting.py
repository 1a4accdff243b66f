# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/overfitting.py, and a whole run, on a small scale."""

import re

import numpy as np
import pytest

import fastrnn as fr


def data(example, length=900):
    training, validation, _ = example.read_texts(length)
    vocabulary = sorted(set(training))
    return (
        example.columns(example.encode(training, vocabulary)),
        example.columns(example.encode(validation, vocabulary)),
        len(vocabulary) + 1,
    )


def test_no_paragraph_is_in_two_texts(example):
    texts = example.read_texts(20_000)
    assert [len(text) for text in texts] == [20_000] * 3 and texts == example.read_texts(20_000)
    whole = [set(text.split("\n\n")[1:-1]) for text in texts]
    assert all(len(paragraphs) > 20 for paragraphs in whole)
    assert not whole[0] & whole[1] and not whole[0] & whole[2] and not whole[1] & whole[2]


def test_targets_are_the_inputs_one_character_later(example):
    x, y = example.columns(np.arange(example.N * 5 + 3))
    assert x.shape == y.shape == (5, example.N) and x[0, :2].tolist() == [0, 5]
    np.testing.assert_array_equal(y, x + 1)
    assert example.encode("abc", ["a", "b"]).tolist() == [0, 1, 2]


def test_every_remedy_begins_with_the_same_parameters_and_ends_with_its_own(example):
    training, validation, V = data(example)
    outside, ends = {"weight_decay", "label_smoothing", "patience"}, {}
    for name, remedy in example.REMEDIES.items():
        inside = {key: value for key, value in remedy.items() if key not in outside}
        model, plain = example.make_model(V, 8, 0, **inside), example.make_model(V, 8, 0)
        assert all((p == plain.params[key]).all() for key, p in model.params.items()), name
        example.train(model, training, validation, 2, **{k: v for k, v in remedy.items() if k in outside})
        ends[name] = model.params["2.weight_hh_l0"].tobytes()
    assert ends.pop(example.STOPPED) == ends[example.NOTHING]  # the costs are still falling
    assert len(set(ends.values())) == len(ends)


def test_patience_ends_a_training_and_leaves_the_best_model(example):
    training, validation, V = data(example)
    model = example.make_model(V, 32, 0)
    history = example.train(model, training, validation, 60, patience=3)
    assert history.epochs == history.best_epoch + 3 < 60
    assert example.bits(model, validation) == pytest.approx(min(history["val_cost"]) / np.log(2), rel=1e-6)
    assert min(history["val_cost"]) < history["val_cost"][-1]


def test_smoothing_does_not_change_what_is_compared(example):
    training, validation, V = data(example)
    model = example.make_model(V, 8, 0)
    history = example.train(model, training, validation, 1, label_smoothing=0.5)
    assert history["val_cost"][-1] / np.log(2) == pytest.approx(example.bits(model, validation), rel=1e-6)
    assert history["val_loss"][-1] != pytest.approx(history["val_cost"][-1], rel=1e-3)
    loss, _ = fr.cross_entropy(model(validation[0])[0], validation[1])
    assert loss == pytest.approx(history["val_cost"][-1], rel=1e-5)


@pytest.mark.slow
def test_whole_run(run, tmp_path):
    pytest.importorskip("matplotlib")
    output = run("--plot", tmp_path / "overfitting.png")
    match = re.fullmatch(r"New text costs (.*) bits .* remedy, (.*) with early stopping, (.*) with .*\.",
                         output.splitlines()[-1])  # fmt: skip
    assert float(match[3]) < float(match[2]) < float(match[1])
    assert "\nNo better than early stopping, by 0.05 bits: nothing" in output
    assert (tmp_path / "overfitting.png").read_bytes().startswith(b"\x89PNG")


def test_short_run(example, run, monkeypatch, tmp_path):
    """Some of the remedies on a text that is memorized at once."""
    pytest.importorskip("matplotlib")
    few = (example.NOTHING, example.STOPPED, "recurrent dropout")
    monkeypatch.setattr(example, "REMEDIES", {name: example.REMEDIES[name] for name in few})
    output = run("--characters", 3000, "--epochs", 30, "--units", 48, "--plot", tmp_path / "overfitting.png")
    rows = {name: [float(n) for n in re.search(rf"\n{name} +(.*)\n", output)[1].split()] for name in few}
    assert rows["nothing"][0] < rows["early stopping"][0] < rows["early stopping"][1] < rows["nothing"][1]
    assert rows["early stopping"][1] == rows["early stopping"][2]  # the best model is restored
    assert output.splitlines()[-1].startswith("New text costs ")
    assert (tmp_path / "overfitting.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_shown_is_an_error(run):
    with pytest.raises(SystemExit, match="has not shown that the remedies help"):
        run("--characters", 600, "--epochs", 1, "--units", 4)


def test_a_text_has_to_be_long_enough(run, capsys):
    with pytest.raises(SystemExit):
        run("--characters", 512)
    assert "--characters: expected more than 512 for each of three texts, got 512" in capsys.readouterr().err

# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/optimizers.py, and a whole run, on a small scale."""

import re
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the example reads images that scikit-learn carries")


def test_three_parts_without_a_common_image(example):
    parts = example.read()
    assert [x.shape for x, _ in parts] == [(8, 898, 8), (8, 300, 8), (8, 599, 8)]
    assert [len(digits) for _, digits in parts] == [898, 300, 599]
    seen = [{image.tobytes() for image in np.moveaxis(x, 1, 0)} for x, _ in parts]
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def test_every_method_differs_and_schedules_do_what_they_say(example):
    known, validation, _ = example.read()
    ends, rates = {}, {}
    for method in example.METHODS:
        model, history = example.train(method, 0.01, known, validation, units=4, epochs=3, seed=0)
        ends[method], rates[method] = model.params["2.weight"].tobytes(), history["lr"]
        again, _ = example.train(method, 0.01, known, validation, units=4, epochs=3, seed=0)
        assert again.params["2.weight"].tobytes() == ends[method]
    assert ends.pop("Adam, ReduceLROnPlateau") == ends["Adam"]  # the losses still fall
    assert len(set(ends.values())) == len(ends)
    assert rates["Adam"] == [0.01] * 3
    assert rates["Adam, StepLR"] == pytest.approx([0.003, 0.0009, 0.00027])  # after each third
    assert rates["Adam, MultiStepLR"] == pytest.approx([0.01, 0.003, 0.0009])  # after a half and three quarters
    assert rates["Adam, ExponentialLR"] == pytest.approx([0.01, 0.008, 0.0064])  # per epoch
    assert rates["Adam, LambdaLR"] == pytest.approx([0.01 * 2 / 3, 0.01 / 3, 0])
    assert rates["Adam, CosineAnnealingLR"][-1] == 0
    assert rates["Adam, WarmRestarts"] == pytest.approx([0.01, 0.005, 0.01])  # of one epoch, then of two
    assert rates["Adam, OneCycleLR"][-1] == pytest.approx(0.01 / 25e4)
    assert rates["Adam, LinearWarmup"] == [0.01] * 3


def test_the_group_excludes_only_biases(example):
    model = example.make_model(4, seed=0)
    optimizer = example.OPTIMIZERS["AdamW, not on biases"](model, 0.01)
    decays = {name: optimizer.hyperparameters(name)["weight_decay"] for name in model.params}
    assert decays == {name: 0.0 if "bias" in name else example.DECAY for name in model.params}
    assert 0.0 in decays.values() and example.DECAY in decays.values()


def test_a_training_that_diverges_is_reported(example):
    (x, digits), validation, _ = example.read()
    x = x.copy()
    x[0, 0, 0] = np.inf
    model, history = example.train("SGD", 0.1, (x, digits), validation, units=4, epochs=1, seed=0)
    assert history == {}
    assert example.final([{"val_loss": [3.0, 1.0]}, {"val_loss": [3.0, 2.0]}]) == 1.5
    assert example.final([{"val_loss": [1.0]}, history]) == np.inf


def numbers(output, method):
    return [float(cell) for cell in re.search(rf"\n{method} +([\d.*\s]+)\n", output)[1].replace("*", " ").split()]


@pytest.mark.slow
@pytest.mark.timeout(600)  # about 110 s of processor time
def test_whole_run(example, run, tmp_path):
    pytest.importorskip("matplotlib")
    output = run("--plot", tmp_path / "optimizers.png")
    assert all(len(numbers(output, method)) == 6 for method in example.METHODS)
    assert re.search(r"\nBest: .*; (8[5-9]|9\d)\.\d% of the test digits are right\.\n", output)
    match = re.fullmatch(r"Each .*: (.*) to (.*) nats per digit; all at that of Adam, .*: (.*) to (.*)\.",
                         output.splitlines()[-1])  # fmt: skip
    assert float(match[2]) < 0.5 and float(match[4]) > 1
    assert (tmp_path / "optimizers.png").read_bytes().startswith(b"\x89PNG")


def test_short_run(example, run, monkeypatch, tmp_path):
    """Two rates, three methods."""
    pytest.importorskip("matplotlib")
    methods = ("SGD", "Adam")
    monkeypatch.setattr(example, "RATES", (0.01, 0.1))
    monkeypatch.setattr(example, "OPTIMIZERS", {method: example.OPTIMIZERS[method] for method in methods})
    monkeypatch.setattr(example, "SCHEDULES", {"Adam, StepLR": example.SCHEDULES["Adam, StepLR"]})
    monkeypatch.setattr(example, "METHODS", {method: example.METHODS[method] for method in (*methods, "Adam, StepLR")})
    output = run("--epochs", 6, "--seeds", 1, "--plot", tmp_path / "optimizers.png")
    sgd, adam = numbers(output, "SGD"), numbers(output, "Adam")
    assert sgd[1] < sgd[0] and adam[0] < adam[1] and adam[0] < sgd[0]  # at 0.01 and at 0.1
    assert f"all at that of Adam, 0.01: {adam[0]:.2f} to {sgd[0]:.2f}." in output
    assert (tmp_path / "optimizers.png").read_bytes().startswith(b"\x89PNG")


def test_too_little_learned_is_an_error(example, run, monkeypatch):
    monkeypatch.setattr(example, "RATES", (0.003,))
    with pytest.raises(SystemExit, match="has not shown how much the learning rate matters"):
        run("--epochs", 1, "--units", 4, "--seeds", 1)


def test_at_least_one_seed(run, capsys):
    with pytest.raises(SystemExit):
        run("--seeds", 0)
    assert "--seeds: expected at least 1, got 0" in capsys.readouterr().err


def test_without_scikit_learn(load_example, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(SystemExit, match=r'pip install "fastrnn\[examples\]"'):
        load_example()

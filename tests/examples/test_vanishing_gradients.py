# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/vanishing_gradients.py, and a whole run."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

import fastrnn as fr

EXAMPLE = Path(__file__).parents[2] / "examples" / "vanishing_gradients.py"


def test_weights_that_halve_the_state_halve_the_gradient(example):
    """h_t = x_t + h_(t-1) / 2: at a distance of k steps exactly 2**-k arrives."""
    rnn = fr.RNN(example.H, example.H, nonlinearity="identity", **example.FORMAT)
    rnn.load_state_dict(
        {"weight_ih_l0": np.eye(example.H), "weight_hh_l0": np.eye(example.H) / 2}
        | dict.fromkeys(("bias_ih_l0", "bias_hh_l0"), np.zeros(example.H))
    )
    x = np.ones((12, example.N, example.H))
    _, last = example.noise(0)
    arriving = example.back(rnn, x, last)
    np.testing.assert_allclose(arriving, 0.5 ** np.arange(12), rtol=1e-12)
    np.testing.assert_allclose(example.powers(arriving), -math.log10(2) * np.arange(12), atol=1e-12)


def test_truncation_keeps_only_near_gradients(example):
    x, last = example.noise(0)
    rnn = fr.RNN(example.I, example.H, seed=0, **example.FORMAT)
    whole, cut = example.back(rnn, x, last), example.back_truncated(rnn, x, last)
    np.testing.assert_allclose(cut[: example.TRUNCATED], whole[: example.TRUNCATED], rtol=1e-12)
    assert len(cut) == len(whole) and (whole > 0).all() and not cut[example.TRUNCATED :].any()


def test_clipping(example):
    """Clipping by norm changes the length; by value, every element that is too large, and so the direction."""
    x, last = example.noise(0)
    rnn = fr.RNN(example.I, example.H, seed=0, **example.FORMAT)
    clipped = {name.partition(",")[0]: example.clipped(rnn, x, last, clip) for name, clip in example.CLIPS.items()}
    whole = example.flat(rnn.grads)  # of the last clipping
    assert np.abs(whole).max() == example.LIMIT
    assert clipped["unclipped"][0] > 1 and clipped["unclipped"][1] == pytest.approx(0, abs=1e-3)
    assert clipped["clip_grad_norm"] == pytest.approx((example.MAX_NORM, 0), abs=1e-3)
    norm, turned = clipped["clip_grad_value"]
    assert norm == pytest.approx(np.linalg.norm(whole)) and turned > 10
    assert example.clipped(rnn, x, 1e-9 * last, example.CLIPS["unclipped"])[0] < example.LIMIT
    for clip in example.CLIPS.values():  # a small gradient is not changed
        assert example.clipped(rnn, x, 1e-9 * last, clip)[1] == pytest.approx(0, abs=1e-3)


@pytest.mark.slow
def test_omega_decreases_and_the_gradient_lasts(example):
    x, last = example.noise(0)
    rnn, omegas, lasting = fr.RNN(example.I, example.H, seed=0, omega=1.0, **example.FORMAT), [], []
    for _ in range(2):
        y, _, tape = rnn.forward(x[:50])
        dy = np.zeros_like(y)
        dy[-1] = last
        rnn.backward(tape, dy)
        omegas.append(tape.omega)
        lasting.append(example.powers(example.back(rnn, x, last))[200])
        example.regularized(rnn, seed=0)
    assert omegas[1] < omegas[0] / 50
    assert lasting[0] < -10 and -3 < lasting[1] < 3


def test_whole_run(example, monkeypatch, capsys, tmp_path):
    """It also compares initializers and remedies, 200 steps back."""
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "--plot", str(tmp_path / "gradients.png")])
    example.main()
    lines = capsys.readouterr().out.splitlines()
    rows = {line[:30].strip(): [float(word) for word in line[30:].split()] for line in lines[1:13]}
    arriving = {name: values[example.DISTANCES.index(200)] for name, values in rows.items()}
    assert arriving["RNN"] < arriving["LSTM"] < arriving["LSTM, forget bias 1"] < arriving["LSTM, chrono"] < 0
    assert arriving["GRU"] < -10 < -3 < arriving["GRU, chrono"]
    assert arriving["RNN"] < -10 < arriving["RNN, orthogonal"] < arriving["IRNN"]
    assert arriving["RNN, weights times 4"] > 10 > 1 > abs(arriving["the same, delta_clip"])
    assert arriving["the same, truncated"] == -math.inf
    assert lines[-1].startswith("200 steps back the gradient is scaled by 10^-")
    assert (tmp_path / "gradients.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_shown_is_an_error(example, monkeypatch):
    monkeypatch.setattr(example, "OMEGA_STEPS", 0)
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE)])
    with pytest.raises(SystemExit, match="has not shown"):
        example.main()

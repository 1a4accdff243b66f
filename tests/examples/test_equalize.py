# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/equalize.py, and a whole run."""

import re

import numpy as np
import pytest


def test_the_last_values_come_with_the_newest_first(example):
    np.testing.assert_array_equal(example.last(np.array([5.0, 6.0, 7.0]), 2), [[5, 0], [6, 5], [7, 6]])


def test_the_channel_is_that_of_the_paper(example):
    """Jaeger and Haas 2004: ten echoes, a square and a cube; here with loops, once before and once after the change."""
    sent, received = example.transmit(np.random.default_rng(0), snr=300)
    for t, echoes in ((100, example.ECHOES), (len(sent) - 1, example.CHANGED)):
        q = sum(echo * sent[t - k] for k, echo in enumerate(echoes))
        assert received[t] == pytest.approx(q + 0.036 * q**2 - 0.011 * q**3, rel=1e-12)
    assert set(sent) == {-3, -1, 1, 3}


def test_the_noise_has_the_requested_strength(example):
    clear, noisy = (example.transmit(np.random.default_rng(0), snr)[1] for snr in (300, 20))
    assert clear.var() / (noisy - clear).var() == pytest.approx(100, rel=0.05)


def test_an_output_becomes_the_nearest_symbol(example):
    outputs = np.array([-9.0, -2.1, -1.9, 0.1, 1.9, 2.1, 9.0])
    np.testing.assert_array_equal(example.symbol(outputs), [-3, -3, -1, 1, 1, 3, 3])


def test_the_linear_receiver_is_linear_in_what_it_received(example):
    network = example.linear(seed=0)
    x = np.random.default_rng(0).standard_normal((50, example.TAPS))
    features, _ = network.features(x)
    np.testing.assert_array_equal(features, np.concatenate([x, np.zeros((50, 1))], axis=1))


@pytest.mark.parametrize("learn", ["fit_once", "learn_online"])
def test_no_receiver_is_told_more_than_the_first_symbols(example, monkeypatch, learn):
    monkeypatch.setattr(example, "STAY", 50)
    monkeypatch.setattr(example, "CHANGE", 50)
    sent, received = example.transmit(np.random.default_rng(0), snr=30)
    targets = example.last(sent, example.LATE + 1)[:, -1:]
    blind = np.where(np.arange(len(sent))[:, None] < example.KNOWN, targets, np.nan)
    outputs = [
        getattr(example, learn)(example.reservoir(1, seed=0), received[:, None], known) for known in (targets, blind)
    ]
    np.testing.assert_array_equal(*outputs)
    assert (example.symbol(outputs[0]) == targets)[example.KNOWN :].mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 10])
def test_whole_run(run, tmp_path, seed):
    pytest.importorskip("matplotlib")
    output = run("--transmissions", 2, "--seed", seed, "--plot", tmp_path / "equalize.png")
    match = re.fullmatch(
        r"After .* fitted once gets (.*)% of the symbols wrong, .* learning (.*)%, and one without a reservoir (.*)%\.",
        output.splitlines()[-1],
    )
    stale, followed, straight = map(float, match.groups())
    assert stale > 10 and followed < 0.5 and straight > 2 * followed
    assert (tmp_path / "equalize.png").read_bytes().startswith(b"\x89PNG")


def test_a_receiver_that_does_not_follow_is_an_error(run, example, monkeypatch):
    """Noise as loud as the symbols drowns them."""
    for name in ("KNOWN", "STAY", "CHANGE"):
        monkeypatch.setattr(example, name, 100)
    monkeypatch.setattr(
        example, "PARTS", {"before": slice(100, 200), "during": slice(200, 300), "after": slice(300, 400)}
    )
    with pytest.raises(SystemExit, match="has not followed"):
        run("--transmissions", 1, "--snr", 0)


def test_bad_arguments_are_named(run, capsys):
    with pytest.raises(SystemExit):
        run("--transmissions", 0)
    assert "--transmissions: expected 1 or more, got 0" in capsys.readouterr().err

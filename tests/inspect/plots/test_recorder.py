# SPDX-License-Identifier: BSD-3-Clause
"""The records of a training run equal the gradient_flow of the model at that update."""

import numpy as np
import pytest
from support.layers import refused
from support.plots import closed  # noqa: F401

import fastrnn as fr
from fastrnn.inspect import FlowRecorder, gradient_flow

T, N = 12, 64


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((T, N, 1)).astype(np.float32)


def model():
    return fr.Sequential(fr.LSTM(1, 8, 2, seed=0), fr.LastStep(), fr.Linear(8, 1, seed=1))


class Witness:
    """Calls gradient_flow at every step."""

    def __init__(self, x, **options):
        self.x, self.options, self.norms, self.calls = x, options, [], []

    def on_step(self, model, step, loss, norm):
        self.norms.append([(flow.norms(), flow.state_norms()) for flow in gradient_flow(model, self.x, **self.options)])
        self.calls.append((step, loss, norm))


def train(x, *callbacks, epochs=3):
    return fr.fit(model(), fr.mse_loss, x, x[0], epochs=epochs, callbacks=callbacks, seed=2, progress=False)


def test_it_records_the_norms(x):
    """With rows of different lengths, the mean of those that have the step."""
    options = {"lengths": [12, 5, 0], "dy": lambda y: fr.mse_loss(y, np.zeros_like(y))}
    recorder, witness = FlowRecorder(x[:, :3], **options, every=2), Witness(x[:, :3], **options)
    train(x, recorder, witness)
    assert len(witness.calls) == 6 and recorder.steps == [call[0] for call in witness.calls[::2]]
    assert recorder.loss == [call[1] for call in witness.calls[::2]]
    assert recorder.grad_norm == [call[2] for call in witness.calls[::2]]
    assert list(recorder.gradients) == list(recorder.states) == ["0.l0", "0.l1"]
    for k, norms in enumerate(witness.norms[::2]):
        for name, both in zip(recorder.gradients, norms, strict=True):
            for records, expected in zip((recorder.gradients, recorder.states), both, strict=True):
                mean = np.append(expected[:5, :2].mean(axis=1), expected[5:, 0])
                np.testing.assert_allclose(records[name][k], mean, rtol=1e-6)


def test_it_does_not_change_training(x):
    histories = [train(x), train(x, FlowRecorder(x[:, :3]))]
    assert histories[0]["loss"] == histories[1]["loss"]


def test_a_single_sequence(x):
    recorder = FlowRecorder(x[:, 0])
    train(x, recorder, epochs=1)
    assert np.shape(recorder.gradients["0.l0"]) == (2, T)


def test_the_heat_map_shows_the_records(x):
    recorder = FlowRecorder(x[:, :3], every=2)
    assert repr(recorder) == "FlowRecorder(every=2, 0 records)"
    train(x, recorder)
    ax = recorder.plot()
    (mesh,) = ax.collections
    np.testing.assert_allclose(mesh.get_array(), np.array(recorder.gradients["0.l0"]).T)
    assert type(mesh.norm).__name__ == "LogNorm" and ax.get_title("left") == "0.l0"
    assert mesh.get_coordinates()[0, :, 0].tolist() == [1, 3, 5, 7]
    ax = recorder.plot("0.l1", of="states")
    np.testing.assert_allclose(ax.collections[0].get_array(), np.array(recorder.states["0.l1"]).T)
    assert recorder.plot(ax=ax) is ax


def test_the_curves_show_the_norm_and_the_loss(x):
    recorder = FlowRecorder(x[:, :3])
    train(x, recorder)
    ax = recorder.plot_norms()
    assert [line.get_label() for line in ax.lines] == ["norm of all gradients", "loss"]
    for line, values in zip(ax.lines, (recorder.grad_norm, recorder.loss), strict=True):
        assert line.get_xdata().tolist() == recorder.steps
        np.testing.assert_array_equal(line.get_ydata(), values)


def test_bad_input_is_refused(x):
    with refused(ValueError, "every: expected at least 1, got 0"):
        FlowRecorder(x, every=0)
    recorder = FlowRecorder(x[:, :3])
    for draw in (recorder.plot, recorder.plot_norms):
        with refused(ValueError, "recorder: expected at least one record, got none; pass it in the callbacks of fit"):
            draw()
    train(x, recorder, epochs=1)
    with refused(ValueError, "name: expected one of 0.l0, 0.l1, got '1.l0'"):
        recorder.plot("1.l0")
    with refused(ValueError, "of: expected one of 'gradients', 'states', got 'gates'"):
        recorder.plot(of="gates")
    with refused(ValueError, "x: expected (T, N, 1) or (T, 1), got (12, 3, 2)"):
        train(x, FlowRecorder(x[:, :3].repeat(2, axis=2)), epochs=1)

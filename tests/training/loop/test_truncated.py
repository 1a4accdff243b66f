# SPDX-License-Identifier: BSD-3-Clause
"""Truncated back-propagation through time against its definition, and against full back-propagation."""

import numpy as np
import pytest
from support.recurrent import make_layer

import fastrnn as fr
from fastrnn.training._data.batch import Batch
from fastrnn.training._loop.objective import Objective
from fastrnn.training._loop.truncated import as_windows, windows

T, N = 11, 2


def make_model(cell="lstm", dtype=np.float64, **options):
    layer = make_layer(cell, 3, 4, 2, seed=0, dtype=dtype, **options)
    return fr.Sequential(layer, fr.Linear(4, 2, seed=1, dtype=dtype))


def make_data(rng, dtype=np.float64):
    return rng.standard_normal((T, N, 3)).astype(dtype), rng.standard_normal((T, N, 2)).astype(dtype)


def gradients(model):
    return {name: grad.copy() for name, grad in model.grads.items()}


def full(model, x, y, state=None, lengths=None):
    out, state, tape = model.forward(x, state, lengths)
    loss, dy = fr.mse_loss(out, y, lengths=lengths)
    model.zero_grad()
    model.backward(tape, dy)
    return loss, state, gradients(model)


def assert_close(actual, expected):
    for name in expected:
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-12, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("batch_first", [False, True])
def test_one_window_is_full_backpropagation(cell, batch_first, rng):
    """To the bit, with an initial state and lengths."""
    model, (x, y) = make_model(cell, batch_first=batch_first), make_data(rng)
    lengths = [T, 4]
    if batch_first:
        x, y = x.swapaxes(0, 1), y.swapaxes(0, 1)
    _, state = model(x)
    out, final, tape = model.forward(x, state, lengths)
    loss, dy = fr.mse_loss(out, y, lengths=lengths, batch_first=batch_first)
    model.zero_grad()
    model.backward(tape, dy)
    expected = gradients(model)
    (window,) = fr.truncated_bptt(model, fr.mse_loss, x, y, T, state=state, lengths=lengths)
    assert (window.loss, window.stop, window.last, window.steps) == (loss, T, True, T + 4)
    for name, grad in gradients(model).items():
        np.testing.assert_array_equal(grad, expected[name], err_msg=name)
    for ours, theirs in zip(np.ravel(window.state[0]), np.ravel(final[0]), strict=True):
        assert ours == theirs


@pytest.mark.parametrize("k1", [1, 2, 3, 4, 11])
def test_windows_that_reach_the_beginning_sum_to_full_backpropagation(cell, k1, rng):
    """Every step's loss is counted once, and its gradient comes whole."""
    model, (x, y) = make_model(cell), make_data(rng)
    loss, _, expected = full(model, x, y)
    total, mean = {name: 0.0 for name in expected}, 0.0
    for window in fr.truncated_bptt(model, fr.mse_loss, x, y, k1, T + k1):
        share = len(window.y) / T
        mean += share * window.loss
        total = {name: total[name] + share * grad for name, grad in model.grads.items()}
    np.testing.assert_allclose(mean, loss, rtol=1e-12)
    assert_close(total, expected)


def by_definition(model, x, y, k1, k2, lr):
    """Plain: before every update, the states are those that windows begin in; errors go back k2 steps."""
    first, states, losses = 0, {0: None}, []
    for t in range(0, T, k1):
        stop, first = min(t + k1, T), max(0, t + k1 - k2)
        state, tapes = states[first], []
        for s in range(first, stop):  # step by step
            states[s] = state
            out, state, tape = model.forward(x[s : s + 1], state)
            tapes.append((s, out, tape))
        states[stop] = state
        outputs = np.concatenate([out for s, out, _ in tapes if s >= t])
        loss, dy = fr.mse_loss(outputs, y[t:stop])
        losses.append(loss)
        model.zero_grad()
        dstate = None
        for s, out, tape in reversed(tapes):
            _, dstate = model.backward(tape, dy[s - t : s - t + 1] if s >= t else np.zeros_like(out), dstate)
        for name, p in model.params.items():
            p -= lr * model.grads[name]
    return losses


@pytest.mark.parametrize("k1, k2", [(1, 1), (1, T), (1, 3), (2, 3), (2, 4), (3, 3), (3, 7), (4, 5), (5, 11), (11, 11)])
def test_it_does_what_its_definition_says(cell, k1, k2, rng):
    """With the parameters changing on the way: the same losses, and in the end the same parameters."""
    model, plain, (x, y) = make_model(cell), make_model(cell), make_data(rng)
    sgd, losses = fr.SGD(model, lr=0.1), []
    for window in fr.truncated_bptt(model, fr.mse_loss, x, y, k1, k2):
        losses.append(window.loss)
        sgd.step()
    np.testing.assert_allclose(losses, by_definition(plain, x, y, k1, k2, 0.1), rtol=1e-10)
    assert_close(model.state_dict(), plain.state_dict())


def test_gradients_do_not_leave_their_window(rng):
    """A window's gradient is that of its steps with their first state held; shown by finite differences."""
    model, (x, y) = make_model("gru"), make_data(rng)
    _, state = model(x[:6])
    for window in fr.truncated_bptt(model, fr.mse_loss, x, y, 3, 3):
        if window.stop == 9:
            break
    weight, grad = model.params["0.weight_hh_l0"], model.grads["0.weight_hh_l0"]
    for at in (0, 0), (5, 2), (11, 3):
        before, losses = weight[at], []
        for shift in 1e-6, -1e-6:
            weight[at] = before + shift
            losses.append(fr.mse_loss(model(x[6:9], state)[0], y[6:9])[0])
        weight[at] = before
        np.testing.assert_allclose(grad[at], (losses[0] - losses[1]) / 2e-6, rtol=1e-6)


def test_the_state_is_carried_to_the_next_call(rng):
    model, (x, y) = make_model(), make_data(rng)
    whole = [window.loss for window in fr.truncated_bptt(model, fr.mse_loss, x, y, 3)]
    first = list(fr.truncated_bptt(model, fr.mse_loss, x[:6], y[:6], 3))
    second = fr.truncated_bptt(model, fr.mse_loss, x[6:], y[6:], 3, state=first[-1].state)
    assert [window.loss for window in first] + [window.loss for window in second] == whole


@pytest.mark.parametrize("k1, k2", [(3, 3), (2, 5), (1, 4)])
def test_it_resumes_at_any_window(k1, k2, rng):
    """A later window, started from the state that the previous one left, is the same to the bit."""
    model, (x, y) = make_model(), make_data(rng)
    objective, batch, places, expected = Objective(model, fr.mse_loss), Batch(x, y), [(0, None)], []
    for window in windows(objective, batch, (k1, k2)):
        places.append((window.stop, window.first))
        expected.append((window.loss, gradients(model)))
    for (start, first), (loss, grads) in zip(places[:-1], expected, strict=True):
        window = next(windows(objective, batch, (k1, k2), start, first))
        assert window.loss == loss
        for name, grad in model.grads.items():
            np.testing.assert_array_equal(grad, grads[name])
    assert list(windows(objective, batch, (k1, k2), *places[-1])) == []


def test_lengths_end_rows_inside_windows(rng):
    """Rows alone, on their own steps, give the sums of the batch; nothing is run beyond the longest."""
    model, (x, y) = make_model(), make_data(rng)
    lengths = np.array([7, 3])
    found = list(fr.truncated_bptt(model, fr.mse_loss, x, y, 2, lengths=lengths))
    assert [window.stop for window in found] == [2, 4, 6, 7] and found[-1].last
    assert [window.positions for window in found] == [4, 3, 2, 1]
    alone = [
        list(fr.truncated_bptt(model, fr.mse_loss, x[:L, n : n + 1], y[:L, n : n + 1], 2)) for n, L in ((0, 7), (1, 3))
    ]
    sums = lambda part: np.array([w.loss * w.positions for w in part])  # noqa: E731
    np.testing.assert_allclose(sums(found), sums(alone[0]) + np.pad(sums(alone[1]), (0, 2)), rtol=1e-12)


def test_pieces_are_what_pytorch_does_with_detach(rng):
    """Chunks of k1 = k2 steps, the state detached in between, with plain gradient descent: the same parameters."""
    torch = pytest.importorskip("torch")
    model, (x, y) = make_model("lstm"), make_data(rng)
    lstm, linear = torch.nn.LSTM(3, 4, 2, dtype=torch.float64), torch.nn.Linear(4, 2, dtype=torch.float64)
    for module, layer in (lstm, model.layers[0]), (linear, model.layers[1]):
        module.load_state_dict({name: torch.from_numpy(p) for name, p in layer.state_dict().items()})
    parameters = [*lstm.parameters(), *linear.parameters()]
    theirs, ours, state = torch.optim.SGD(parameters, lr=0.1), fr.SGD(model, lr=0.1), None
    for window in fr.truncated_bptt(model, fr.mse_loss, x, y, 4):
        ours.step()
        piece = slice(window.stop - len(window.y), window.stop)
        h, state = lstm(torch.from_numpy(x[piece]), state)
        loss = torch.nn.functional.mse_loss(linear(h), torch.from_numpy(y[piece]))
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        state = tuple(part.detach() for part in state)
        np.testing.assert_allclose(window.loss, loss.item(), rtol=1e-12)
    for module, layer in (lstm, model.layers[0]), (linear, model.layers[1]):
        assert_close(layer.state_dict(), {name: p.detach().numpy() for name, p in module.state_dict().items()})


def test_tokens():
    model = fr.Sequential(fr.Embedding(5, 3, seed=0), fr.LSTM(3, 4, seed=1), fr.Linear(4, 5, seed=2))
    tokens = np.random.default_rng(0).integers(5, size=(T + 1, N))
    stops = [window.stop for window in fr.truncated_bptt(model, fr.cross_entropy, tokens[:-1], tokens[1:], 4, 6)]
    assert stops == [4, 8, 11]


def test_models_that_cannot_be_cut(rng):
    x, y = make_data(rng)
    cases = [
        (TypeError, "model: expected one with a state", fr.Linear(3, 2)),
        (ValueError, "one direction, got a bidirectional GRU", fr.GRU(3, 4, bidirectional=True)),
        (ValueError, "got a bidirectional Sequential", fr.Sequential(fr.Residual(fr.GRU(3, 3, bidirectional=True)))),
        (ValueError, "an output for every step, got a Sequential", fr.Sequential(fr.GRU(3, 4), fr.LastStep())),
    ]
    for error, message, model in cases:
        with pytest.raises(error, match=message):
            fr.truncated_bptt(model, fr.mse_loss, x, y, 2)


def test_bad_input(rng):
    model, (x, y) = make_model(), make_data(rng)
    for error, k, message in [
        (ValueError, (3, 2), "k1, k2: expected k2 >= k1"),
        (ValueError, (0, 2), "k1, k2: expected at least 1, got 0"),
        (TypeError, (1.5, 2), "k1, k2: expected an integer, got 1.5"),
    ]:
        with pytest.raises(error, match=message):
            fr.truncated_bptt(model, fr.mse_loss, x, y, *k)
    with pytest.raises(ValueError, match=r"y: expected targets of each step of x \(11, 2, 3\).* got \(2, 2\)"):
        list(fr.truncated_bptt(model, fr.mse_loss, x, y[0], 2))
    with pytest.raises(ValueError, match=r"loss: expected one of each step, .* of whole rows \(input_lengths\)"):
        list(fr.truncated_bptt(model, fr.ctc_loss, x, np.ones((T, N), int), 2))
    model = fr.GRU(1, 1)
    assert as_windows("truncate", 4, model) == (4, 4) and as_windows("truncate", (2, 4), model) == (2, 4)


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_single_sequence_is_cut_in_time(batch_first):
    """Its axis of time is the first, whatever the layout of batches."""
    make = lambda: fr.Sequential(fr.GRU(3, 4, batch_first=batch_first, seed=0), fr.Linear(4, 3, seed=1))  # noqa: E731
    x = np.random.default_rng(0).standard_normal((10, 3)).astype(np.float32)
    rows = 0 if batch_first else 1
    single, batched = (
        [window.loss for window in fr.truncated_bptt(make(), fr.mse_loss, data, data, 4, 6)]
        for data in (x, np.expand_dims(x, rows))
    )
    assert single == batched and len(single) == 3
    values = [
        fr.evaluate(make(), fr.mse_loss, [(data, data)], chunk=4)["loss"] for data in (x, np.expand_dims(x, rows))
    ]
    assert values[0] == values[1]

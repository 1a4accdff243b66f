# SPDX-License-Identifier: BSD-3-Clause
"""The regularizer of Pascanu, Mikolov and Bengio: its value, its immediate gradient, and its effect."""

import numpy as np
import pytest
from support.layers import refused
from support.recurrent import make_layer, random_lengths

import fastrnn as fr
from fastrnn import reference
from fastrnn.nn._recurrent import gradient_norm as omega

T, N, I, H = 9, 4, 3, 6
NONLINEARITIES = sorted(omega.SLOPES)


def deltas_and_states(name, layer, x, dy, lengths, reverse):
    """dE/da_t and h_(t-1) of every step but a row's first, by the reference: a list of pairs of rows."""
    weights = [layer.state_dict()[n] for n in layer.parameter_names(0, int(reverse))]
    y, *_ = reference.forward(f"rnn_{name}", x, np.zeros((N, H)), None, *weights, lengths=lengths, reverse=reverse)
    # The gradient of a_t is that of input weights which that step alone has: one-hot steps beside x.
    result = []
    eye = np.eye(T)
    for n in range(N):
        length = T if lengths is None else lengths[n]
        own = np.concatenate([x[:, n : n + 1], eye[:, None]], axis=2)  # (T, 1, I + T)
        w_ih = np.concatenate([weights[0], np.zeros((H, T))], axis=1)
        *_, tape = reference.forward(
            f"rnn_{name}",
            own,
            np.zeros((1, H)),
            None,
            w_ih,
            weights[1],
            *weights[2:],
            lengths=[length],
            reverse=reverse,
        )
        deltas = reference.backward(f"rnn_{name}", tape, dy[:, n : n + 1])[3][:, I:].T  # (T, H)
        order = list(range(length)[::-1] if reverse else range(length))
        result += [(deltas[t], y[before, n]) for before, t in zip(order, order[1:], strict=False)]
    return result


def value(name, pairs, w_hh):
    """Omega as the paper has it, row by row."""
    total = 0
    for delta, h in pairs:
        if np.linalg.norm(delta) > 0:
            through = (delta @ w_hh) * omega.SLOPES[name](h)
            total += (np.linalg.norm(through) / np.linalg.norm(delta) - 1) ** 2
    return total / N


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("name", NONLINEARITIES)
def test_value_and_immediate_gradient(name, ragged, rng):
    """Against the formula, and against its central differences in W_hh with the deltas held fixed."""
    lengths = random_lengths(T, N, rng) if ragged else None
    layers = [fr.RNN(I, H, nonlinearity=name, bidirectional=True, omega=o, dtype=np.float64, seed=1) for o in (0, 0.3)]
    x, dy = rng.standard_normal((T, N, I)), rng.standard_normal((T, N, 2 * H))
    for layer in layers:
        tape = layer.forward(x, lengths=lengths)[2]
        layer.backward(tape, dy)
    expected = 0
    for direction in (0, 1):
        half = dy[..., direction * H : (direction + 1) * H]
        pairs = deltas_and_states(name, layers[1], x, half, lengths, bool(direction))
        w_name = layers[1].parameter_names(0, direction)[1]
        w_hh = layers[1].state_dict()[w_name]
        expected += value(name, pairs, w_hh)
        slopes = np.zeros_like(w_hh)
        for at in np.ndindex(w_hh.shape):
            up, down = w_hh.copy(), w_hh.copy()
            up[at] += 1e-6
            down[at] -= 1e-6
            slopes[at] = (value(name, pairs, up) - value(name, pairs, down)) / 2e-6
        added = layers[1].grads[w_name] - layers[0].grads[w_name]
        np.testing.assert_allclose(added, 0.3 * slopes, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(tape.omega, expected, rtol=1e-10)
    for other in set(layers[0].grads) - {"weight_hh_l0", "weight_hh_l0_reverse"}:
        np.testing.assert_array_equal(layers[1].grads[other], layers[0].grads[other])


def test_blocks_of_rows_add_up(rng, monkeypatch):
    x, dy = rng.standard_normal((40, N, I)), rng.standard_normal((40, N, H))
    result = []
    for rows in (omega.BLOCK_ROWS, 7):
        monkeypatch.setattr(omega, "BLOCK_ROWS", rows)
        layer = fr.RNN(I, H, omega=1.0, dtype=np.float64, seed=0)
        tape = layer.forward(x, lengths=[40, 3, 0, 17])[2]
        layer.backward(tape, dy)
        result.append((tape.omega, layer.grads["weight_hh_l0"].copy()))
    np.testing.assert_allclose(result[0][0], result[1][0], rtol=1e-12)
    np.testing.assert_allclose(result[0][1], result[1][1], rtol=1e-12)


def test_descending_omega_keeps_the_length_of_gradients(rng):
    """The error enters at the last step; after some steps down Omega, more of it reaches the first."""
    layer = fr.RNN(I, 20, omega=1.0, seed=0)
    x = (0.1 * rng.standard_normal((30, 8, I))).astype(np.float32)
    dy = np.zeros((30, 8, 20), np.float32)
    dy[-1] = 1e-30  # so small that its square underflows: nothing but Omega is learned, and Omega does not mind
    share = []
    for _ in range(60):
        tape = layer.forward(x)[2]
        layer.zero_grad()
        dx, dh = layer.backward(tape, dy)
        share.append(np.abs(dh).max() / 1e-30)
        fr.clip_grad_norm(layer, 1.0)
        layer.params["weight_hh_l0"][...] -= 0.05 * layer.grads["weight_hh_l0"]
    assert share[0] < 1e-4 and share[-1] > 0.01, share[:: len(share) - 1]
    assert tape.omega < 30 / 100


def test_a_gradient_of_zero_adds_nothing(rng):
    layer = fr.RNN(I, H, omega=1.0, seed=0)
    for x, lengths in ((np.ones((5, 2, I), np.float32), None), (np.ones((5, 2, I), np.float32), [0, 1])):
        tape = layer.forward(x, lengths=lengths)[2]
        layer.backward(tape, np.zeros((5, 2, H), np.float32))
        assert tape.omega == 0
    for shape in ((0, 2, I), (5, 0, I), (1, 2, I)):
        tape = layer.forward(np.ones(shape, np.float32))[2]
        layer.backward(tape, np.ones((*shape[:2], H), np.float32))
        assert tape.omega == 0


def test_without_omega_a_tape_has_none(cell, rng):
    layer = make_layer(cell, I, H, seed=0)
    tape = layer.forward(np.ones((2, 1, I), np.float32))[2]
    layer.backward(tape, np.ones((2, 1, H), np.float32))
    assert tape.omega is None


@pytest.mark.parametrize(
    ("options", "came"),
    [
        ({"leak": 0.5}, "leak"),
        ({"zoneout": 0.1, "recompute": True}, "recompute, zoneout"),
        ({"recurrent_dropout": 0.1}, "recurrent_dropout"),
        ({"weight_drop": 0.1}, "weight_drop"),
        ({"nonlinearity": "selu"}, "selu"),
    ],
    ids=str,
)
def test_options_for_which_omega_is_not_defined_are_refused(options, came):
    with refused(ValueError, "omega: expected the plain recurrence of tanh, relu, sigmoid, identity, got", came):
        fr.RNN(I, H, omega=0.1, **options)


def test_the_weight_of_omega_is_checked_and_saved(tmp_path):
    for value in (-1, np.nan, np.inf):
        with refused(ValueError, "omega: expected a finite number of at least 0"):
            fr.RNN(I, H, omega=value)
    fr.save(fr.RNN(I, H, omega=0.5), tmp_path / "rnn.safetensors")
    assert fr.load(tmp_path / "rnn.safetensors").omega == 0.5


def test_containers_report_the_sum_of_their_layers(rng):
    """Sequential and Residual, nested; a layer without the regularizer adds nothing."""
    first, second = (fr.RNN(I, I, omega=0.5, dtype=np.float64, seed=k) for k in range(2))
    linear = fr.Linear(I, I, dtype=np.float64, seed=2)
    model = fr.Sequential(first, fr.Residual(fr.Sequential(linear, second)), fr.LastStep(dtype=np.float64))
    x, dy, lengths = rng.standard_normal((T, N, I)), rng.standard_normal((N, I)), random_lengths(T, N, rng)
    *_, tape = model.forward(x, lengths=lengths)
    assert tape.omega is None
    (_, _, one), (_, residual, around), _ = model.child_tapes(tape)
    ((_, inner, inside),) = residual.child_tapes(around)
    (_, _, none), (_, _, two) = inner.child_tapes(inside)
    model.backward(tape, dy)
    assert none.omega is None and inside.omega == around.omega == two.omega > 0
    assert tape.omega == one.omega + two.omega > two.omega
    plain = fr.Sequential(linear, fr.Residual(fr.GRU(I, I, dtype=np.float64, seed=3)))
    *_, tape = plain.forward(x)
    plain.backward(tape, x)
    assert tape.omega is None


@pytest.mark.parametrize("attends", [False, True])
def test_seq2seq_reports_the_sum_of_encoder_and_decoder(attends, rng):
    encoder = fr.RNN(I, H, omega=0.5, seed=0)
    decoder = fr.RNN(2, H, omega=0.5, seed=1)
    if attends:
        decoder = fr.AttentionDecoder(decoder, fr.Attention(H, H, seed=2), fr.Linear(2 * H, H, seed=3))
    model = fr.Seq2Seq(encoder, fr.Embedding(5, 2, seed=4), decoder, fr.Linear(H, 5, seed=5))
    target = rng.integers(0, 5, (T, N))
    logits, _, tape = model.forward(rng.standard_normal((T, N, I)).astype(np.float32), target)
    inner = {name: inside for name, _, inside in model.child_tapes(tape)}
    model.backward(tape, logits)
    assert tape.omega == inner["encoder"].omega + inner["decoder"].omega
    assert inner["encoder"].omega > 0 and inner["decoder"].omega > 0

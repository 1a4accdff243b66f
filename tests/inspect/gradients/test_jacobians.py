# SPDX-License-Identifier: BSD-3-Clause
"""Jacobians against finite differences and PyTorch, exponents against eigenvalues, memory of known curves."""

import numpy as np
import pytest
from support.inspection import linear_rnn
from support.layers import RTOL_DIFFERENCES, STEP, assert_same_bits, language_model, pooled_model, refused
from support.recurrent import make_layer, random_state

import fastrnn as fr
from fastrnn._engine.layout import as_state, state_arrays
from fastrnn.inspect import jacobian_norms, lyapunov_exponents, memory_length, singular_values, state_jacobians
from fastrnn.inspect._gradients.probes import run_recurrences

T, N, H = 5, 3, 4
LENGTHS = [4, 0, 5]


def states_of(layer, x, state):
    """The state before every step and after the last, as vectors (T + 1, n); x (T, I)."""
    result = [np.concatenate([part.ravel() for part in state_arrays(state)])]
    for x_t in x:
        _, state = layer(x_t[None], state)
        result.append(np.concatenate([part.ravel() for part in state_arrays(state)]))
    return np.array(result)


def step_by_differences(layer, x_t, s):
    """ds' / ds of one step from the state vector s (n,)."""
    after = lambda s: states_of(layer, x_t[None], as_state(np.split(s[None], len(layer.cell.parts), axis=1)))[1]  # noqa: E731
    columns = [(after(s + STEP * e) - after(s - STEP * e)) / (2 * STEP) for e in np.eye(len(s))]
    return np.array(columns).T


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])
def test_a_step_against_finite_differences(cell, lengths, rng):
    """For an LSTM of (h, c) with respect to (h, c)."""
    layer = make_layer(cell, 3, H, dtype=np.float64, seed=0)
    x, state = rng.standard_normal((T, N, 3)), random_state(layer, N, rng)
    (J,) = state_jacobians(layer, x, lengths, state=state).values()
    n_numbers = H * len(state_arrays(state))
    assert J.shape == (T, N, n_numbers, n_numbers) and J.dtype == np.float64
    for n in range(N):
        steps = T if lengths is None else lengths[n]
        s = states_of(layer, x[:, n], as_state(part[:, n] for part in state_arrays(state)))
        for t in range(steps):
            expected = step_by_differences(layer, x[t, n], s[t])
            assert np.abs(J[t, n] - expected).max() <= RTOL_DIFFERENCES * max(1, np.abs(expected).max())
        assert not J[steps:, n].any()


def test_a_step_against_pytorch(rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    layer = fr.LSTM(3, H, dtype=np.float64, seed=0)
    witness = torch.nn.LSTM(3, H, dtype=torch.float64)
    witness.load_state_dict({name: torch.from_numpy(value) for name, value in layer.state_dict().items()})
    x = rng.standard_normal((1, 3))
    h, c = rng.standard_normal((2, 1, H))

    def step(s):
        _, (h, c) = witness(torch.from_numpy(x), (s[None, :H], s[None, H:]))
        return torch.cat([h[0], c[0]])

    expected = torch.autograd.functional.jacobian(step, torch.from_numpy(np.concatenate([h[0], c[0]]))).numpy()
    np.testing.assert_allclose(state_jacobians(layer, x, state=(h, c))["l0"][0], expected, rtol=1e-11, atol=1e-15)


def test_a_second_direction_runs_from_the_end(rng):
    """The reverse recurrence of a bidirectional layer is a layer of one direction on the reversed row."""
    layer = fr.GRU(3, H, bidirectional=True, dtype=np.float64, seed=0)
    alone = fr.GRU(3, H, dtype=np.float64)
    for name in alone.params:
        alone.params[name] = layer.params[name + "_reverse"]
    x = rng.standard_normal((T, N, 3))
    result = state_jacobians(layer, x, LENGTHS)
    assert list(result) == ["l0", "l0_reverse"]
    for n, length in enumerate(LENGTHS):
        if length:
            expected = state_jacobians(alone, x[:length, n][::-1])["l0"][::-1]
            assert_same_bits(result["l0_reverse"][:length, n], expected.copy())


def test_upper_layers_read_the_outputs_of_lower_ones(rng):
    """The upper layer of a stack has the Jacobians of a layer that reads the outputs of the lower one."""
    stack = fr.RNN(3, H, 2, dtype=np.float64, seed=0)
    upper, lower = fr.RNN(H, H, dtype=np.float64), fr.RNN(3, H, dtype=np.float64)
    for name in upper.params:
        upper.params[name], lower.params[name] = stack.params[name.replace("l0", "l1")], stack.params[name]
    x = rng.standard_normal((T, N, 3))
    np.testing.assert_allclose(
        state_jacobians(stack, x)["l1"], state_jacobians(upper, lower(x)[0])["l0"], rtol=1e-12, atol=1e-15
    )


def test_models_of_tokens_and_pooled_models(rng):
    tokens = rng.integers(0, 10, (T, N))
    assert state_jacobians(language_model(), tokens)["1.l0"].shape == (T, N, 8, 8)
    assert state_jacobians(language_model(), tokens[:, 0])["1.l0"].shape == (T, 8, 8)
    result = jacobian_norms(pooled_model(), rng.standard_normal((T, N, 3)).astype(np.float32))
    assert {name: norms.shape for name, norms in result.items()} == {
        "0.l0": (T + 1, N), "0.l0_reverse": (T + 1, N), "3.l0": (4 + 1, N),
    }  # fmt: skip


def test_exponents_of_a_linear_network_are_the_logarithms_of_its_eigenvalues(rng):
    """The largest is ln |lambda|max for any inputs; the eigenvalues go from 1.02 to 0.3, in a skew basis."""
    eigenvalues = np.array([1.02, -0.9, 0.6, 0.3])
    basis = rng.standard_normal((4, 4))
    rnn, x = linear_rnn(basis @ np.diag(eigenvalues) @ np.linalg.inv(basis)), rng.standard_normal((400, 2, 4))
    result = lyapunov_exponents(rnn, x, k=4, settle=200)["l0"]  # (0.9 / 1.02)**200 = 1e-11
    np.testing.assert_allclose(result, np.log(np.abs([eigenvalues] * 2)), atol=1e-8)
    np.testing.assert_allclose(lyapunov_exponents(rnn, x)["l0"][:, 0], np.log(1.02), atol=1e-3)


def test_a_pair_of_complex_eigenvalues_is_a_scaled_rotation(rng):
    turn = 0.95 * np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    result = lyapunov_exponents(linear_rnn(turn), rng.standard_normal((50, 2)), k=2)["l0"]
    np.testing.assert_allclose(result, [np.log(0.95)] * 2, rtol=1e-12)


def test_all_exponents_add_up_to_the_volume(cell, rng):
    """Their sum is the mean of ln |det J_t|, which needs no orthogonal directions."""
    layer = make_layer(cell, 3, H, dtype=np.float64, seed=0)
    if cell == "rnn_relu":
        layer.params["bias_ih_l0"][:] = 9  # no unit is at rest, where a determinant is 0
    x = rng.standard_normal((30, N, 3))
    lengths = [30, 7, 20]
    (J,), (recurrence,) = state_jacobians(layer, x, lengths).values(), run_recurrences(layer, x, lengths)
    (exponents,) = lyapunov_exponents(layer, x, lengths, k=recurrence.size, settle=0).values()
    for n, length in enumerate(lengths):
        volume = np.linalg.slogdet(J[:length, n])[1].mean()
        np.testing.assert_allclose(exponents[n].sum(), volume, rtol=1e-9)


def test_a_chaotic_network_against_two_diverging_trajectories():
    """Another method of Benettin: follow a small difference for a step and rescale it, 2000 times."""
    rng = np.random.default_rng(0)
    rnn = fr.RNN(1, 40, bias=False, dtype=np.float64, seed=0)
    rnn.params["weight_hh_l0"] = rng.standard_normal((40, 40)) * 3 / np.sqrt(40)
    x, start = np.zeros((2000, 1)), rng.standard_normal((1, 40))
    tiny, growth = 1e-8, []
    h, other = start, start + tiny / np.sqrt(40)
    for x_t in x:
        h, other = rnn(x_t[None], h)[1], rnn(x_t[None], other)[1]
        distance = np.linalg.norm(other - h)
        growth.append(np.log(distance / tiny))
        other = h + (other - h) * tiny / distance
    expected = np.mean(growth[200:])
    result = lyapunov_exponents(rnn, x, state=start)["l0"]
    assert expected > 0.2 and abs(result[0] - expected) < 0.01


def test_settling_steps_are_at_the_end(rng):
    """settle=s counts what is before the last s steps; the default is a tenth of each row."""
    layer, x = fr.GRU(3, H, dtype=np.float64, seed=0), rng.standard_normal((50, 2, 3))
    every = {s: lyapunov_exponents(layer, x, settle=s)["l0"] for s in (0, 5, 49, 50, 60)}
    assert_same_bits(lyapunov_exponents(layer, x)["l0"], every[5])
    norms = jacobian_norms(layer, x, k=1)["l0"]
    np.testing.assert_allclose(every[0][:, 0], np.log(norms[50]) / 50, rtol=1e-12)
    np.testing.assert_allclose(every[5][:, 0], np.log(norms[50] / norms[5]) / 45, rtol=1e-10)
    assert np.isnan(every[50]).all() and np.isnan(every[60]).all() and np.isfinite(every[49]).all()


def test_memory_length_of_known_curves():
    d = np.arange(30)
    curves = np.stack(
        [np.exp(-d / 7), 5 * np.exp(-d / 2.5), np.ones(30), np.where(d < 3, np.exp(-d / 9), np.nan)], axis=1
    )
    np.testing.assert_allclose(memory_length(curves), [7, 2.5, np.inf, np.inf], rtol=1e-12)
    assert memory_length([1.0, 2.0, 3.0]) == np.inf and np.isnan(memory_length([0.0, 1.0]))
    assert memory_length([1.0, 1.0, 0.0]) == 1


def test_bad_input_is_refused():
    gru, x = fr.GRU(2, 3), np.zeros((T, N, 2), np.float32)
    growing = fr.RNN(1, 1, nonlinearity="identity", bias=False)
    growing.params["weight_ih_l0"][...], growing.params["weight_hh_l0"][...] = 1, 1e20
    for function in (state_jacobians, singular_values, jacobian_norms, lyapunov_exponents):
        with refused(ValueError, "model: expected one with a recurrent layer in it, got Linear("):
            function(fr.Linear(2, 3), x)
        with refused(ValueError, "x: expected (T, N, 2) or (T, 2), got (5, 3, 1)"):
            function(gru, x[..., :1])
        with refused(ValueError, "x: expected at least one step of at least one row"):
            function(gru, x[:0])
        with refused(ValueError, "x: expected finite values, got nan or inf"):
            function(gru, np.where(np.arange(T)[:, None, None] == 2, np.nan, x).astype(np.float32))
        with refused(FloatingPointError, "l0: expected finite states, got nan or inf after step 2"):
            function(growing, np.ones((T, 1, 1), np.float32))
        with refused(FloatingPointError, "l0: expected finite states, got nan or inf in the initial state"):
            function(gru, x, state=np.full((1, N, 3), np.inf, np.float32))
    with refused(ValueError, "k: expected at most 3, the size of the state of l0, got 4"):
        lyapunov_exponents(gru, x, k=4)
    with refused(ValueError, "k: expected at least 1, got 0"):
        jacobian_norms(gru, x, k=0)
    with refused(ValueError, "settle: expected at least 0, got -1"):
        lyapunov_exponents(gru, x, settle=-1)
    with refused(ValueError, "seed: expected an integer of at least 0"):
        lyapunov_exponents(gru, x, seed=-1)
    for norms, words in (
        ([1.0, -1.0], "got a negative one"),
        ([], "got shape (0,)"),
        (1.0, "expected one of at least 0"),
    ):
        with refused(ValueError, "norms: ", words):
            memory_length(norms)
    with refused(TypeError, "norms: expected numbers, got bool"):
        memory_length([True])

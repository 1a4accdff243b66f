# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent policies of sb3-contrib: the starts of episodes in one call, and the training that they give."""

import copy

import numpy as np
import pytest
from support.torch_modules import pair

REASON = "sb3-contrib is not installed: pip install 'fastrnn[sb3]'"


@pytest.fixture
def RecurrentPPO(torch, tmp_path, monkeypatch):
    monkeypatch.setenv("SB3_LOGDIR", str(tmp_path))
    return pytest.importorskip("sb3_contrib", reason=REASON).RecurrentPPO


def loop(torch, features, state, starts, lstm):
    """What sb3-contrib computes: a call for each step, with states multiplied by zero at the starts of episodes."""
    N, ys = state[0].shape[1], []
    for x, start in zip(features.reshape(N, -1, 3).swapaxes(0, 1), starts.reshape(N, -1).t(), strict=True):
        state = tuple((1.0 - start).view(1, N, 1) * part for part in state)
        y, state = lstm(x[None], state)
        ys.append(y)
    return torch.cat(ys).transpose(0, 1).flatten(0, 1), state


@pytest.mark.parametrize("T", [1, 6])
def test_one_call_is_the_loop_over_steps(T, torch):
    from fastrnn.torch._policies import process_sequence

    theirs, ours = pair(torch.nn.LSTM(3, 5, 2, dtype=torch.float64))
    features = torch.randn(4 * T, 3, dtype=torch.float64, requires_grad=True)
    state = tuple(torch.randn(2, 4, 5, dtype=torch.float64) for _ in "hc")
    for chance in (0.0, 0.3, 1.0):
        starts = (torch.rand(4 * T) < chance).double()
        results = []
        for y, (h, c) in (
            loop(torch, features, state, starts, theirs),
            process_sequence(features, state, starts, ours),
        ):
            module = theirs if not results else ours
            loss = y.square().sum() + h.sum() + 2 * c.sum()
            results.append([y, h, c, *torch.autograd.grad(loss, [features, *module.parameters()])])
        assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-12) for a, b in zip(*results, strict=True))


def environment(gymnasium):
    """Cart and pole without their speeds."""

    class Positions(gymnasium.ObservationWrapper):
        def __init__(self):
            super().__init__(gymnasium.make("CartPole-v1"))
            box = self.env.observation_space
            self.observation_space = gymnasium.spaces.Box(box.low[::2], box.high[::2], dtype=np.float32)

        def observation(self, observation):
            return observation[::2]

    return Positions()


@pytest.fixture
def make(RecurrentPPO):
    """Makes a RecurrentPPO; keywords are those of its policy."""
    gymnasium = pytest.importorskip("gymnasium", reason=REASON)

    def make(**policy):
        return RecurrentPPO(
            "MlpLstmPolicy", environment(gymnasium), seed=0, device="cpu", n_steps=64, batch_size=32, n_epochs=2,
            policy_kwargs={"lstm_hidden_size": 8, "net_arch": [8], **policy},
        )  # fmt: skip

    return make


def returns(model, steps=128):
    """The returns of the episodes of a training, and the parameters after it."""
    found = []

    def note(values, _):
        found.extend(info["episode"]["r"] for info in values["infos"] if "episode" in info)
        return True

    model.learn(steps, callback=note)
    return found, model.policy.state_dict()


SHARED = {"shared_lstm": True, "enable_critic_lstm": False}


@pytest.mark.parametrize(("policy", "lstms"), [({}, 2), (SHARED, 1), ({"enable_critic_lstm": False}, 1)])
def test_a_training_has_the_same_episodes(make, policy, lstms, torch):
    """With a critic that has an LSTM of its own, shares it, or has none; and parameters within rounding."""
    import fastrnn.torch

    expected, wanted = returns(make(**policy))
    model = make(**policy)
    table = fastrnn.torch.accelerate(model.policy)
    assert [row.kind for row in table] == ["LSTM"] * lstms + [type(model.policy).__name__]
    assert all(row.swapped for row in table)
    actual, state = returns(model)
    assert actual == expected and len(actual) > 2
    assert all(torch.allclose(state[name], wanted[name], atol=1e-5) for name in wanted)


def test_a_pass_over_sequences_is_one_call(make, torch, monkeypatch):
    import fastrnn.torch

    model = make()
    fastrnn.torch.accelerate(model.policy)
    model.learn(64)
    calls = []
    for lstm in (model.policy.lstm_actor, model.policy.lstm_critic):
        lstm.register_forward_hook(lambda *_: calls.append(1))
    data = next(model.rollout_buffer.get(32))
    assert len(data.episode_starts) > 8 and data.episode_starts.any()
    actions = data.actions.long().flatten()
    model.policy.evaluate_actions(data.observations, actions, data.lstm_states, data.episode_starts)
    assert len(calls) == 2


def test_restored_copied_and_saved(make, torch, tmp_path):
    """A copy is accelerated, too; a saved model is one of sb3-contrib's, which has not heard of fastrnn."""
    import fastrnn.torch

    model = make()
    original = type(model.policy)._process_sequence
    fastrnn.torch.accelerate(model.policy)
    assert copy.deepcopy(model.policy)._process_sequence is model.policy._process_sequence is not original
    model.save(tmp_path / "model.zip")
    loaded = type(model).load(tmp_path / "model.zip", device="cpu")
    assert loaded.policy._process_sequence is original and type(loaded.policy.lstm_actor) is torch.nn.LSTM
    x, state, starts = np.zeros((1, 2), np.float32), None, np.ones(1)
    answers = [one.predict(x, state, starts, deterministic=True)[1][0] for one in (model, loaded)]
    np.testing.assert_allclose(*answers, atol=1e-6)
    assert [row.reason for row in fastrnn.torch.accelerate(model.policy)] == ["it is fastrnn's"] * 3
    assert all(row.swapped for row in fastrnn.torch.restore(model.policy))
    assert model.policy._process_sequence is original
    assert fastrnn.torch.restore(model.policy)[-1].reason == "it is not fastrnn's"


def test_policies_that_are_left(make, torch):
    """With LSTMs that stay PyTorch's, or a `_process_sequence` of their own; its LSTMs are swapped all the same."""
    import fastrnn.torch

    own = make()
    own.policy._process_sequence = lambda *args: None
    *lstms, row = fastrnn.torch.accelerate(own.policy)
    assert all(each.swapped for each in lstms) and row.reason == "a _process_sequence of its own"
    plain = make()
    plain.policy.half()
    assert fastrnn.torch.accelerate(plain.policy)[-1].reason == "its LSTMs are PyTorch's"


def test_a_policy_whose_lstm_was_restored_alone_still_runs(make, torch):
    import fastrnn.torch

    expected, _ = returns(make(), 64)
    model = make()
    fastrnn.torch.accelerate(model.policy)
    fastrnn.torch.restore(model.policy.lstm_actor)
    assert returns(model, 64)[0] == expected

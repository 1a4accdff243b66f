# SPDX-License-Identifier: BSD-3-Clause
"""The recurrent policies of sb3-contrib, whose LSTMs then take the starts of episodes in one call."""

import sys
from typing import Any

from torch import Tensor, nn

from ._modules import PARENTS

ORIGINAL = "_process_sequence"


def policy_class() -> Any:
    """sb3-contrib's class of recurrent policies; None if nothing has loaded it: then there are none."""
    module = sys.modules.get("sb3_contrib.common.recurrent.policies")
    return getattr(module, "RecurrentActorCriticPolicy", None)


def is_policy(module: nn.Module) -> bool:
    """Whether a module is such a policy."""
    kind = policy_class()
    return kind is not None and isinstance(module, kind)


def process_sequence(
    features: Tensor, lstm_states: tuple[Tensor, Tensor], episode_starts: Tensor, lstm: Any
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """As `RecurrentActorCriticPolicy._process_sequence`, with one call of the LSTM for all steps.

    Parameters
    ----------
    features : Tensor
        x (N*T, I), sequence after sequence.
    lstm_states : tuple of Tensor
        h and c, (L, N, H) each.
    episode_starts : Tensor
        (N*T,), not 0 at the first steps of episodes.
    lstm : nn.LSTM

    Returns
    -------
    y : Tensor
        (N*T, H)
    state : tuple of Tensor
    """
    if type(lstm) not in PARENTS:
        return getattr(policy_class(), ORIGINAL)(features, lstm_states, episode_starts, lstm)
    N = lstm_states[0].shape[1]
    x = features.reshape(N, -1, lstm.input_size).transpose(0, 1)
    starts = episode_starts.reshape(N, -1).transpose(0, 1) != 0
    y, state = lstm(x, lstm_states, resets=starts)
    return y.transpose(0, 1).flatten(0, 1), state


def refusal_of(policy: Any) -> str:
    """Why a policy cannot be given `process_sequence`; "" if it can."""
    if getattr(type(policy), ORIGINAL) is not getattr(policy_class(), ORIGINAL):
        return f"a {ORIGINAL} of its own"
    if ORIGINAL in vars(policy):
        return "it is fastrnn's" if vars(policy)[ORIGINAL] is process_sequence else f"a {ORIGINAL} of its own"
    lstms = [policy.lstm_actor, policy.lstm_critic]
    if all(type(lstm) not in PARENTS for lstm in lstms):
        return "its LSTMs are PyTorch's"
    if any(getattr(lstm, "bidirectional", False) or getattr(lstm, "batch_first", False) for lstm in lstms):
        return "an LSTM with options that the policy does not expect"
    return ""


def accelerated(policy: Any) -> str:
    """Give a policy `process_sequence`, or say why not."""
    refusal = refusal_of(policy)
    if not refusal:
        setattr(policy, ORIGINAL, process_sequence)
    return refusal


def restored(policy: Any) -> str:
    """Take it from a policy, or say why not."""
    if vars(policy).get(ORIGINAL) is not process_sequence:
        return "it is not fastrnn's"
    delattr(policy, ORIGINAL)
    return ""

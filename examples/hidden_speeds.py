# SPDX-License-Identifier: BSD-3-Clause
"""Reinforcement learning with a memory: balance a pole without seeing how fast anything moves.

Of the cart and its pole (CartPole of gymnasium) the policy sees where they are. Their speeds, without which nothing can
be balanced, are what an LSTM has to remember from earlier steps. It is trained by RecurrentPPO of sb3-contrib, which
computes with PyTorch. In an update the LSTM reads sequences in which episodes begin, and sets its state to zero there:
sb3-contrib calls it for each step then. `fastrnn.torch.accelerate(model.policy)` makes that one call, with `resets`.

The beginning of the training runs twice, without and with that line: the same episodes, in less time.

    python examples/hidden_speeds.py
    python examples/hidden_speeds.py --units 256 --steps 20480
"""

import argparse
import importlib.util
import sys
import time

import numpy as np

import fastrnn as fr

PACKAGES = {"torch": "torch", "sb3_contrib": "sb3-contrib"}
ENVIRONMENTS, STEPS = 8, 128  # that act at once, and how many steps they do between updates
COMPARED = 4 * ENVIRONMENTS * STEPS  # steps of the training that runs twice
BALANCED, LAST = 100, 50  # steps that a pole should stay up on average in the last episodes; how many of these


def check_packages():
    missing = [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        sys.exit(f'The example needs {", ".join(missing)}: pip install "fastrnn[sb3]"')


def environment():
    """The positions of the cart and of its pole."""
    import gymnasium

    class Positions(gymnasium.ObservationWrapper):
        def __init__(self):
            super().__init__(gymnasium.make("CartPole-v1"))
            all_four = self.env.observation_space
            self.observation_space = gymnasium.spaces.Box(all_four.low[::2], all_four.high[::2], dtype=np.float32)

        def observation(self, observation):
            return observation[::2]

    return Positions()


def make(units, seed):
    """PPO with an LSTM, which its critic reads, too."""
    from sb3_contrib import RecurrentPPO
    from stable_baselines3.common.env_util import make_vec_env

    return RecurrentPPO(
        "MlpLstmPolicy",
        make_vec_env(environment, ENVIRONMENTS, seed=seed),
        n_steps=STEPS,
        batch_size=2 * STEPS,
        learning_rate=1e-3,
        gae_lambda=0.98,
        policy_kwargs={
            "lstm_hidden_size": units, "net_arch": [64], "shared_lstm": True, "enable_critic_lstm": False,
        },
        seed=seed,
        device="cpu",
    )  # fmt: skip


def train(model, steps):
    """The returns of all episodes, which are the steps that the pole stayed up, and the seconds of the processor."""
    returns = []

    def note(values, _):
        returns.extend(info["episode"]["r"] for info in values["infos"] if "episode" in info)
        return True

    start = time.process_time()
    model.learn(steps, callback=note)
    return returns, time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--units", type=int, default=64, help="of the LSTM; default: %(default)s")
    parser.add_argument("--steps", type=int, default=40960, help="of the training, in all; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    arguments = parser.parse_args()
    check_packages()

    import torch

    import fastrnn.torch

    torch.set_num_threads(1)  # small networks gain nothing from more
    with fr.threads(1):
        plain, seconds = train(make(arguments.units, arguments.seed), COMPARED)
        model = make(arguments.units, arguments.seed)
        print(fastrnn.torch.accelerate(model.policy))
        same, less = train(model, COMPARED)
        print(f"\n{COMPARED} steps, {len(plain)} episodes: {seconds:.1f} s with PyTorch, {less:.1f} s accelerated;")
        print("the returns are the same" if same == plain else "the returns differ", end="\n\n")

        model = make(arguments.units, arguments.seed)
        fastrnn.torch.accelerate(model.policy)
        returns, seconds = train(model, arguments.steps)
    for part in np.array_split(returns, 8):
        print(f"{len(part):4} episodes, the pole stays up for {np.mean(part):5.1f} steps")
    last = float(np.mean(returns[-LAST:]))
    if same != plain or not last > BALANCED:
        sys.exit("This run has not learned to balance the pole. Try more --steps.")
    print(f"\nWithout speeds in sight the pole stays up for {last:.0f} steps in the last {LAST} episodes.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")

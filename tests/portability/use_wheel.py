# SPDX-License-Identifier: BSD-3-Clause
"""Uses the installed wheel as a program does, with PyTorch in the same process if that is named.

    python -P use_wheel.py [torch]

The last line that it prints is JSON: what was tried, and which OpenMP runtimes are loaded.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

TIMES = 3


def train(fr):
    """Ten steps of training; the loss must fall. Returns the bytes of the weights."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 16, 8)).astype(np.float32)
    target = np.cumsum(x, axis=0)[..., :1] / 4
    model = fr.Sequential(lstm=fr.LSTM(8, 96, seed=0), out=fr.Linear(96, 1, seed=1))
    optimizer, losses = fr.Adam(model, lr=0.01), []
    for _ in range(10):
        y, _, tape = model.forward(x)
        loss, dy = fr.mse_loss(y, target)
        model.zero_grad()
        model.backward(tape, dy)
        optimizer.step()
        losses.append(loss)
    assert losses[-1] < losses[0], losses
    return b"".join(array.tobytes() for array in model.params.values())


def in_child(action):
    """Whether action() is true in a child of fork."""
    pid = os.fork()
    if pid == 0:
        passed = False
        try:
            passed = action()
        finally:
            os._exit(0 if passed else 1)
    return os.waitpid(pid, 0)[1] == 0


def compute_in_torch():
    import torch

    torch.set_num_threads(2)
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(8, 96)
    y, _ = lstm(torch.ones(30, 16, 8))
    y.sum().backward()
    return lstm.weight_hh_l0.grad.numpy().tobytes()


def main():
    beside = compute_in_torch if len(sys.argv) > 1 else bytes
    theirs = beside()
    import fastrnn as fr

    assert "site-packages" in fr.__file__, fr.__file__
    assert importlib.util.find_spec("torch") is not None or not theirs
    with fr.threads(2):
        weights = train(fr)
        for _ in range(TIMES):
            assert beside() == theirs
            assert train(fr) == weights
            assert in_child(lambda: train(fr) == weights)
    runtimes = [Path(pool["filepath"]) for pool in threadpool_info() if pool["user_api"] == "openmp"]
    ours = [path for path in runtimes if path.parent.name == "fastrnn.libs"]
    assert len(ours) == 1 and len(runtimes) == 1 + bool(theirs), runtimes
    with threadpool_limits(1, user_api="openmp"):
        assert fr.get_num_threads() == 1
        assert train(fr) == weights
    said = {"count": f"{2 + 2 * TIMES} trainings", "remark": f"OpenMP: {', '.join(path.name for path in runtimes)}"}
    print(json.dumps(said))


if __name__ == "__main__":
    main()

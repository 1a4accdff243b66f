# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch modules of published sizes, before and after `fastrnn.torch.accelerate`: ``--torch``."""

import copy
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

import fastrnn as fr

from . import peers
from .tables import format_duration, format_ratio, make_table

Row = dict[str, Any]  # an element of "accelerated" in RESULTS.json

SECONDS = 3.0  # for inference and for training of each model
COLUMNS = ("PyTorch", "fastrnn", "ratio")


class Model(NamedTuple):
    """A module and a batch for it; the sizes are those of a model that was published."""

    what: str
    kind: str
    I: int
    H: int
    layers: int
    directions: int
    T: int
    N: int
    packed: bool = False  # rows of 1..T steps

    @property
    def name(self) -> str:
        """What it is, and its sizes."""
        both = ", bidirectional" if self.directions == 2 else ""
        rows = f"T<={self.T}" if self.packed else f"T={self.T}"
        return f"{self.what}: {self.kind}({self.I}, {self.H}, {self.layers}{both}), {rows}, N={self.N}"


MODELS = (
    Model("policy, one step", "GRU", 64, 64, 1, 1, 1, 1),
    Model("beat tracking", "LSTM", 150, 150, 2, 1, 500, 1),
    Model("speaker encoder, one row", "LSTM", 40, 256, 3, 1, 160, 1),
    Model("speaker encoder", "LSTM", 40, 256, 3, 1, 160, 16),
    Model("words", "LSTM", 200, 200, 2, 1, 35, 20),
    Model("recommendations", "GRU", 100, 100, 1, 1, 20, 50),
    Model("speech", "GRU", 256, 256, 2, 2, 200, 8),
    Model("texts, packed", "LSTM", 100, 256, 2, 2, 200, 64, True),
)


def make(model: Model) -> tuple[Any, Any]:
    """The module as PyTorch makes it, and its input."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence

    rng = np.random.default_rng(0)
    kind = getattr(torch.nn, model.kind)
    module = kind(model.I, model.H, model.layers, bidirectional=model.directions == 2)
    x: Any = torch.from_numpy(rng.standard_normal((model.T, model.N, model.I), np.float32))
    if model.packed:
        lengths = torch.from_numpy(rng.integers(1, model.T, size=model.N, endpoint=True))
        x = pack_padded_sequence(x, lengths, enforce_sorted=False)
    return module, x


def infer(module: Any, x: Any) -> None:
    """A call without gradients."""
    import torch

    with torch.no_grad():
        module(x)


def train(module: Any, x: Any) -> None:
    """A call and the gradients of all weights, which are dropped."""
    import torch

    y = module(x)[0]
    y = y if isinstance(y, torch.Tensor) else y.data
    y.backward(torch.ones_like(y))
    module.zero_grad()


def shortest(runs: list[Callable[[], None]], seconds: float) -> list[float]:
    """The shortest time of each, in seconds; they take turns, so that all meet the same disturbances."""
    best, end = [float("inf")] * len(runs), time.perf_counter() + seconds
    while time.perf_counter() < end or float("inf") in best:
        for k, run in enumerate(runs):
            start = time.perf_counter()
            run()
            best[k] = min(best[k], time.perf_counter() - start)
    return best


def measure(model: Model, seconds: float) -> list[float]:
    """Seconds of PyTorch and of fastrnn, of inference and of training, on one thread."""
    import torch

    from fastrnn.torch import accelerate

    before = torch.get_num_threads()
    module, x = make(model)
    fast = copy.deepcopy(module)
    (row,) = accelerate(fast)
    assert row.swapped, row.reason
    torch.set_num_threads(1)
    try:
        with fr.threads(1):
            times = [
                shortest([lambda: run(module, x), lambda: run(fast, x)], seconds)  # noqa: B023
                for run in (infer, train)
            ]
    finally:
        torch.set_num_threads(before)
    return [*times[0], *times[1]]


def measure_all(models: Iterable[Model] = MODELS, seconds: float = SECONDS) -> list[Row]:
    """The name of each model and its times, in seconds, as `measure` returns them."""
    import fastrnn.torch  # noqa: F401 - whose error names the extra

    return [{"name": model.name, "seconds": measure(model, seconds)} for model in models]


def measure_apart(limit: float = 600) -> list[Row]:
    """`measure_all` in a process of its own; [] if PyTorch is not installed, an ``error`` if the process fails."""
    if peers.missing_packages("torch"):
        return []
    command = [sys.executable, "-m", __spec__.name]
    env = peers.environment("torch", 1)
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=env)
    except subprocess.TimeoutExpired:
        return [{"name": "all", "error": f"no answer within {limit:g} s"}]
    if process.returncode == 0:
        return json.loads(process.stdout)
    lines = process.stderr.strip().splitlines()
    return [{"name": "all", "error": lines[-1] if lines else f"the process ended with code {process.returncode}"}]


def table(rows: Iterable[Row]) -> list[str]:
    """The measured times as the lines of a table."""
    lines = []
    for row in rows:
        line = [row["name"]]
        if "error" in row:
            lines.append([*line, row["error"], *["–"] * 5])
            continue
        for theirs, ours in (row["seconds"][:2], row["seconds"][2:]):
            line += [format_duration(theirs), format_duration(ours), format_ratio(theirs / ours)]
        lines.append(line)
    head = ["module and batch", *(f"{who}, {mode}" for mode in ("inference", "training") for who in COLUMNS)]
    return make_table(head, lines)


if __name__ == "__main__":
    print(json.dumps(measure_all()))

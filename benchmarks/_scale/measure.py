# SPDX-License-Identifier: BSD-3-Clause
"""What the model of a step needs of one process: the times of its parts, for a language model of LSTM units."""

import pickle
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import fastrnn as fr
from fastrnn.losses import Mean
from fastrnn.training._shards.gradients import Flat
from fastrnn.training._shards.sharded import Place, Share
from fastrnn.training._shards.team import Report

from .model import Costs

T, V, I = 50, 100, 64
ROWS = (1, 2, 4, 8, 16, 32, 64)  # of a shard
STEPS, EPOCHS, REPEATS = 16, 4, 3


def make(H: int) -> fr.Sequential:
    return fr.Sequential(fr.Embedding(V, I, seed=0), fr.LSTM(I, H, seed=1), fr.Linear(H, V, seed=2))


def step_seconds(
    communicator: fr.distributed.Communicator | None, H: int, batch: int, shards: int
) -> tuple[float, float]:
    """The least seconds from one step to the next of `fastrnn.fit`, and of processor time; 0 shards: whole batches."""
    x, times = np.random.default_rng(0).integers(0, V, (T, STEPS // EPOCHS * batch)), []

    class Clock:
        def on_step(self, model: Any, step: int, loss: float, norm: float) -> None:
            times.append((time.perf_counter(), time.thread_time()))

    fr.fit(
        make(H), fr.cross_entropy, x, x, epochs=EPOCHS, batch_size=batch, seed=0, progress=False, callbacks=[Clock()],
        shards=shards or None, communicator=communicator,
    )  # fmt: skip
    wall, used = np.diff(times, axis=0).min(axis=0)
    return float(wall), float(used)


def used(H: int, batch: int, shards: int) -> float:
    """Processor time of a step of one process: the least of some trainings."""
    return min(step_seconds(None, H, batch, shards)[1] for _ in range(REPEATS))


def costs(H: int, exchange: float) -> Costs:
    """The parts of a step of one process with one thread, in processor time.

    A shard is a third of what a step of four takes longer than one of a single one of as many rows.
    """
    flat, other = Flat(make(H).grads), Flat(make(H).grads)
    add = least(lambda: flat.add(other))
    one = {rows: used(H, rows, 1) for rows in ROWS}
    shard = {rows: (used(H, 4 * rows, 4) - one[rows]) / 3 - add for rows in ROWS}
    rest = max(float(np.median([one[rows] - shard[rows] for rows in ROWS])), 0.0)
    return Costs(shard, add, rest, exchange, share(), sum(part.nbytes for part in flat.parts))


def share() -> float:
    """Pickling and unpickling what one shard reports."""
    place = Place(3, 50, True, None)
    shares = [Share(Mean(1.0, 64.0), {}, {}, 64, 50, place) for _ in range(64)]
    report = {0: Report(("step", 12, "with row", 1, "of checksum", 1 << 31), shares, None, False)}
    return least(lambda: pickle.loads(pickle.dumps(report, pickle.HIGHEST_PROTOCOL))) / len(shares)


def least(function: Callable[[], Any]) -> float:
    """Processor time of the shortest of some calls."""
    times = []
    for _ in range(100):
        start = time.thread_time()
        function()
        times.append(time.thread_time() - start)
    return min(times)

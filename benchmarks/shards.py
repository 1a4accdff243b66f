# SPDX-License-Identifier: BSD-3-Clause
"""What shards and processes cost: processor time of one process for one step of a training.

    python -m fastrnn.benchmarks.shards

Processor time does not count waiting, so that it shows what each process has to do also on a machine with fewer free
cores than processes. The exchange itself is in it: sending, receiving and adding.
"""

import time
from typing import Any

import numpy as np

import fastrnn as fr

T, N, V, I = 50, 64, 100, 64
REPEATS = 3  # the best of so many trainings of 12 steps


def step_time(communicator: fr.distributed.Communicator | None, H: int, shards: int | None) -> float:
    """The least milliseconds from one step to the next of an LSTM language model."""
    x = np.random.default_rng(0).integers(0, V, (T, 4 * N))
    model = fr.Sequential(fr.Embedding(V, I, seed=0), fr.LSTM(I, H, seed=1), fr.Linear(H, V, seed=2))
    times: list[float] = []

    class Clock:
        def on_step(self, model: Any, step: int, loss: float, norm: float) -> None:
            times.append(time.thread_time())

    fr.fit(
        model, fr.cross_entropy, x, x, epochs=3, batch_size=N, seed=0, progress=False, callbacks=[Clock()],
        shards=shards, communicator=communicator,
    )  # fmt: skip
    return 1e3 * float(min(np.diff(times)))


def row(H: int) -> dict[tuple[int, int], float]:
    """The times for one size, by the number of processes and of shards; 0 shards are whole batches."""
    best: dict[tuple[int, int], float] = {}
    for _ in range(REPEATS):
        for processes, shards in (1, 0), (1, 2), (1, 8), (2, 2), (2, 8), (4, 4):
            if processes == 1:
                with fr.threads(1):
                    ms = step_time(None, H, shards or None)
            else:
                ms = fr.distributed.run(step_time, H, shards, processes=processes, threads=1)[0]
            best[processes, shards] = min(ms, best.get((processes, shards), np.inf))
    return best


def main() -> None:
    print(f"T {T}, N {N}, I {I}, V {V}; float32; ms of processor time of one process for a step, one thread each")
    for H in 128, 256, 512:
        cells = (f"{p} x {s or '-'}: {ms:.1f}" for (p, s), ms in row(H).items())
        print(f"H {H:<4} processes x shards  " + "   ".join(cells), flush=True)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-3-Clause
"""What shards and processes cost: processor time of one process for one step of a training.

    python -m fastrnn.benchmarks.shards

Processor time does not count waiting, so that it shows what each process has to do also on a machine with fewer free
cores than processes. The exchange itself is in it: sending, receiving and adding.

    python -m fastrnn.benchmarks.shards --data

measures what a process needs for its part of a batch: a step with a model that computes nothing, of an array and of an
iterable of batches, of which every process has whole ones. And what it needs once, before the first step: the seconds
that the checksum of a gigabyte of data in memory takes.
"""

import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr
from fastrnn.training._shards.whole_data import checksums_of

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


class Nothing:
    """A model that reads no number of its input."""

    def __init__(self) -> None:
        self.params: dict[str, NDArray[np.float32]] = {"p": np.zeros(1, np.float32)}
        self.grads: dict[str, NDArray[np.float32]] = {"p": np.zeros(1, np.float32)}

    def zero_grad(self) -> None:
        """There are no gradients."""

    def forward(self, x: Any) -> tuple[Any, None]:
        return np.zeros((x.shape[1], 1), np.float32), None

    def __call__(self, x: Any) -> Any:
        return self.forward(x)[0]

    def backward(self, tape: None, dy: Any) -> None:
        """There are no gradients."""


def data_time(communicator: fr.distributed.Communicator | None, shards: int | None, arrays: bool) -> float:
    """The least milliseconds of a step with `Nothing`, of batches (T, N, F) drawn from an array of 4 N rows."""
    T, F = 200, 128
    x = np.random.default_rng(0).standard_normal((T, 4 * N, F)).astype(np.float32)
    y, times = np.zeros((4 * N, 1), np.float32), []
    batches = fr.Batches(x, y, batch_size=N, per_step=False, seed=0)

    class Clock:
        def on_step(self, model: Any, step: int, loss: float, norm: float) -> None:
            times.append(time.thread_time())

    fr.fit(
        Nothing(), fr.mse_loss, batches if arrays else lambda: iter(batches), epochs=12, progress=False,
        callbacks=[Clock()], shards=shards, communicator=communicator,
    )  # fmt: skip
    return 1e3 * float(min(np.diff(times)))


def data_rows() -> None:
    """The times of an array and of an iterable, by the number of processes."""
    print("batches (200, 64, 128) float32, S = 4; ms of processor time of one process for a step that computes nothing")
    for arrays in True, False:
        with fr.threads(1):
            best = {0: np.inf, 1: np.inf, 2: np.inf, 4: np.inf}  # 0: without shards
            for _ in range(REPEATS):
                best[0] = min(best[0], data_time(None, None, arrays))
                best[1] = min(best[1], data_time(None, 4, arrays))
                for processes in 2, 4:
                    ms = fr.distributed.run(data_time, 4, arrays, processes=processes, threads=1)
                    best[processes] = min(best[processes], *ms)
        cells = (f"{p or 'no shards'}: {ms:.2f}" for p, ms in best.items())
        print(f"{'array' if arrays else 'iterable':<10} processes  " + "   ".join(cells), flush=True)


def checksum_rows() -> None:
    """The seconds for a gigabyte of data in memory, by how it lies there."""
    values = np.random.default_rng(0).standard_normal(1 << 26, np.float32)  # 256 MiB
    by_row, by_step = values.reshape(-1, 256, 64), values.reshape(256, -1, 64)
    lengths = np.random.default_rng(1).integers(1, 257, len(by_row))
    transposed = np.asfortranarray(by_row)
    cases: dict[str, tuple[Any, dict[str, Any]]] = {
        "array, rows first": (by_row, {"batch_first": True}),
        "array, time first": (by_step, {}),
        "padded, with lengths": (by_step, {"lengths": lengths}),
        "column-major array": (transposed, {"batch_first": True}),
        "sequences of 64 KiB": (list(by_row), {}),
        "sequences of 1 KiB": (list(values.reshape(-1, 4, 64)), {}),
    }
    print("checksums of data in memory, before the first step: seconds for a gigabyte")
    for name, (x, options) in cases.items():
        source = fr.Batches(x, np.zeros(by_step.shape[1] if x is by_step else len(x)), per_step=False, **options)
        seconds = []
        for _ in range(REPEATS):
            start = time.thread_time()
            checksums_of("", source)
            seconds.append(time.thread_time() - start)
        print(f"{name:<24}{1e9 * min(seconds) / values.nbytes:.2f}", flush=True)


def main() -> None:
    if sys.argv[1:] == ["--data"]:
        data_rows()
        checksum_rows()
        return
    print(f"T {T}, N {N}, I {I}, V {V}; float32; ms of processor time of one process for a step, one thread each")
    for H in 128, 256, 512:
        cells = (f"{p} x {s or '-'}: {ms:.1f}" for (p, s), ms in row(H).items())
        print(f"H {H:<4} processes x shards  " + "   ".join(cells), flush=True)


if __name__ == "__main__":
    main()

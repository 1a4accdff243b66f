# SPDX-License-Identifier: BSD-3-Clause
"""The table of cases that a run measures."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .cases import Case

Shape = tuple[int, int, int, int]  # (T, N, I, H)

CELLS = ("rnn_tanh", "lstm", "gru", "gru_reset_before")
CLASSES: dict[str, list[Shape]] = {
    "tiny": [(100, 1, 64, 64), (1, 1, 64, 64), (200, 4, 16, 32)],
    "small": [(1000, 1, 256, 256), (150, 4, 256, 256), (25, 2, 512, 512)],
    "resident": [(100, 32, 128, 128), (50, 64, 256, 256), (784, 64, 1, 128)],
    "large": [(25, 16, 512, 512), (50, 64, 1024, 1024)],
}
QUICK: dict[str, list[Shape]] = {  # a subset, so that a quick run can be compared with a full one
    "tiny": [(100, 1, 64, 64), (1, 1, 64, 64)],
    "small": [(150, 4, 256, 256)],
    "resident": [(100, 32, 128, 128), (50, 64, 256, 256)],
    "large": [(25, 16, 512, 512)],
}
FLOAT64: list[Shape] = [(100, 32, 128, 128), (100, 1, 64, 64)]
RAGGED: list[Shape] = [(100, 32, 128, 128), (150, 64, 256, 256)]
BIDIRECTIONAL: list[Shape] = [(100, 32, 128, 128), (50, 8, 64, 64)]
STACK: Shape = (100, 16, 128, 128)
DEEPBENCH_TRAINING = [  # (cell, H, N, T)
    *[("lstm", H, N, T) for H, N, T in [(512, 16, 25), (512, 64, 25), (1024, 16, 25), (256, 16, 150), (256, 64, 150)]],
    ("gru", 1024, 32, 50),  # 50 of its 1500 steps
]
DEEPBENCH_INFERENCE = [
    *[("lstm", 512, N, 25) for N in (1, 2, 4)],
    *[("lstm", 1024, N, 25) for N in (1, 4)],
    *[("lstm", 256, N, 150) for N in (1, 4)],
    *[("gru", 512, N, 1) for N in (1, 4)],
    *[("gru", 1024, N, 100) for N in (1, 4)],  # 100 of its 1500 steps
]
SPEECH: list[Shape] = [(1, 64, 320, 320), (64, 16, 240, 1024), (50, 64, 256, 256), (50, 64, 512, 512)]
STREAMING = [8, 16, 32, 64, 128, 256, 512]  # H
STREAMS = [1, 8, 64, 512]  # N
STREAM_SIZE = 128  # H = I
SCALING: dict[str, list[Shape]] = {
    "scaling-T": [(T, 1, 64, 64) for T in (1, 3, 10, 30, 100, 300, 1000)],
    "scaling-N": [(50, N, 256, 256) for N in (1, 2, 4, 8, 16, 32, 64, 128, 256)],
    "scaling-H": [(50, 16, H, H) for H in (8, 16, 32, 64, 128, 256, 512, 1024)],
}
THREAD_SCALING: Shape = (50, 64, 256, 256)

# Groups that only some peers take part in. A dense batch with as many rows and steps as a ragged one shows only what
# raggedness costs fastrnn. Stream by stream, peers
# without a pool of their own differ by what a call costs, which the streaming cases show.
ONLY_PEERS = {
    "ragged-dense": {"fastrnn", "numpy"},
    "streams-each": {"fastrnn", "onnxruntime"},
    **{f"scaling-{size}": {"fastrnn", "torch"} for size in ("T", "N", "H", "threads")},
}


def make_cases(group: str, cells: Sequence[str], shapes: Sequence[Shape], **options: Any) -> list[Case]:
    """Inference and training, for each shape and cell."""
    return [
        Case(group, cell, T, N, I, H, training=training, **options)
        for T, N, I, H in shapes
        for cell in cells
        for training in (False, True)
    ]


def dense_of(case: Case) -> Case:
    """A dense case with as many rows as a ragged one and, up to rounding, as many row steps in total."""
    return replace(case, group="ragged-dense", T=max(1, round(int(case.running.sum()) / case.N)), ragged=False)


def make_ragged(shapes: Sequence[Shape], threads: int) -> list[Case]:
    """Each ragged case, followed by its dense counterpart."""
    cases = make_cases("ragged", ("lstm", "gru"), shapes, ragged=True, threads=threads)
    return [pair for case in cases for pair in (case, dense_of(case))]


def make_streams(sizes: Sequence[int], threads: int) -> list[Case]:
    """Streams of an LSTM and a GRU for each hidden size."""
    return [Case("streaming", cell, 1, 1, H, H, threads=threads) for H in sizes for cell in ("lstm", "gru")]


def make_concurrent(counts: Sequence[int], threads: int) -> list[Case]:
    """Concurrent streams of an LSTM and a GRU for each number of them: in one call, and in one call each."""
    groups = "streams-pooled", "streams-each"
    return [
        Case(group, cell, 1, N, STREAM_SIZE, STREAM_SIZE, threads=threads)
        for group in groups
        for cell in ("lstm", "gru")
        for N in counts
    ]


def make_quick_table(threads: int) -> list[Case]:
    """A few shapes of each class, LSTM and GRU."""
    cases = [
        case for group, shapes in QUICK.items() for case in make_cases(group, ("lstm", "gru"), shapes, threads=threads)
    ]
    return cases + make_ragged(RAGGED[:1], threads) + make_streams([64], threads)


def make_table(threads: Sequence[int]) -> list[Case]:
    """Every case.

    Parameters
    ----------
    threads : sequence of int
        Numbers of threads. The classes are measured with each of them, special shapes only with the largest.

    Returns
    -------
    list of Case
        No two have the same name.
    """
    both, most = ("lstm", "gru"), max(threads)
    cases = []
    for n in sorted(set(threads)):
        for group, shapes in CLASSES.items():
            cases += make_cases(group, CELLS, shapes, threads=n)
        cases += make_cases("float64", both, FLOAT64, dtype="float64", threads=n)
        cases += make_ragged(RAGGED, n)
        cases += make_cases("stacks", both, BIDIRECTIONAL, D=2, threads=n)
        for L in (2, 4):
            cases += make_cases("stacks", ("lstm",), [STACK], L=L, threads=n)
        cases += make_streams(STREAMING, n)
        cases += make_concurrent(STREAMS, n)
    for training, rows in ((True, DEEPBENCH_TRAINING), (False, DEEPBENCH_INFERENCE)):
        cases += [Case("deepbench", cell, T, N, H, H, training=training, threads=most) for cell, H, N, T in rows]
    cases += make_cases("speech", ("lstm",), SPEECH, threads=most)
    for group, shapes in SCALING.items():
        cases += make_cases(group, ("lstm",), shapes, threads=most)
    for n in range(1, most + 1):
        cases += make_cases("scaling-threads", ("lstm",), [THREAD_SCALING], threads=n)
    return cases

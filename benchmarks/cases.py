# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: the table of cases, and the numbers that a case is run on.

Sizes as everywhere: T time steps, N batch, I input, H hidden, L layers, D directions, G gates.
"""

from dataclasses import dataclass, replace

import numpy as np

GATES = {"rnn_tanh": 1, "lstm": 4, "gru": 3, "gru_reset_before": 3}
CELLS = ("rnn_tanh", "lstm", "gru", "gru_reset_before")


@dataclass(frozen=True)
class Case:
    """One thing to measure: a recurrent layer, its sizes, and inference or a full training step.

    Examples
    --------
    >>> case = Case("tiny", "lstm", T=100, N=1, I=64, H=64, training=True, threads=2)
    >>> case.name
    'tiny/lstm-T100-N1-I64-H64-train-2t'
    >>> case.flop
    19660800
    """

    group: str
    cell: str
    T: int
    N: int
    I: int
    H: int
    L: int = 1
    D: int = 1
    training: bool = False
    dtype: str = "float32"
    threads: int = 1
    ragged: bool = False

    @property
    def name(self):
        """Unique, and the same in every run: what `--only` looks in and `--check` compares by."""
        return f"{self.group}/{self.cell}-{self.shape}-{'train' if self.training else 'infer'}-{self.threads}t"

    @property
    def shape(self):
        """The sizes in words."""
        words = [f"T{self.T}", f"N{self.N}", f"I{self.I}", f"H{self.H}"]
        words += [f"L{self.L}"] if self.L > 1 else []
        words += ["bidirectional"] if self.D > 1 else []
        words += [self.dtype] if self.dtype != "float32" else []
        words += ["ragged"] if self.ragged else []
        return "-".join(words)

    @property
    def streaming(self):
        """Whether a call is one step that carries the state to the next call."""
        return self.group == "streaming"

    @property
    def lengths(self):
        """Length of each row, (N,), uniform in [1, T] and the same in every run; None where all are T."""
        return lengths_of(self.T, self.N) if self.ragged else None

    @property
    def running(self):
        """How many rows run at each step, (T,)."""
        if not self.ragged:
            return np.full(self.T, self.N)
        return (self.lengths > np.arange(self.T)[:, None]).sum(axis=1)

    @property
    def input_sizes(self):
        """The input size of each layer."""
        return [self.I] + [self.D * self.H] * (self.L - 1)

    @property
    def flop(self):
        """Operations of the products: 2 G H (I + H) for each row and step, three times that with training."""
        weights = sum(self.D * GATES[self.cell] * self.H * (I + self.H) for I in self.input_sizes)
        return 2 * int(self.running.sum()) * weights * (3 if self.training else 1)


def lengths_of(T, N):
    """N lengths, uniform in [1, T]."""
    return np.random.default_rng([T, N]).integers(1, T + 1, N)


def data(case):
    """The arrays of a case, the same in every process.

    Returns
    -------
    dict
        ``x`` (T, N, I), ``dy`` (T, N, D*H), 0 beyond a row's length, ``lengths`` (N,) or None, and ``params``: the
        parameters by PyTorch's names, uniform in +-1/sqrt(H) as PyTorch and fastrnn have them at first.
    """
    rng, bound = np.random.default_rng(0), case.H**-0.5
    params = {}
    for layer, I in enumerate(case.input_sizes):
        for suffix in ("", "_reverse")[: case.D]:
            rows = GATES[case.cell] * case.H
            for name, shape in (
                ("weight_ih", (rows, I)),
                ("weight_hh", (rows, case.H)),
                ("bias_ih", (rows,)),
                ("bias_hh", (rows,)),
            ):
                params[f"{name}_l{layer}{suffix}"] = rng.uniform(-bound, bound, shape).astype(case.dtype)
    x = rng.standard_normal((case.T, case.N, case.I)).astype(case.dtype)
    dy = rng.standard_normal((case.T, case.N, case.D * case.H)).astype(case.dtype)
    if case.ragged:
        dy[np.arange(case.T)[:, None] >= case.lengths] = 0
    return {"x": x, "dy": dy, "lengths": case.lengths, "params": params}


# -- the table -------------------------------------------------------------------------------------------------------

CLASSES = {  # (T, N, I, H)
    "tiny": [(100, 1, 64, 64), (1, 1, 64, 64), (200, 4, 16, 32)],
    "small": [(1000, 1, 256, 256), (150, 4, 256, 256), (25, 2, 512, 512)],
    "resident": [(100, 32, 128, 128), (50, 64, 256, 256), (784, 64, 1, 128)],
    "large": [(25, 16, 512, 512), (50, 64, 1024, 1024)],
}
QUICK = {  # of the above, so that a quick run can be compared with a full one
    "tiny": [(100, 1, 64, 64), (1, 1, 64, 64)],
    "small": [(150, 4, 256, 256)],
    "resident": [(100, 32, 128, 128), (50, 64, 256, 256)],
    "large": [(25, 16, 512, 512)],
}
RAGGED = [(100, 32, 128, 128), (150, 64, 256, 256)]
DEEPBENCH_TRAINING = [
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
SPEECH = [(1, 64, 320, 320), (64, 16, 240, 1024), (50, 64, 256, 256), (50, 64, 512, 512)]
STREAMING = [8, 16, 32, 64, 128, 256, 512]
SCALING = {
    "scaling-T": [(T, 1, 64, 64) for T in (1, 3, 10, 30, 100, 300, 1000)],
    "scaling-N": [(50, N, 256, 256) for N in (1, 2, 4, 8, 16, 32, 64, 128, 256)],
    "scaling-H": [(50, 16, H, H) for H in (8, 16, 32, 64, 128, 256, 512, 1024)],
}

# Groups that not every peer is asked for. A dense batch with as many rows and steps as a ragged one is there to show
# what raggedness costs fastrnn.
ONLY_PEERS = {
    "ragged-dense": {"fastrnn", "numpy"},
    **{f"scaling-{what}": {"fastrnn", "torch"} for what in ("T", "N", "H", "threads")},
}


def both(**sizes):
    """Inference and training."""
    return [Case(**sizes, training=training) for training in (False, True)]


def dense_of(case):
    """A dense case with, but for rounding, the sum of a ragged one's lengths: as many rows, fewer steps."""
    return replace(case, group="ragged-dense", T=max(1, round(int(case.lengths.sum()) / case.N)), ragged=False)


def named(group, cells, shapes, **options):
    return [
        case
        for T, N, I, H in shapes
        for cell in cells
        for case in both(group=group, cell=cell, T=T, N=N, I=I, H=H, **options)
    ]


def ragged(shapes, threads):
    cases = named("ragged", ("lstm", "gru"), shapes, ragged=True, threads=threads)
    return [other for case in cases for other in (case, dense_of(case))]


def table(threads, quick=False):
    """The cases, for each of the thread counts where that is asked for.

    Parameters
    ----------
    threads : sequence of int
    quick : bool
        A few shapes of each class, LSTM and GRU, with the most threads only.

    Returns
    -------
    list of Case
        All names differ.
    """
    most = max(threads)
    if quick:
        cases = [c for group, shapes in QUICK.items() for c in named(group, ("lstm", "gru"), shapes, threads=most)]
        cases += ragged(RAGGED[:1], most)
        return cases + [Case("streaming", cell, 1, 1, 64, 64, threads=most) for cell in ("lstm", "gru")]
    cases = []
    for n in sorted(set(threads)):
        for group, shapes in CLASSES.items():
            cases += named(group, CELLS, shapes, threads=n)
        cases += named("float64", ("lstm", "gru"), [(100, 32, 128, 128), (100, 1, 64, 64)], dtype="float64", threads=n)
        cases += ragged(RAGGED, n)
        cases += named("stacks", ("lstm", "gru"), [(100, 32, 128, 128), (50, 8, 64, 64)], D=2, threads=n)
        for L in (2, 4):
            cases += named("stacks", ("lstm",), [(100, 16, 128, 128)], L=L, threads=n)
        for H in STREAMING:
            cases += [Case("streaming", cell, 1, 1, H, H, threads=n) for cell in ("lstm", "gru")]
    for training, rows in ((True, DEEPBENCH_TRAINING), (False, DEEPBENCH_INFERENCE)):
        cases += [Case("deepbench", cell, T, N, H, H, training=training, threads=most) for cell, H, N, T in rows]
    cases += named("speech", ("lstm",), SPEECH, threads=most)
    for group, shapes in SCALING.items():
        cases += named(group, ("lstm",), shapes, threads=most)
    for n in range(1, most + 1):
        cases += named("scaling-threads", ("lstm",), [(50, 64, 256, 256)], threads=n)
    return cases

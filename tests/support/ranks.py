# SPDX-License-Identifier: BSD-3-Clause
"""Trainings in shards, each a function of a communicator that processes can import."""

import functools
import hashlib
import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import fastrnn as fr
from fastrnn.distributed._processes import pairs

SHARDS = 4


def rows(count=37, features=2, longest=6, dtype=np.float32):
    """Sequences of 0 to `longest` steps and a target for each of them."""
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((length, features)).astype(dtype) for length in rng.integers(0, longest + 1, count)]
    return x, rng.standard_normal((count, 2))


def tagged(count=37, T=5):
    """Sequences of T steps, and a class for each of their steps."""
    rng = np.random.default_rng(1)
    return rng.standard_normal((T, count, 2)).astype(np.float32), rng.integers(0, 3, (T, count))


def model(*more, dtype=np.float32, seed=0):
    last = fr.LastStep(dtype=dtype)
    return fr.Sequential(fr.GRU(2, 4, seed=seed, dtype=dtype), last, *more, fr.Linear(4, 2, seed=seed + 1, dtype=dtype))


def tagger(dropout=0.0, **options):
    lstm = fr.LSTM(2, 4, 2, dropout=dropout, seed=0, **options)
    return fr.Sequential(lstm, fr.Linear(4, 3, seed=1))


def results_of(history, layer):
    """What has to be the same on any number of processes."""
    digest = hashlib.sha256(b"".join(p.tobytes() for p in layer.params.values())).hexdigest()
    return {"parameters": digest} | {name: column for name, column in history.items() if name != "seconds"}


def train(communicator, layer, loss, *data, **options):
    """Twenty steps or so, of batches of 8 rows with one of 5 at the end of an epoch."""
    options = {"epochs": 4, "batch_size": 8, "seed": 0, "shards": SHARDS, "progress": False} | options
    return results_of(fr.fit(layer, loss, *data, communicator=communicator, **options), layer)


def plain(communicator):
    return train(communicator, tagger(), fr.cross_entropy, *tagged(), metrics=["accuracy"])


def ragged(communicator):
    return train(communicator, model(), fr.mse_loss, *rows(), metrics=["mae", "rmse"])


def dropout(communicator):
    layer = tagger(0.4, zoneout=0.1)
    return train(communicator, layer, fr.cross_entropy, *tagged(), lengths=[k % 6 for k in range(37)])


def clipping(communicator):
    return train(communicator, model(fr.Dropout(0.3, seed=2)), fr.mse_loss, *rows(), clip=0.1, clip_value=0.05)


def penalties(communicator):
    layer = fr.Sequential(fr.RNN(2, 4, omega=0.5, seed=0), fr.Linear(4, 3, seed=1))
    return train(communicator, layer, fr.cross_entropy, *tagged(), penalty={"l1": 1e-3, "l2": 1e-2})


def truncated(communicator):
    """The state carried through windows of two steps; shards that end before others, some without a step."""
    layer = fr.Sequential(fr.LSTM(2, 4, 2, dropout=0.2, seed=0), fr.Linear(4, 3, seed=1))
    lengths = [5 - k // 3 % 6 for k in range(37)]
    options = dict(lengths=lengths, truncate=(2, 3), epochs=2, shuffle=False, validation=0.2)
    return train(communicator, layer, fr.cross_entropy, *tagged(), **options)


def empty_shards(communicator):
    """Batches of 3 rows, and one of a single row, in 4 shards."""
    return train(communicator, model(), fr.mse_loss, *rows(16), batch_size=3, epochs=3)


def double_precision(communicator):
    return train(communicator, model(dtype=np.float64), fr.mse_loss, *rows(dtype=np.float64))


def weighted(communicator):
    weights = dict(sample_weight=np.arange(37) % 4, class_weight="balanced")
    return train(communicator, tagger(), fr.cross_entropy, *tagged(), **weights)


def summed(communicator):
    """A loss that is a sum, whose gradients are not divided."""
    loss = functools.partial(fr.mse_loss, reduction="sum")
    loss.__name__ = "sum"  # type: ignore[attr-defined]
    return train(communicator, model(), loss, *rows())


def own_loss(communicator):
    """A plain number, which is a mean over the positions."""

    def loss(y, target):
        return float(np.mean((y - target) ** 2)), 2 * (y - target) / y.size

    layer = model(dtype=np.float64)
    return train(communicator, layer, loss, *rows(dtype=np.float64))


def stopping(communicator):
    """Validation, early stopping, the best parameters and a schedule that watches them."""
    layer = model()
    adam = fr.Adam(layer, lr=0.3)
    schedule = fr.ReduceLROnPlateau(adam, factor=0.5, patience=0)
    options = dict(validation=0.25, patience=2, schedule=schedule, optimizer=adam, epochs=20, metrics=["mae"])
    return train(communicator, layer, fr.mse_loss, *rows(), **options)


def batches(communicator):
    """A function that yields batches, with lists of labels."""
    x, y = tagged(24)

    def epoch():
        for begin in range(0, 24, 8):
            lengths = [begin // 8 + k % 3 for k in range(8)]
            yield x[:, begin : begin + 8], list(map(int, y[0, begin : begin + 8])), lengths

    layer = fr.Sequential(fr.LSTM(2, 4, seed=0), fr.LastStep(), fr.Linear(4, 3, seed=1))
    return train(communicator, layer, fr.cross_entropy, epoch)


def translation(communicator):
    """Several inputs by name, with scheduled sampling."""
    rng = np.random.default_rng(0)
    source, target = rng.integers(0, 5, (4, 16)), rng.integers(0, 5, (3, 16))
    layer = fr.Seq2Seq(
        encoder=fr.Sequential(fr.Embedding(5, 3, seed=0), fr.GRU(3, 4, seed=1)),
        embedding=fr.Embedding(5, 3, seed=2), decoder=fr.GRU(3, 4, seed=3), output=fr.Linear(4, 5, seed=4), seed=5,
    )  # fmt: skip
    data = [({"source": source, "target": target, "sampling": 0.5}, target)] * 5
    return train(communicator, layer, fr.cross_entropy, data)


def two_trainings(communicator):
    """One after the other, of the same model: the second has other masks, and its batches may be drawn by a seed."""
    layer = model(fr.Dropout(0.5, seed=2))
    x = fr.Batches(*rows(), batch_size=8, seed=3)
    first = train(communicator, layer, fr.mse_loss, x, epochs=1)
    return first | {"second": train(communicator, layer, fr.mse_loss, x, epochs=1)}


CASES = [plain, ragged, dropout, clipping, penalties, empty_shards, double_precision, weighted, summed, own_loss]
CASES += [truncated, stopping, batches, translation, two_trainings]


def all_cases(communicator):
    """The results of every case, by its name, as JSON gives them back."""
    return json.loads(json.dumps({case.__name__: case(communicator) for case in CASES}))


def in_threads(size, function, *arguments):
    """What a function returns, or the error that it raises, in threads that are connected as processes are."""
    links = [{} for _ in range(size)]
    for low, high in pairs(size):
        links[low][high], links[high][low] = socket.socketpair()

    def work(rank):
        communicator = fr.distributed.Processes(rank, size, links[rank])
        try:
            return function(communicator, *arguments)
        except Exception as error:
            communicator.abort(error)
            return error

    with ThreadPoolExecutor(size) as pool:
        results = list(pool.map(work, range(size)))
    for link in (link for own in links for link in own.values()):
        link.close()
    return results


def whole_and_half(communicator, path):
    """The results of every case, and a training of two of four epochs."""
    results = all_cases(communicator)
    resumable(communicator, path, 2)
    return results


def resumable(communicator, path, epochs=4):
    """A training with dropout that goes on from its checkpoint."""
    layer = model(fr.Dropout(0.3, seed=2))
    return train(communicator, layer, fr.mse_loss, *rows(), epochs=epochs, checkpoint=path, resume=True)


def cases_and_rest(communicator, path):
    """The results of every case, and the rest of the training that another number of processes began."""
    return all_cases(communicator), resumable(communicator, path)


def mapped(communicator, path, rows):
    """How much of a file of rows of 128 KiB this process has in its memory, after an epoch of training on it."""
    x = np.memmap(path, np.float32, "r", shape=(rows, 1 << 15))
    layer = fr.Sequential(fr.Linear(1 << 15, 1, seed=0), fr.Activation("tanh"))
    train(communicator, layer, fr.mse_loss, x, np.zeros((rows, 1)), epochs=1, batch_size=32)
    with open("/proc/self/smaps") as maps:
        mappings = maps.read().split(str(path) + "\n")[1:]
    kilobytes = [int(mapping.partition("Rss:")[2].split()[0]) for mapping in mappings]
    return 1024 * sum(kilobytes) / x.nbytes


class Act:
    """A callback of one rank, in one step."""

    def __init__(self, communicator, rank, step, act):
        self.act = act if communicator.rank == rank else None
        self.step = step

    def on_step(self, layer, step, loss, norm):
        if self.act is not None and step == self.step:
            self.act()


def killed(communicator):
    """The last rank ends at once in step 7."""
    act = Act(communicator, communicator.size - 1, 7, lambda: os.kill(os.getpid(), signal.SIGKILL))
    return train(communicator, model(), fr.mse_loss, *rows(), epochs=1000, callbacks=[act])


def interrupted(communicator, path):
    """The process that waits for the ranks gets a Ctrl-C in step 7."""
    act = Act(communicator, 0, 7, lambda: os.kill(os.getppid(), signal.SIGINT))
    layer = model(fr.Dropout(0.3, seed=2))
    options = dict(shards=SHARDS, batch_size=8, seed=0, progress=False, epochs=100_000, callbacks=[act])
    history = fr.fit(layer, fr.mse_loss, *rows(), communicator=communicator, checkpoint=path, **options)
    return history.interrupted, history.epochs, results_of(history, layer)["parameters"]


def endless(communicator, file):
    """Write the number of this process, and wait for longer than a test may take."""
    with open(file, "a") as written:
        written.write(f"{os.getpid()}\n")
    time.sleep(600)

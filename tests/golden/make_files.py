# SPDX-License-Identifier: BSD-3-Clause
"""Write one file of each kind of model, and a checkpoint in the middle of a training, as this version writes them.

    python tests/golden/make_files.py 0.1     writes tests/golden/files-0.1/

Files that an earlier version wrote have to keep loading: run this once for a new version, and never again for it.
Beside each model stand an input and the outputs that it gave, in float64.
"""

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import fastrnn as fr

F64 = {"dtype": np.float64}


def models():
    """By name: a small model of every class that a file can hold, with options that are not the defaults."""
    yield "rnn", fr.RNN(3, 4, nonlinearity="selu", leak=0.5, seed=0, **F64)
    yield "rnn-omega", fr.RNN(3, 4, nonlinearity="relu", omega=0.25, delta_clip=2.0, seed=1, **F64)
    yield "lstm", fr.LSTM(3, 4, 2, bidirectional=True, batch_first=True, recompute=True, seed=2, **F64)
    yield "lstm-zoneout", fr.LSTM(3, 4, 2, dropout=0.25, zoneout=(0.1, 0.2), weight_drop=0.1, seed=3, **F64)
    yield "gru", fr.GRU(3, 4, bias=False, reset_after=False, recurrent_dropout=0.5, zoneout=0.1, seed=4, **F64)
    yield "echo", fr.EchoState(3, 6, 2, output_size=2, leak=0.6, bias_scaling=0.5, washout=1, seed=5, **F64)
    yield (
        "sequential",
        fr.Sequential(
            fr.Linear(3, 4, seed=6, **F64),
            fr.Dropout(0.25, shared_steps=True, **F64),
            fr.LayerNorm(4, **F64),
            fr.Residual(fr.Sequential(fr.GRU(4, 4, seed=7, **F64), fr.Linear(4, 4, bias=False, seed=8, **F64))),
            fr.MaxPool(**F64),
            fr.RepeatVector(3, **F64),
            fr.LSTM(4, 2, bidirectional=True, seed=9, **F64),
            fr.LastStep(bidirectional=True, **F64),
        ),
    )
    yield "pool", fr.Sequential(fr.GRU(3, 4, seed=10, **F64), fr.MeanPool(**F64))
    yield "attention", fr.Attention(3, 4, score="concat", attention_size=5, seed=11, **F64)
    yield "general", fr.Attention(3, 4, score="general", batch_first=True, seed=12, **F64)
    yield (
        "seq2seq",
        fr.Seq2Seq(
            fr.Sequential(fr.Embedding(10, 3, padding_idx=0, seed=13, **F64), fr.GRU(3, 2, bidirectional=True, **F64)),
            fr.Embedding(8, 3, seed=14, **F64),
            fr.AttentionDecoder(
                fr.GRU(8, 4, seed=15, **F64),
                fr.Attention(4, 4, seed=16, **F64),
                fr.Linear(8, 5, seed=17, **F64),
                input_feeding=True,
            ),
            fr.Linear(5, 8, seed=18, **F64),
            start=7,
        ),
    )
    yield (
        "bridge",
        fr.Seq2Seq(
            fr.LSTM(3, 2, 2, seed=19, **F64),
            fr.Embedding(8, 2, seed=20, **F64),
            fr.GRU(2, 3, seed=21, **F64),
            fr.Linear(3, 8, seed=22, **F64),
            bridge=fr.Linear(8, 3, seed=23, **F64),
        ),
    )


def inputs(name, model):
    """The arguments of a call, by name."""
    rng = np.random.default_rng(list(name.encode()))
    if isinstance(model, fr.Attention):
        return {"query": rng.standard_normal((5, 2, 3)), "memory": rng.standard_normal((5, 2, 4))}
    if isinstance(model, fr.Seq2Seq):
        source = rng.integers(10, size=(5, 2)) if name == "seq2seq" else rng.standard_normal((5, 2, 3))
        return {"source": source, "target": rng.integers(8, size=(4, 2))}
    return {"x": rng.standard_normal((5, 2, 3))}


def arrays_in(result):
    """All arrays of a nested result, in order."""
    if isinstance(result, np.ndarray):
        return [result]
    return [array for part in result or () for array in arrays_in(part)]


def trainee(epochs_done):
    """A model with dropout, its optimizer and its schedule, and the options of fit."""
    model = fr.Sequential(
        fr.GRU(3, 4, 2, dropout=0.25, seed=0), fr.Dropout(0.1, seed=1), fr.LastStep(), fr.Linear(4, 2, seed=2)
    )
    adam = fr.Adam(model, lr=0.01, groups={"*bias*": {"lr": 0.02}})
    return model, adam, fr.ReduceLROnPlateau(adam, patience=1), {"epochs": epochs_done, "batch_size": 4, "seed": 3}


def data():
    rng = np.random.default_rng(0)
    sequences = [rng.standard_normal((length, 3)).astype(np.float32) for length in rng.integers(2, 9, 20)]
    return sequences, np.array([row.mean(axis=0)[:2] for row in sequences], np.float32)


def train(epochs, path, **options):
    """`fit` up to an epoch, with a checkpoint; the model and its history."""
    model, adam, schedule, fixed = trainee(epochs)
    x, y = data()
    history = fr.fit(
        model, fr.mse_loss, x, y, optimizer=adam, schedule=schedule, validation=(x[:4], y[:4]), checkpoint=path,
        progress=False, clip=1.0, penalty={"l2": 1e-3}, **fixed, **options,
    )  # fmt: skip
    return model, history


def main():
    folder = Path(__file__).parent / f"files-{sys.argv[1]}"
    folder.mkdir()
    for name, model in models():
        fr.save(model, folder / f"{name}.safetensors", notes={"name": name})
        call = inputs(name, model)
        outputs = {f"out{k}": array.astype(np.float64) for k, array in enumerate(arrays_in(model(**call)))}
        save_file(call | outputs, folder / f"{name}.results")
    train(2, folder / "training.checkpoint")
    model, _ = train(4, folder / "whole.checkpoint")
    save_file(model.state_dict(), folder / "trained.results")
    (folder / "whole.checkpoint").unlink()


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-3-Clause
"""Models that C programs run, and the comparison of what they print with Python's streams."""

import functools
from pathlib import Path

import numpy as np
from support.c_library import environment, rows_of, run, text_of

import fastrnn as fr

DRIVER = Path(__file__).with_name("exported.c")  # runs a model that was written as C
DTYPES = (np.float32, np.float64)


def sequential(dtype):
    """Each kind of layer that a program knows, with names and without a bias among them."""
    return fr.Sequential(
        lstm=fr.LSTM(5, 17, 2, dropout=0.1, dtype=dtype, seed=0),
        drop=fr.Dropout(0.5, dtype=dtype),
        rnn=fr.RNN(17, 33, nonlinearity="selu", bias=False, dtype=dtype, seed=1),
        gru=fr.GRU(33, 4, reset_after=False, dtype=dtype, seed=2),
        out=fr.Linear(4, 3, dtype=dtype, seed=3),
    )


@functools.cache
def every_model():
    """Functions that make a model of 5 inputs, by name."""
    makers = {}
    for dtype in DTYPES:
        for kind in (fr.LSTM, fr.GRU, fr.RNN):
            for L in (1, 2):
                name = f"{kind.__name__}-{L}-{dtype.__name__}"
                makers[name] = functools.partial(kind, 5, 19, L, dtype=dtype, seed=L)
        makers[f"Sequential-{dtype.__name__}"] = functools.partial(sequential, dtype)
        makers[f"Linear-{dtype.__name__}"] = functools.partial(fr.Linear, 5, 3, bias=False, dtype=dtype, seed=0)
    return makers


def python_rows(model, x):
    """What Python's stream gives for rows x (T, I), as float64."""
    model = model if hasattr(model, "stream") else fr.Sequential(model)
    stream = model.stream()
    return np.stack([stream.step(row) for row in x.astype(model.dtype)]).astype(np.float64)


def check_stream(program, model, folder, x, isa):
    """examples/c prints, for rows x (T, I), the bits of Python on an engine, which the caller has set."""
    path = folder / "model.safetensors"
    fr.save(model, path)
    x = x.astype(model.dtype)
    done = run(program, path, input=text_of(x), env=environment(isa))
    np.testing.assert_array_equal(rows_of(done.stdout), python_rows(model, x), strict=True)
    assert f"{isa} engine: {len(x)} steps" in done.stderr

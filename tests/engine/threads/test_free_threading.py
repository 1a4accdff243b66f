# SPDX-License-Identifier: BSD-3-Clause
"""What several Python threads may share in inference, with the GIL and without: the bits of one thread, or an error."""

import gc
import sys
import sysconfig
import threading

import numpy as np
import pytest
from support.child import in_child
from support.many_threads import THREADS, together

import fastrnn as fr

T, N, I, H = 6, 5, 8, 12
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
pytestmark = pytest.mark.usefixtures("many_switches")


def language_model():
    layers = [fr.Embedding(9, I, seed=1), fr.LSTM(I, H, seed=2), fr.LayerNorm(H), fr.Linear(H, 4, seed=3)]
    return fr.Sequential(*layers)


MODELS = {
    "LSTM": lambda: fr.LSTM(I, H, seed=0),
    "LSTM, both directions": lambda: fr.LSTM(I, H, 2, bidirectional=True, seed=0),
    "GRU, three layers": lambda: fr.GRU(I, H, 3, seed=0),
    "RNN, large": lambda: fr.RNN(I, 300, seed=0),
    "Sequential": language_model,
}
STREAMED = {name: make for name, make in MODELS.items() if name != "LSTM, both directions"}


def inputs(model, rank, steps=T):
    rng = np.random.default_rng(rank)
    if isinstance(model, fr.Sequential):
        return rng.integers(0, 9, (steps, N))
    return rng.standard_normal((steps, N, I)).astype(np.float32)


def answers(model, rank):
    """All kinds of inference: a sequence, a ragged one, and one step of a row, which takes the fast path."""
    x = inputs(model, rank)
    results = [model(x), model(x, lengths=[T, 1, 3, 0, 2]), model(x[:1, :1])]
    return [y.tobytes() for y, _ in results] + [fr.predict(model, x)[0].tobytes()]


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_inference_with_one_model_has_the_bits_of_one_thread(make):
    """Between two phases of inference some threads write parameters, through arrays that they held during the first."""
    model, ready = make(), threading.Barrier(THREADS)
    names = list(model.params)
    phases = 6

    def write(target, phase, k):
        target[...] = np.random.default_rng([phase, k]).standard_normal(target.shape) / 4

    def work(rank):
        results = []
        for phase in range(phases):
            held = {k: model.params[names[k]] for k in range(rank, len(names), THREADS) if (phase + rank) % 3}
            results.append([answers(model, rank) for _ in range(3)])
            ready.wait()
            for k, target in held.items():
                write(target, phase, k)
            del held
            if rank % 2:
                gc.collect()
            ready.wait()
        return results

    results = together(work)
    alone = make()
    for phase in range(phases):
        for rank in range(THREADS):
            assert results[rank][phase] == [answers(alone, rank)] * 3, (phase, rank)
        for k, name in enumerate(names):
            if (phase + k % THREADS) % 3:
                write(alone.params[name], phase, k)


@pytest.mark.parametrize("make", STREAMED.values(), ids=STREAMED)
def test_streams_of_one_model_have_the_bits_of_one_thread(make):
    """One stream for each thread."""
    model = make()

    def work(rank):
        x, stream = inputs(model, rank, 30), model.stream(N)
        y = [stream.step(x_t) for x_t in x[:20]]
        return np.stack([*y, *stream.steps(x[20:])])

    for rank, y in enumerate(together(work)):
        np.testing.assert_array_equal(y, model(inputs(model, rank, 30))[0])


@pytest.mark.parametrize("make", [MODELS["LSTM"], language_model], ids=["LSTM", "Sequential"])
def test_a_shared_stream_takes_a_step_or_refuses_it(make):
    """Its state is then that after as many steps as were taken."""
    model = make()
    stream, x = model.stream(N), inputs(model, 0, 1)[0]

    def work(rank):
        taken = 0
        for k in range(200):
            try:
                if k % 20 == 5:
                    assert len(stream.state) in (1, 2)
                else:
                    stream.step(x)
                    taken += 1
            except RuntimeError as error:
                assert "a stream for each thread" in str(error)
        return taken

    alone, taken = model.stream(N), sum(together(work))
    assert taken
    for _ in range(taken):
        alone.step(x)
    for one, other in zip(np.ravel(stream.state), np.ravel(alone.state), strict=True):
        np.testing.assert_array_equal(one, other)


def test_files_are_loaded_by_many_threads(tmp_path):
    model = language_model()
    fr.save(model, tmp_path / "model.fastrnn")
    expected = answers(model, 0)

    def work(rank):
        loaded = [fr.load(tmp_path / "model.fastrnn") for _ in range(3)]
        fr.save(loaded[0], tmp_path / f"{rank}.fastrnn")
        return [answers(each, 0) for each in [*loaded, fr.load(tmp_path / f"{rank}.fastrnn")]]

    assert together(work) == [[expected] * 4] * THREADS


def gil_after_import():
    import fastrnn.inspect
    import fastrnn.io

    layer = fr.LSTM(3, 4)
    layer.stream().step(np.ones(3, np.float32))
    return [fastrnn.inspect.__name__, fastrnn.io.__name__, sys._is_gil_enabled()]


@pytest.mark.skipif(not FREE_THREADED, reason="an interpreter with a GIL")
def test_the_gil_stays_off():
    assert in_child(gil_after_import, env={"PYTHONWARNINGS": "error"})[-1] is False

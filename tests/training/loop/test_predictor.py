# SPDX-License-Identifier: BSD-3-Clause
"""A model as a function for other processes: the bits of `predict`, however data are divided, and loaded once."""

import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor

import joblib
import numpy as np
import pytest
from support.child import needs_openmp
from support.own_layers import Scale

import fastrnn as fr
from fastrnn.training._loop import predictor as module


def classifier():
    return fr.Sequential(fr.GRU(3, 8, seed=0), fr.LastStep(), fr.Linear(8, 2, seed=1))


@pytest.fixture
def rows(rng):
    return [rng.standard_normal((length, 3)).astype(np.float32) for length in rng.integers(1, 9, 40)]


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """No model of another test."""
    monkeypatch.setattr(module, "_models", {})


@pytest.fixture
def path(tmp_path):
    fr.save(classifier(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def sent(predictor):
    """As another process gets it."""
    return pickle.loads(pickle.dumps(predictor))


def test_from_a_path_or_a_model(rows, path, monkeypatch, tmp_path):
    """A relative path is one of this folder wherever the predictor is used."""
    expected = fr.predict(classifier(), rows)
    np.testing.assert_array_equal(sent(fr.Predictor(classifier()))(rows), expected)
    monkeypatch.chdir(tmp_path)
    predictor = sent(fr.Predictor("model.safetensors"))
    monkeypatch.chdir(os.sep)
    np.testing.assert_array_equal(predictor(rows), expected)
    x = np.ones((4, 2, 3), np.float32)
    np.testing.assert_array_equal(predictor(x, lengths=[4, 2]), fr.predict(classifier(), x, lengths=[4, 2]))


def test_a_model_is_kept_as_it_is_now(rows):
    model = classifier()
    predictor = fr.Predictor(model)
    expected = fr.predict(model, rows)
    model.params["2.bias"] += 1
    np.testing.assert_array_equal(predictor(rows), expected)


def test_a_process_loads_a_model_once(rows, path, monkeypatch):
    """And again when the file is another."""
    loads = []
    monkeypatch.setattr(module, "load", lambda *args, **kw: loads.append(args) or fr.load(*args, **kw))
    for _ in range(3):
        sent(fr.Predictor(path))(rows)
    assert len(loads) == 1
    other = classifier()
    other.params["2.bias"] += 1
    fr.save(other, path)
    np.testing.assert_array_equal(fr.Predictor(path)(rows), fr.predict(other, rows))
    for k in range(6):
        fr.Predictor(fr.Linear(3, 2, seed=k))(np.ones((2, 3)))
    assert len(loads) == 8 and len(module._models) == module.KEPT


def test_joblib_and_process_pools(rows, path):
    """Uneven parts on two processes, in new processes of both kinds."""
    expected = fr.predict(classifier(), rows)
    parts = [rows[:1], rows[1:18], rows[18:19], rows[19:]]
    predictor = fr.Predictor(path)
    results = joblib.Parallel(n_jobs=2)(joblib.delayed(predictor)(part) for part in parts)
    np.testing.assert_array_equal(np.concatenate(results), expected)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(fr.Predictor(classifier()), parts))
    np.testing.assert_array_equal(np.concatenate(results), expected)


@needs_openmp
def test_threads_are_those_of_a_call(rows, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "predict", lambda *_: seen.append(fr.get_num_threads()) or np.zeros(40))
    with fr.threads(3):
        for n_threads in 1, 2, None:
            fr.Predictor(classifier(), n_threads)(rows)
    assert seen == [1, 2, 3]


def test_an_iterator_gives_an_iterator(rows):
    predictor = fr.Predictor(classifier())
    outputs = predictor(iter([rows[:3], rows[3:]]))
    np.testing.assert_array_equal(np.concatenate(list(outputs)), fr.predict(classifier(), rows))


def test_batches_without_rows():
    """As engines pass them to find out what comes back, or of empty partitions."""
    predictor = fr.Predictor(classifier())
    for x in [], np.zeros((4, 0, 3), np.float32), {"x": []}, {"a": [], "b": [], "c": []}:
        y = predictor(x)
        assert (y.shape, y.dtype) == ((0, 2), np.float32)
    assert fr.Predictor(fr.GRU(3, 2))([]) == []
    assert fr.Predictor(fr.GRU(3, 2))(np.zeros((4, 0, 3), np.float32)).shape == (4, 0, 2)
    assert fr.Predictor(fr.Linear(3, 2))(np.zeros((0, 3), np.float32)).shape == (0, 2)
    assert fr.Predictor(fr.Sequential(fr.Embedding(5, 3), fr.GRU(3, 2), fr.LastStep()))({"x": []}).shape == (0, 2)


def test_layers_of_ones_own(tmp_path):
    model = fr.Sequential(Scale(3), fr.Linear(3, 2, seed=0))
    x = np.ones((2, 4, 3), np.float32)
    np.testing.assert_array_equal(sent(fr.Predictor(model))(x), fr.predict(model, x))
    fr.save(model, tmp_path / "model")
    np.testing.assert_array_equal(sent(fr.Predictor(tmp_path / "model", custom=[Scale]))(x), fr.predict(model, x))


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"model": 3}, TypeError, "model: expected"),
        ({"n_threads": 0}, ValueError, "n_threads: "),
        ({"output": "list"}, ValueError, "output: "),
        ({"columns": "x"}, TypeError, "columns: expected a list of names, got"),
    ],
)
def test_arguments_that_do_not_fit(arguments, error, message):
    with pytest.raises(error, match=message):
        fr.Predictor(**{"model": "model"} | arguments)


def test_a_file_that_is_not_there(path):
    with pytest.raises(FileNotFoundError):
        fr.Predictor(path.with_name("other"))([])


def test_what_it_prints(path):
    assert repr(fr.Predictor(path)).startswith(f"Predictor({str(path)!r}, n_threads=1")
    assert "<model of" in repr(fr.Predictor(classifier()))


def test_columns_are_those_of_the_model_that_was_given(rng):
    """Also in a copy, as another process has it; a file has none."""
    pd = pytest.importorskip("pandas")
    frames = [pd.DataFrame(rng.standard_normal((T, 2)), columns=["a", "b"]) for T in (3, 5)]
    model = fr.Sequential(fr.GRU(2, 3, seed=0), fr.LastStep(), fr.Linear(3, 2, seed=1))
    fr.fit(model, fr.cross_entropy, frames, np.array([0, 1]), epochs=1, progress=False)
    for predictor in (fr.Predictor(model), pickle.loads(pickle.dumps(fr.Predictor(model)))):
        np.testing.assert_array_equal(predictor(frames), fr.predict(model, frames))
        with pytest.raises(
            ValueError, match=r"batch\[0\]: expected the columns \['a', 'b'\], those that the model was"
        ):
            predictor([frame[["b", "a"]] for frame in frames])

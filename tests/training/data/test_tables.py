# SPDX-License-Identifier: BSD-3-Clause
"""Predictions of tables: dicts of columns, pandas and Arrow, with rows first; the bits of `predict`."""

import sys

import numpy as np
import pytest

import fastrnn as fr


def classifier():
    return fr.Sequential(fr.GRU(3, 8, seed=0), fr.LastStep(), fr.Linear(8, 2, seed=1))


@pytest.fixture
def rows(rng):
    return [rng.standard_normal((length, 3)).astype(np.float32) for length in rng.integers(1, 9, 40)]


def test_one_column_of_sequences(rows):
    """As lists, as an array of objects, and as an array of rows of one length, with rows first."""
    expected = fr.predict(classifier(), rows)
    column = np.empty(len(rows), object)
    for n, row in enumerate(rows):
        column[n] = row
    predictor = fr.Predictor(classifier(), output="dict", columns=["x"])
    for x in rows, column, [row.tolist() for row in rows]:
        np.testing.assert_array_equal(predictor({"id": range(40), "x": x})["prediction"], expected)
    x = np.stack([rows[0]] * 4)
    np.testing.assert_array_equal(predictor({"x": x})["prediction"], np.stack([expected[0]] * 4))


def test_several_columns_are_features(rows):
    columns = {name: [row[:, k] for row in rows] for k, name in enumerate("abc")}
    expected = fr.predict(classifier(), rows)
    np.testing.assert_array_equal(fr.Predictor(classifier())(columns), expected)
    flat = fr.Linear(3, 2, seed=0)
    y = fr.Predictor(flat)({name: [row[0] for row in column] for name, column in columns.items()})
    np.testing.assert_array_equal(y, fr.predict(flat, np.stack([row[0] for row in rows])))


def test_tokens_single_features_and_outputs_of_each_step():
    tagger = fr.Sequential(fr.Embedding(5, 3, seed=0), fr.GRU(3, 2, seed=1))
    tokens = [[1, 2], [3], [4, 0, 1]]
    y = fr.Predictor(tagger, output="dict")({"tokens": tokens})["prediction"]
    assert y.dtype == object
    for row, part in zip(y, fr.predict(tagger, [np.array(row) for row in tokens]), strict=True):
        np.testing.assert_array_equal(row, part)
    series = fr.Sequential(fr.LSTM(1, 2, seed=0), fr.LastStep())
    values = [[0.5, 1.0], [2.0]]
    expected = fr.predict(series, [np.array(row)[:, None] for row in values])
    np.testing.assert_array_equal(fr.Predictor(series)({"x": values}), expected)


def test_a_table_has_its_rows_first(rng):
    """Of arrays with time first, and of models that write sequences, too."""
    gru = fr.GRU(3, 2, seed=0)
    x = rng.standard_normal((5, 4, 3)).astype(np.float32)
    y = fr.Predictor(gru, output="dict")(x)["prediction"]
    np.testing.assert_array_equal(y, fr.predict(gru, x).swapaxes(0, 1))
    writer = fr.Sequential(fr.GRU(3, 2, seed=0), fr.LastStep(), fr.RepeatVector(7), fr.GRU(2, 2, seed=1))
    y = fr.Predictor(writer, output="dict")({"x": list(x.swapaxes(0, 1))})["prediction"]
    np.testing.assert_array_equal(y, fr.predict(writer, x).swapaxes(0, 1))
    with pytest.raises(ValueError, match="batch: expected several sequences for a table, got a single one"):
        fr.Predictor(gru, output="dict")(x[:, 0])


def test_several_inputs_by_name(rng):
    model = fr.Seq2Seq(
        encoder=fr.Sequential(fr.Embedding(5, 3, seed=0), fr.GRU(3, 4, seed=1)), embedding=fr.Embedding(5, 3, seed=2),
        decoder=fr.GRU(3, 4, seed=3), output=fr.Linear(4, 5, seed=4), seed=5,
    )  # fmt: skip
    table = {name: [rng.integers(0, 5, n) for n in lengths] for name, lengths in
             (("source", (4, 2, 3)), ("target", (2, 2, 2)))}  # fmt: skip
    y = fr.Predictor(model, output="dict")(table | {"id": [1, 2, 3]})["prediction"]
    assert y.shape[0] == 3
    np.testing.assert_array_equal(fr.Predictor(model)(table), fr.predict(model, table))


def test_pandas(rows):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [row.tolist() for row in rows]}, index=range(100, 140))
    result = fr.Predictor(classifier(), output="pandas")(frame)
    expected = fr.predict(classifier(), rows)
    assert list(result.index) == list(frame.index) and list(result.columns) == ["prediction"]
    np.testing.assert_array_equal(np.array(result["prediction"].tolist(), np.float32), expected)
    parts = fr.Predictor(classifier(), output="pandas")(iter([frame[:7], frame[7:]]))  # as Spark passes them
    pandas.testing.assert_frame_equal(pandas.concat(parts), result)
    total = fr.Sequential(*classifier().layers, fr.Linear(2, 1, seed=3))
    assert len(fr.Predictor(total, output="pandas")(frame)["prediction"][100]) == 1
    empty = fr.Predictor(classifier(), output="pandas")(frame[:0])
    assert list(empty.columns) == ["prediction"] and len(empty) == 0


def test_arrow(rows):
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: its tables were not tried")
    table = arrow.table({"x": [row.tolist() for row in rows]})
    predictor = fr.Predictor(classifier(), output="arrow")
    expected = fr.predict(classifier(), rows)
    for part in table, table.to_batches()[0]:
        result = predictor(part)
        np.testing.assert_array_equal(np.array(result["prediction"].to_pylist(), np.float32), expected)
    flat = fr.Linear(2, 2, seed=0)
    y = fr.Predictor(flat)(arrow.table({"a": [1.0, 2.0], "b": [3.0, 4.0]}))
    np.testing.assert_array_equal(y, fr.predict(flat, np.array([[1, 3], [2, 4]])))


@pytest.mark.parametrize("name", ["pandas", "pyarrow"])
def test_packages_that_are_not_there(name, rows, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=f"output: '.*' needs {name}: pip install {name}"):
        fr.Predictor(classifier(), output={"pandas": "pandas", "pyarrow": "arrow"}[name])(rows)


def test_tables_that_do_not_fit():
    predictor = fr.Predictor(classifier(), columns=["x", "y"])
    for table, message in [
        ({"x": [1]}, "columns: expected some of x, got 'y'"),
        ({"x": [[1.0]], "y": []}, "batch: expected columns of one length, got"),
    ]:
        with pytest.raises(ValueError, match=message):
            predictor(table)
    with pytest.raises(ValueError, match="batch: expected at least one column"):
        fr.Predictor(classifier())({})

# SPDX-License-Identifier: BSD-3-Clause
"""DataFrames and Series in place of arrays: their numbers, with the bits of the arrays; and what is refused."""

import sys

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._data.frames import arrays_of, columns_of

pd = pytest.importorskip("pandas")


@pytest.fixture
def frames(rng):
    """Sequences of 3 features, of several lengths, each with an index of its own."""
    days = pd.date_range("2024-01-01", periods=20)
    return [
        pd.DataFrame(rng.standard_normal((T, 3)), columns=["a", "b", "c"], index=days[k : k + T])
        for k, T in enumerate((5, 7, 3, 6))
    ]


def tagger():
    return fr.Sequential(fr.GRU(3, 4, seed=0), fr.Linear(4, 2, seed=1))


def classifier():
    return fr.Sequential(fr.GRU(3, 4, seed=0), fr.LastStep(), fr.Linear(4, 2, seed=1))


def fitted(model, loss, x, y, **options):
    return fr.fit(model, loss, x, y, epochs=2, seed=0, progress=False, **options)["loss"], model.state_dict()


def same(one, other):
    return one[0] == other[0] and all((one[1][name] == other[1][name]).all() for name in one[1])


def test_a_list_of_frames_trains_as_a_list_of_arrays(frames):
    """Targets are a Series with one for each, or a list of Series with one for each step."""
    arrays = [frame.to_numpy() for frame in frames]
    labels = pd.Series([0, 1, 1, 0], index=list("wxyz"))
    assert same(
        fitted(classifier(), fr.cross_entropy, frames, labels, validation=(frames, labels)),
        fitted(classifier(), fr.cross_entropy, arrays, labels.to_numpy(), validation=(arrays, labels.to_numpy())),
    )
    tags = [(frame["a"] > 0).astype(int) for frame in frames]
    assert same(
        fitted(tagger(), fr.cross_entropy, frames, tags),
        fitted(tagger(), fr.cross_entropy, arrays, [tag.to_numpy() for tag in tags]),
    )


def test_one_frame_is_one_sequence(frames):
    """Targets are a DataFrame; one of a single column is (T, 1)."""
    model = fr.Sequential(fr.GRU(3, 4, seed=0), fr.Linear(4, 1, seed=1))
    other = fr.Sequential(fr.GRU(3, 4, seed=0), fr.Linear(4, 1, seed=1))
    x, y = frames[0], frames[0][["b"]]
    assert same(fitted(model, fr.mse_loss, x, y), fitted(other, fr.mse_loss, x.to_numpy(), y.to_numpy()))
    assert fr.evaluate(model, fr.mse_loss, x, y) == fr.evaluate(other, fr.mse_loss, x.to_numpy(), y.to_numpy())
    flat = fr.Linear(3, 1, seed=0)  # without time its rows are
    assert fr.predict(flat, x).shape == (5, 1)


def test_a_dict_of_inputs(frames):
    """Tokens are Series."""
    words = [pd.Series(row, dtype="Int64") for row in ([3, 1, 4], [1, 5], [8, 2, 6, 5], [9])]
    arrays = [word.to_numpy(np.int64) for word in words]
    batches = [
        next(iter(fr.Batches({"words": a, "x": b}, a, shuffle=False)))
        for a, b in ((words, frames), (arrays, [frame.to_numpy() for frame in frames]))
    ]
    for name in ("words", "x"):
        np.testing.assert_array_equal(batches[0].x[name], batches[1].x[name])
    np.testing.assert_array_equal(batches[0].y, batches[1].y)


def test_batches_and_weights(frames):
    batches = fr.Batches(frames, pd.Series([0.0, 1.0, 2.0, 3.0]), batch_size=2, shuffle=False)
    first = next(iter(batches))
    assert first.x.shape == (7, 2, 3) and list(first.y) == [0, 1] and list(first.lengths) == [5, 7]
    weights = pd.Series([1.0, 0.0, 2.0, 1.0])
    targets = pd.Series([0, 1, 1, 0])
    assert same(
        fitted(classifier(), fr.cross_entropy, frames, targets, sample_weight=weights),
        fitted(classifier(), fr.cross_entropy, frames, targets.to_numpy(), sample_weight=weights.to_numpy()),
    )


def test_predictions_with_the_index_of_the_input(frames):
    model, plain = tagger(), [frame.to_numpy() for frame in frames]
    expected = fr.predict(model, plain)
    for actual, wanted, frame in zip(fr.predict(model, frames, output="pandas"), expected, frames, strict=True):
        pd.testing.assert_frame_equal(actual, pd.DataFrame(wanted, index=frame.index))
    assert [type(y) for y in fr.predict(model, frames)] == [np.ndarray] * 4
    one = fr.predict(model, frames[1], output="pandas")
    pd.testing.assert_frame_equal(one, pd.DataFrame(expected[1], index=frames[1].index))
    table = fr.predict(classifier(), frames, output="pandas")
    assert table.shape == (4, 2) and list(table.index) == [0, 1, 2, 3]
    tokens = pd.Series([1, 2, 3], index=list("abc"))
    model = fr.Sequential(fr.Embedding(5, 3, seed=0), fr.GRU(3, 2, seed=1))
    assert list(fr.predict(model, tokens, output="pandas").index) == ["a", "b", "c"]


def test_outputs_that_do_not_fit_an_index(frames):
    with pytest.raises(TypeError, match="output: expected 'array', since x is no DataFrame"):
        fr.predict(tagger(), frames[0].to_numpy(), output="pandas")
    with pytest.raises(ValueError, match=r"output: expected 'array' for outputs \(2,\) of x, got 'pandas'"):
        fr.predict(classifier(), frames[0], output="pandas")
    with pytest.raises(ValueError, match="output: expected one of array, pandas, got 'frame'"):
        fr.predict(tagger(), frames, output="frame")


def test_a_table_without_pandas_names_the_package(frames, monkeypatch):
    x = frames[0].to_numpy()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="output: 'pandas' needs pandas: pip install pandas"):
        fr.predict(tagger(), x, output="pandas")


def test_columns_of_a_list_have_one_order(frames):
    frames[2] = frames[2][["b", "a", "c"]]
    with pytest.raises(ValueError, match=r"x\[2\]: expected the columns \['a', 'b', 'c'\], those of x.*order"):
        fr.predict(tagger(), frames)


def test_columns_are_those_of_the_training(frames):
    """As far as this process knows them: of the model that it trained, also in validation."""
    model, tags = tagger(), [(frame["a"] > 0).astype(int) for frame in frames]
    other = [frame.rename(columns={"b": "d"}) for frame in frames]
    assert columns_of(model) == (None, None)
    fr.fit(model, fr.cross_entropy, frames, tags, epochs=1, progress=False)
    assert columns_of(model) == (("a", "b", "c"), None)
    with pytest.raises(ValueError, match=r"x\[0\]: expected the columns .*, those that the model was fitted on, got"):
        fr.predict(model, other)
    with pytest.raises(ValueError, match=r"x: expected the columns .*; x\[\['a', 'b', 'c'\]\] has their order"):
        fr.predict(model, frames[0][["c", "b", "a"]])
    with pytest.raises(ValueError, match="those that the model was fitted on"):
        fr.evaluate(model, fr.cross_entropy, other, tags)
    with pytest.raises(ValueError, match="those that the model was fitted on"):
        fr.fit(model, fr.cross_entropy, frames, tags, validation=(other, tags), epochs=1, progress=False)
    fr.fit(model, fr.cross_entropy, other, tags, epochs=1, progress=False)  # a training sets them anew
    assert columns_of(model) == (("a", "d", "c"), None)
    fr.predict(model, frames[0].to_numpy())  # an array has no names
    arrays = [frame.to_numpy() for frame in frames], [tag.to_numpy() for tag in tags]
    fr.fit(model, fr.cross_entropy, *arrays, epochs=1, progress=False)
    assert columns_of(model) == (None, None)


def test_numbers_of_every_kind():
    """Of NumPy, nullable ones, and bools beside floats, which pandas alone would make objects."""
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5], "c": [True, False]})
    np.testing.assert_array_equal(arrays_of("x", frame), [[1, 0.5, 1], [2, 1.5, 0]])
    nullable = frame.astype({"a": "Int64", "b": "Float32", "c": "boolean"})
    array = arrays_of("x", nullable)
    np.testing.assert_array_equal(array, [[1, 0.5, 1], [2, 1.5, 0]])
    assert array.dtype == np.float64 and arrays_of("x", frame[["a"]]).dtype == np.int64
    gaps = arrays_of("y", pd.Series([1, None], dtype="Int64"), gaps=True)
    assert gaps[0] == 1 and np.isnan(gaps[1])


def broken(frame, kind):
    if kind == "strings":
        return frame.assign(b="word"), TypeError, r"x\['b'\]: expected numbers, got "
    if kind == "dates":
        return frame.assign(b=frame.index), TypeError, r"x\['b'\]: expected numbers, got datetime64"
    if kind == "categories":
        return frame.assign(b=pd.Categorical([1] * len(frame))), TypeError, r"x\['b'\]: expected numbers, got category"
    if kind == "objects":
        return frame.astype(object), TypeError, r"x\['a'\]: expected numbers, got object"
    if kind == "nan":
        frame.iloc[2, 1] = np.nan
        return frame, ValueError, r"x\['b'\]: expected numbers, got a missing one at Timestamp\('2024-01-03"
    if kind == "NA":
        return frame.astype("Float64").mask(frame > 0), ValueError, "expected numbers, got a missing one"
    if kind == "levels of the index":
        return pd.concat({"s": frame}), ValueError, r"x: expected one sequence, got an index of 2 levels.*groupby"
    if kind == "levels of the columns":
        return pd.concat({"s": frame}, axis=1), ValueError, "x: expected columns of one level, got 2"
    assert kind == "names"
    return frame.set_axis(["a", "b", "a"], axis=1), ValueError, "x: expected columns of different names, got 'a' twice"


KINDS = (
    "strings",
    "dates",
    "categories",
    "objects",
    "nan",
    "NA",
    "levels of the index",
    "levels of the columns",
    "names",
)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_refused(frames, kind):
    frame, error, message = broken(frames[0], kind)
    with pytest.raises(error, match=message):
        fr.predict(tagger(), frame)
    with pytest.raises(error, match=message.replace("x", r"x\[0\]", 1) if message.startswith("x") else message):
        fr.predict(tagger(), [frame])


def test_x_and_y_have_the_same_index(frames):
    tags = [(frame["a"] > 0).astype(int) for frame in frames]
    with pytest.raises(
        ValueError, match=r"y\[1\]: expected the index of x\[1\], got another one; y\[1\].loc\[x\[1\].in"
    ):
        fr.fit(tagger(), fr.cross_entropy, frames, [tags[0], tags[1].shift(freq="D"), *tags[2:]], progress=False)
    with pytest.raises(ValueError, match=r"y: expected the index of x"):
        fr.fit(tagger(), fr.cross_entropy, frames[0], tags[0].iloc[::-1], progress=False)


def test_mixed_lists_and_a_series_of_features(frames):
    with pytest.raises(TypeError, match=r"x\[1\]: expected a DataFrame, as x\[0\], got ndarray"):
        fr.predict(tagger(), [frames[0], frames[1].to_numpy()])
    with pytest.raises(TypeError, match=r"x\[1\]: expected a ndarray, as x\[0\], got DataFrame"):
        fr.predict(tagger(), [frames[1].to_numpy(), frames[0]])
    series = fr.Sequential(fr.GRU(1, 4, seed=0), fr.Linear(4, 2, seed=1))
    with pytest.raises(ValueError, match=r"x: expected a DataFrame of its features, got a Series; x.to_frame\(\)"):
        fr.predict(series, frames[0]["a"])
    assert fr.predict(series, frames[0]["a"].to_frame()).shape == (5, 2)


def test_inspect_reads_frames(frames):
    """In the dtype of the model."""
    from fastrnn import inspect

    model, x = tagger(), frames[0]
    array = x.to_numpy(np.float32)
    np.testing.assert_array_equal(inspect.trace(model, x)["0.h"], inspect.trace(model, array)["0.h"])
    np.testing.assert_array_equal(inspect.influence(model, x), inspect.influence(model, array))
    for function in (inspect.gradient_flow, inspect.singular_values):
        assert type(function(model, x)) is type(function(model, array))
    with pytest.raises(TypeError, match=r"x\['a'\]: expected numbers"):
        inspect.trace(model, x.astype(object))

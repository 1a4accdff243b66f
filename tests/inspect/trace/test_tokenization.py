# SPDX-License-Identifier: BSD-3-Clause
"""Tokenization: from texts and arrays to the input of a model."""

import numpy as np
import pytest
from support.layers import refused

import fastrnn as fr
from fastrnn.inspect import read_array, read_text, trace

VOCABULARY = ["a", "b", "c", " "]


def test_characters():
    model = fr.Sequential(fr.Embedding(4, 3), fr.GRU(3, 2))
    reading = read_text(model, "a cab", VOCABULARY)
    assert reading.x.tolist() == reading.tokens.tolist() == [0, 3, 2, 0, 1]
    assert reading.labels == list("a cab") and reading.unknown == [] and reading.vocabulary == VOCABULARY
    assert read_text(model, "a cab", "abc ").tokens.tolist() == reading.tokens.tolist()
    assert read_text(model, "a cab", VOCABULARY, steps=2).labels == ["a", " "]


def test_words():
    """If the vocabulary has tokens of several characters, white space separates tokens."""
    reading = read_text(fr.Sequential(fr.Embedding(3, 3), fr.GRU(3, 2)), "you are\n you  good", ["are", "good", "you"])
    assert reading.tokens.tolist() == [2, 0, 2, 1] and reading.labels == ["you", "are", "you", "good"]


def test_one_token_may_stand_for_all_others():
    reading = read_text(fr.Sequential(fr.Embedding(5, 3), fr.GRU(3, 2)), "a!b?", VOCABULARY)
    assert reading.tokens.tolist() == [0, 4, 1, 4] and reading.unknown == [1, 3]
    assert reading.labels == list("a!b?") and reading.vocabulary == [*VOCABULARY, "\ufffd"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_models_of_vectors_read_one_hot_vectors(dtype):
    for model in fr.RNN(4, 2, dtype=dtype), fr.Sequential(fr.Dropout(dtype=dtype), fr.Linear(4, 3, dtype=dtype)):
        reading = read_text(model, "cab", VOCABULARY)
        np.testing.assert_array_equal(reading.x, np.eye(4)[[2, 0, 1]])
        assert reading.x.dtype == dtype and reading.tokens.tolist() == [2, 0, 1]


def test_texts_that_cannot_be_read():
    model = fr.Sequential(fr.Embedding(4, 3), fr.GRU(3, 2))
    with refused(ValueError, "text: expected only the 4 tokens of the vocabulary, got '\u20ac' at 2"):
        read_text(model, "ab\u20ac", VOCABULARY)
    for empty, vocabulary in (("", VOCABULARY), (" \n", ["are", "you", "so", "good"])):
        with refused(ValueError, "text: expected at least one token, got none"):
            read_text(model, empty, vocabulary)
    with refused(TypeError, "text: expected a string, got list"):
        read_text(model, ["a"], VOCABULARY)
    for wrong in "ab", "abcdef":
        with refused(ValueError, "vocabulary: expected 4 tokens, which the model reads, or one less, got"):
            read_text(model, "a", wrong)
    with refused(ValueError, "vocabulary: expected each token once, got 'b' twice"):
        read_text(model, "a", "abcb")
    with refused(ValueError, "vocabulary: expected at least one token, got none"):
        read_text(model, "a", [])
    for wrong in None, {"a": 1}, ["a", 2], ["a", ""]:
        with refused(TypeError, "vocabulary: expected strings, got"):
            read_text(model, "a", wrong)
    with refused(ValueError, "model: expected a layer that declares its input size, got LastStep"):
        read_text(fr.LastStep(), "a", VOCABULARY)


def test_signals():
    """Bars show the first feature; the values get the dtype of the model."""
    model, signal = fr.GRU(2, 3), np.array([[-1.0, 9], [2.5, 9], [6, 9], [-1, 9]])
    reading = read_array(model, signal)
    assert reading.labels == ["\u2581", "\u2585", "\u2588", "\u2581"]
    np.testing.assert_array_equal(reading.x, signal.astype(np.float32))
    assert reading.x.dtype == np.float32 and reading.tokens is None
    assert trace(model, reading.x)["h"].shape == (1, 1, 4, 1, 3)
    assert read_array(model, np.ones((2, 2), int)).labels == ["\u2581"] * 2


def test_arrays_of_tokens():
    model = fr.Sequential(fr.Embedding(4, 3), fr.GRU(3, 2))
    reading = read_array(model, np.array([3, 0, 1], np.uint8))
    assert reading.labels == ["3", "0", "1"] and reading.tokens.tolist() == [3, 0, 1]
    assert read_array(model, np.array([3, 0, 1]), "abc").labels == ["\ufffd", "a", "b"]


def test_arrays_that_cannot_be_read():
    tokens, vectors = fr.Sequential(fr.Embedding(4, 3), fr.GRU(3, 2)), fr.GRU(2, 3)
    for wrong in np.zeros(3), np.zeros((3, 1), int), np.zeros(0, int):
        with refused(ValueError, "array: expected integers (T,), the tokens, got", str(wrong.shape)):
            read_array(tokens, wrong)
    with refused(ValueError, "array: expected tokens in 0..3, got 0..4"):
        read_array(tokens, np.array([0, 4]))
    for wrong in np.zeros(3), np.zeros((3, 3)), np.array([["a", "b"]]), np.zeros((3, 2), object):
        with refused(ValueError, "array: expected numbers (T, 2), got", str(wrong.shape)):
            read_array(vectors, wrong)
    with refused(ValueError, "array: expected at least one step, got shape (0, 2)"):
        read_array(vectors, np.zeros((0, 2)))
    with refused(ValueError, "array: expected finite numbers, got inf in feature x1 at step 0"):
        read_array(vectors, np.array([[0, np.inf]]))


def test_names_and_units():
    model, array = fr.GRU(2, 3), np.ones((3, 2))
    reading = read_array(model, array)
    assert reading.features == ["x0", "x1"] and reading.units == ["", ""]
    reading = read_array(model, array, features=("a", "b"), units=["V", ""])
    assert reading.features == ["a", "b"] and reading.units == ["V", ""]
    for name in "features", "units":
        with refused(ValueError, f"{name}: expected 2, one for each feature, got 1: ['a']"):
            read_array(model, array, **{name: ["a"]})
        for wrong in "ab", [1, 2]:
            with refused(TypeError, f"{name}: expected strings, got"):
                read_array(model, array, **{name: wrong})
        with refused(ValueError, f"{name}: expected none for a model of tokens"):
            read_array(fr.Sequential(fr.Embedding(4, 3), fr.GRU(3, 2)), np.arange(3), **{name: ["a"]})


@pytest.mark.filterwarnings("error")
def test_one_feature():
    """May have no axis of its own; the labels exist for numbers whose difference is infinite, too."""
    model = fr.GRU(1, 3, dtype=np.float64)
    reading = read_array(model, np.array([-1.7e308, 1.7e308, 0]))
    assert reading.x.shape == (3, 1) and reading.labels == ["\u2581", "\u2588", "\u2585"]
    assert read_array(model, np.zeros(2)).labels == ["\u2581"] * 2


def test_a_frame_names_its_features(rng):
    """Those of the training, in their order."""
    pd = pytest.importorskip("pandas")
    frame, model = pd.DataFrame(rng.standard_normal((4, 2)), columns=["volts", "amperes"]), fr.GRU(2, 3, seed=0)
    assert read_array(model, frame).features == ["volts", "amperes"]
    assert read_array(model, frame, features=["a", "b"]).features == ["a", "b"]
    series = frame["volts"]
    assert read_array(fr.GRU(1, 3), series).features == ["volts"]
    assert read_array(fr.GRU(1, 3), series.rename(None)).features == ["x0"]
    with refused(ValueError, "array['amperes']: expected numbers, got a missing one at 0"):
        read_array(model, frame.assign(amperes=np.nan))
    fr.fit(model, fr.mse_loss, frame, np.zeros((4, 3)), epochs=1, progress=False)
    with refused(ValueError, "array: expected the columns ['volts', 'amperes'], those that the model was fitted on"):
        read_array(model, frame[["amperes", "volts"]])

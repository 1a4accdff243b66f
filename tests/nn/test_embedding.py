# SPDX-License-Identifier: BSD-3-Clause
"""Embedding. What it shares with every layer is in test_layer.py."""

import math

import numpy as np
import pytest
from support.layers import assert_same_bits, refused
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn.nn._embedding import MANY_ROWS, sums_of_runs


def one_hot(tokens, size):
    return (np.asarray(tokens)[..., None] == np.arange(size)).astype(np.float64)


TOKENS = {
    "matrix": np.array([[3, 1, 3], [0, 9, 3]]),
    "vector": np.array([7, 7, 7, 7]),
    "uint8": np.array([[3, 1], [3, 9]], np.uint8),
    "int64": np.array([5], np.int64),
    "uint64": np.array([5, 0], np.uint64),
    "big-endian": np.array([5, 0], ">i4"),
    "0-d": np.array(4),
    "scalar": np.int16(4),
    "int": 4,
    "list": [[1, 2], [2, 1]],
    "strided": np.arange(10)[::-3],
    "Fortran": np.asfortranarray([[1, 2, 3], [4, 5, 6]]),
    "empty": np.zeros((0, 3), int),
    "no axis of rows": np.zeros((2, 0), np.uint8),
    "empty list": [],
}


@pytest.mark.parametrize("tokens", TOKENS.values(), ids=TOKENS)
def test_embedding_is_the_product_with_one_hot_vectors(dtype, tokens, rng):
    """y gathers rows, bit for bit; the gradient of the table is the product; other rows get 0."""
    embedding = fr.Embedding(10, 4, dtype=dtype, seed=0)
    shape = np.shape(tokens)
    y, tape = embedding.forward(tokens)
    hot = one_hot(np.array(tokens, int), 10)
    assert_same_bits(y, (hot @ embedding.params["weight"].astype(np.float64)).astype(dtype))
    assert_same_bits(embedding(tokens), y)
    assert y.flags.c_contiguous
    assert not np.shares_memory(y, embedding.params["weight"])
    dy = rng.standard_normal((*shape, 4)).astype(dtype)
    assert embedding.backward(tape, dy) is None
    grad = embedding.grads["weight"]
    expected = hot.reshape(-1, 10).T @ dy.reshape(-1, 4).astype(np.float64)
    assert_close(grad, expected, dtype, backward=True, terms=max(2, dy.size), steps=1)
    assert not grad[~hot.reshape(-1, 10).any(0)].any()


@pytest.mark.parametrize("rows", [1, MANY_ROWS - 1, MANY_ROWS, 3000])
@pytest.mark.parametrize("tokens", [2, 40, 700, 2500])
def test_runs_of_rows_have_the_bits_of_reduceat(rows, tokens, dtype, rng):
    """Whichever way the sums go: runs of one row, of few, of many, and of all lengths."""
    run = np.sort(rng.integers(0, tokens, rows) ** 3 // tokens**2)  # the first tokens are frequent
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    array, order = rng.standard_normal((rows + 5, 19)).astype(dtype), rng.permutation(rows + 5)[:rows]
    assert_same_bits(sums_of_runs(array, order, starts), np.add.reduceat(array[order], starts, axis=0))


def test_a_token_that_repeats_gets_the_sum(rng):
    """Of thousands of occurrences in any order, within the error of a sum of that many terms."""
    embedding, tokens = fr.Embedding(10, 4, seed=0), rng.integers(2, 5, (50, 100))
    dy = rng.standard_normal((50, 100, 4)).astype(np.float32)
    embedding.backward(embedding.forward(tokens)[1], dy)
    grad, hot = embedding.grads["weight"], one_hot(tokens, 10).reshape(-1, 10)
    expected = hot.T @ dy.reshape(-1, 4).astype(np.float64)
    assert_close(grad, expected, np.float32, backward=True, terms=5000, steps=1)


def test_tokens_may_change_before_backward(rng):
    """The tape has its own copy."""
    embedding, tokens = fr.Embedding(10, 4, seed=0), np.array([1, 2])
    tape = embedding.forward(tokens)[1]
    tokens[:] = 7, 999
    embedding.backward(tape, np.ones((2, 4), np.float32))
    assert np.flatnonzero(embedding.grads["weight"].any(1)).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("tokens", "error", "words"),
    [
        ([[1, 2], [3, 10]], ValueError, ["expected integers in 0..9", "got 10 at position (1, 1)"]),
        ([-1, 12], ValueError, ["expected integers in 0..9", "got -1 at position (0,)"]),
        (10, ValueError, ["expected integers in 0..9", "got 10 at position ()"]),
        (np.array([1, 255], np.uint8), ValueError, ["got 255 at position (1,)"]),
        (np.array([1, 2**63], np.uint64), ValueError, [f"got {2**63} at position (1,)"]),
        ([1.0, 2.0], TypeError, ["expected integers", "got float64"]),
        (np.zeros((0, 2)), TypeError, ["expected integers", "got float64"]),
        ([True, False], TypeError, ["expected integers", "got bool"]),
        ("abc", TypeError, ["expected integers", "got <U3"]),
        (None, TypeError, ["expected integers", "got None"]),
        ([[1], [1, 2]], TypeError, ["expected", "got list"]),
    ],
    ids=lambda value: repr(value)[:25] if not isinstance(value, type) else value.__name__,
)
def test_bad_tokens_are_refused(tokens, error, words):
    embedding = fr.Embedding(10, 4)
    for method in (embedding, embedding.forward):
        with refused(error, "tokens: ", *words):
            method(tokens)


def test_after_a_refused_gradient_the_tape_of_an_embedding_still_works():
    embedding = fr.Embedding(10, 4, seed=0)
    tape = embedding.forward([1, 2])[1]
    with refused(ValueError, "dy: expected (2, 4)", "got (4, 2)"):
        embedding.backward(tape, np.ones((4, 2), np.float32))
    with refused(TypeError, "dy: expected float32", "got float64"):
        embedding.backward(tape, np.ones((2, 4)))
    assert not embedding.grads["weight"].any()
    embedding.backward(tape, np.ones((2, 4), np.float32))
    assert embedding.grads["weight"].sum() == 8
    with refused(ValueError, "tape", "a tape can be used once"):
        embedding.backward(tape, np.ones((2, 4), np.float32))


@pytest.mark.parametrize("name", ["num_embeddings", "embedding_dim"])
def test_bad_sizes_of_an_embedding_are_refused(name):
    for value, error in [(0, ValueError), (-1, ValueError), (2.5, TypeError), ("3", TypeError)]:
        with refused(error, f"{name}: expected", f"got {value!r}"):
            fr.Embedding(**({"num_embeddings": 3, "embedding_dim": 4} | {name: value}))


@pytest.mark.parametrize(("padding_idx", "row"), [(0, 0), (3, 3), (9, 9), (-1, 9), (-10, 0), (np.int8(3), 3)])
def test_padding_is_zero_and_learns_nothing(padding_idx, row, dtype, rng):
    """All other rows have the values and gradients that they have without it; the gradient of padding may be NaN."""
    embedding, other = (fr.Embedding(10, 4, padding_idx=idx, dtype=dtype, seed=0) for idx in (padding_idx, None))
    assert embedding.padding_idx == embedding.config()["padding_idx"] == row
    assert type(embedding.padding_idx) is int
    expected = other.state_dict()["weight"]
    expected[row] = 0
    assert_same_bits(embedding.params["weight"], expected)
    tokens = rng.integers(0, 10, (20, 5)).astype(np.uint8)
    assert (tokens == row).any()
    dy = rng.standard_normal((20, 5, 4)).astype(dtype)
    other.backward(other.forward(tokens)[1], dy)
    y, tape = embedding.forward(tokens)
    assert not y[tokens == row].any() and y[tokens != row].all()
    dy[tokens == row] = np.nan
    embedding.backward(tape, dy)
    expected = other.grads["weight"].copy()
    expected[row] = 0
    assert_same_bits(embedding.grads["weight"], expected)
    embedding.backward(embedding.forward(np.full(3, row))[1], np.ones((3, 4), dtype))  # nothing but padding
    assert_same_bits(embedding.grads["weight"], expected)


def test_padding_is_that_of_pytorch(rng):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Embedding(10, 4, padding_idx=-3)
    embedding = fr.Embedding(10, 4, padding_idx=-3)
    zero = ~theirs.weight.detach().numpy().any(axis=1)
    assert_same_bits(~embedding.params["weight"].any(axis=1), zero)
    embedding.load_state_dict({"weight": theirs.weight.detach().numpy()})
    tokens, dy = rng.integers(0, 10, (20, 5)), rng.standard_normal((20, 5, 4)).astype(np.float32)
    theirs(torch.from_numpy(tokens)).backward(torch.from_numpy(dy))
    embedding.backward(embedding.forward(tokens)[1], dy)
    assert_close(
        embedding.grads["weight"], theirs.weight.grad.numpy(), np.float32, backward=True, terms=dy.size, steps=1
    )


@pytest.mark.parametrize(
    ("padding_idx", "error", "words"),
    [
        (10, ValueError, ["expected at most 9", "got 10"]),
        (-11, ValueError, ["expected at least -10", "got -11"]),
        (1.0, TypeError, ["expected an integer", "got 1.0"]),
        ("1", TypeError, ["expected an integer", "got '1'"]),
        (True, TypeError, ["expected an integer", "got True"]),
    ],
)
def test_padding_that_is_no_token_is_refused(padding_idx, error, words):
    with refused(error, "padding_idx: ", *words):
        fr.Embedding(10, 4, padding_idx=padding_idx)


def test_initial_table_is_standard_normal():
    table = fr.Embedding(1000, 100, seed=0).params["weight"]
    assert abs(table.mean()) < 5 / math.sqrt(table.size)
    assert abs(table.std() - 1) < 5 / math.sqrt(2 * table.size)

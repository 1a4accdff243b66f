# SPDX-License-Identifier: BSD-3-Clause
"""Linear and Embedding. What they share with every layer is in test_layer.py."""

import math

import numpy as np
import pytest
from support.layers import assert_same_arrays, assert_same_bits, refused
from support.tolerance import assert_close

import fastrnn as fr

# -- Linear ----------------------------------------------------------------------------------------

# I and O around the widths of vectors and tiles, and 1
LINEAR_SIZES = [(1, 1), (3, 7), (16, 17), (33, 64), (65, 129)]


@pytest.mark.parametrize(("inputs", "outputs"), LINEAR_SIZES)
@pytest.mark.parametrize("rows", [1, 5, 97])
def test_linear_is_the_matrix_product(isa, dtype, inputs, outputs, rows, rng):
    """y = x W^T + b, against the product in float64."""
    linear = fr.Linear(inputs, outputs, dtype=dtype, seed=0)
    x = rng.standard_normal((rows, inputs)).astype(dtype)
    weight, bias = (linear.params[name].astype(np.float64) for name in ("weight", "bias"))
    expected = x.astype(np.float64) @ weight.T + bias
    assert_close(linear(x), expected, dtype, terms=inputs + 1, steps=1)
    assert_same_bits(linear.forward(x)[0], linear(x))


@pytest.mark.parametrize(("inputs", "outputs"), LINEAR_SIZES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 5, 300])
def test_gradients_of_linear_are_the_closed_form(isa, dtype, inputs, outputs, bias, rows, rng):
    """dx = dy W, dW = dy^T x, db = the sum of dy; with more rows than one block of the sum."""
    linear = fr.Linear(inputs, outputs, bias=bias, dtype=dtype, seed=0)
    # of one sign: a gradient that is a single number must not be the small rest of large terms
    x, dy = (rng.uniform(0.1, 1, (rows, n)).astype(dtype) for n in (inputs, outputs))
    dx = linear.backward(linear.forward(x)[1], dy)
    x, dy, weight = (a.astype(np.float64) for a in (x, dy, linear.params["weight"]))
    assert dx.dtype == dtype
    assert_close(dx, dy @ weight, dtype, backward=True, terms=outputs, steps=1)
    expected = {"weight": dy.T @ x} | ({"bias": dy.sum(0)} if bias else {})
    assert linear.grads.keys() == expected.keys()
    for name, grad in linear.grads.items():
        assert_close(grad, expected[name], dtype, backward=True, terms=rows, steps=1, what=name)


@pytest.mark.parametrize("shape", [(), (5,), (4, 5), (2, 4, 5), (0,), (3, 0), (0, 4)], ids=str)
def test_linear_acts_on_the_last_axis(shape, rng):
    """Any rank gives the bits of its rows as a matrix, dx has the shape of x; also when empty."""
    linear, flat = fr.Linear(3, 4, seed=0), fr.Linear(3, 4, seed=0)
    x = rng.standard_normal((*shape, 3)).astype(np.float32)
    dy = rng.standard_normal((*shape, 4)).astype(np.float32)
    y, tape = linear.forward(x)
    y_flat, tape_flat = flat.forward(x.reshape(-1, 3))
    assert_same_bits(y, y_flat.reshape(*shape, 4))
    assert_same_bits(linear(x), y)
    dx = linear.backward(tape, dy)
    assert_same_bits(dx, flat.backward(tape_flat, dy.reshape(-1, 4)).reshape(x.shape))
    assert_same_arrays(linear.grads, flat.grads)
    assert linear.grads["weight"].any() == bool(x.size)


def test_a_row_alone_is_the_row_in_a_batch(isa, dtype, rng):
    """Bit for bit, in y and dx, wherever the row stands in a tile and however many threads work."""
    linear = fr.Linear(70, 67, dtype=dtype, seed=0)
    x = rng.standard_normal((101, 70)).astype(dtype)
    dy = rng.standard_normal((101, 67)).astype(dtype)
    for threads in (1, 2):
        with fr.threads(threads):
            y, tape = linear.forward(x)
            dx = linear.backward(tape, dy)
        for row in range(len(x)):
            alone, tape = linear.forward(x[row])
            assert_same_bits(alone, y[row])
            assert_same_bits(linear.backward(tape, dy[row]), dx[row])


def test_gradients_of_linear_do_not_depend_on_the_threads(isa, dtype, rng):
    linears = [fr.Linear(70, 67, dtype=dtype, seed=0) for _ in range(2)]
    x = rng.standard_normal((600, 70)).astype(dtype)
    dy = rng.standard_normal((600, 67)).astype(dtype)
    for threads, linear in enumerate(linears, 1):
        with fr.threads(threads):
            linear.backward(linear.forward(x)[1], dy)
    assert_same_arrays(linears[1].grads, linears[0].grads)


def test_linear_takes_every_layout(isa, rng):
    """Strided, turned, read-only and Fortran-ordered x and dy have the bits of their copies."""
    linear, other = fr.Linear(3, 4, seed=0), fr.Linear(3, 4, seed=0)
    x = rng.standard_normal((6, 5, 3)).astype(np.float32)
    dy = rng.standard_normal((6, 5, 4)).astype(np.float32)
    frozen = x.copy(), dy.copy()
    for array in frozen:
        array.flags.writeable = False
    for given_x, given_dy in [
        (x[::2], dy[::2]),
        (x[::-1, ::-1], dy[::-1, ::-1]),
        (np.flip(x, -1), np.flip(dy, -1)),
        (x.swapaxes(0, 1), dy.swapaxes(0, 1)),
        (np.asfortranarray(x), np.asfortranarray(dy)),
        (np.broadcast_to(x[:1], x.shape), np.broadcast_to(dy[:, :, :1], dy.shape)),
        frozen,
        (x.tolist(), dy.tolist()),
    ]:
        dx = linear.backward(linear.forward(given_x)[1], given_dy)
        plain = [np.array(array, np.float32, order="C") for array in (given_x, given_dy)]
        assert_same_bits(linear(given_x), other(plain[0]))
        assert_same_bits(dx, other.backward(other.forward(plain[0])[1], plain[1]))
        assert_same_arrays(linear.grads, other.grads)
    assert_same_bits(frozen[0], x)


def test_linear_without_bias(rng):
    """There is no parameter `bias`, and y is the one of a bias of zeros."""
    linear, other = fr.Linear(3, 4, bias=False, seed=0), fr.Linear(3, 4, seed=0)
    assert list(linear.params) == list(linear.grads) == ["weight"]
    other.load_state_dict(linear.state_dict() | {"bias": np.zeros(4)})
    x = rng.standard_normal((5, 3)).astype(np.float32)
    assert_same_bits(linear(x), other(x))


@pytest.mark.parametrize("inputs", [1, 9, 400])
def test_initial_parameters_of_linear_are_uniform(inputs):
    """Within 1/sqrt(I), as in PyTorch, and they fill that range."""
    linear, bound = fr.Linear(inputs, 500, seed=0), 1 / math.sqrt(inputs)
    for array in linear.params.values():
        assert 0.98 * bound < np.abs(array).max() <= bound
        assert abs(array.mean()) < 5 * bound / math.sqrt(3 * array.size)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.float32(1), ValueError, ["x: expected (..., 3)", "got ()"]),
        (np.ones((2, 4), np.float32), ValueError, ["x: expected (..., 3)", "got (2, 4)"]),
        (np.ones((2, 3)), TypeError, ["x: expected float32", "float64", "x.astype(np.float32)"]),
        (np.ones((2, 3), int), TypeError, ["x: expected float32", "got int64"]),
        (None, TypeError, ["x: expected float32", "got None"]),
        ([[1.0, 2.0, 3.0], [1.0]], TypeError, ["x: expected", "got list"]),
    ],
    ids=["scalar", "last axis", "double", "integers", "None", "ragged"],
)
def test_bad_input_of_linear_is_refused(x, error, words):
    linear = fr.Linear(3, 4)
    with refused(error, *words):
        linear(x)
    with refused(error, *words):
        linear.forward(x)


def test_after_a_refused_gradient_the_tape_of_linear_still_works():
    linear, ones = fr.Linear(3, 4, seed=0), np.ones((2, 4), np.float32)
    tape = linear.forward(np.ones((2, 3), np.float32))[1]
    with refused(ValueError, "dy: expected (2, 4)", "got (4, 2)"):
        linear.backward(tape, ones.T)
    with refused(TypeError, "dy: expected float32", "got float64"):
        linear.backward(tape, ones.astype(np.float64))
    assert not linear.grads["weight"].any()
    linear.backward(tape, ones)
    assert (linear.grads["bias"] == 2).all()
    with refused(ValueError, "tape", "a tape can be used once"):
        linear.backward(tape, ones)


@pytest.mark.parametrize("name", ["in_features", "out_features"])
def test_bad_sizes_of_linear_are_refused(name):
    for value, error in [(0, ValueError), (-1, ValueError), (2.5, TypeError), ("3", TypeError)]:
        with refused(error, f"{name}: expected", f"got {value!r}"):
            fr.Linear(**({"in_features": 3, "out_features": 4} | {name: value}))


@pytest.mark.parametrize("kind", [fr.Linear, fr.Embedding])
def test_bad_options_are_refused(kind):
    for value in (int, np.float16, "abc", None):
        with refused(TypeError, "dtype: expected np.float32 or np.float64", f"got {value!r}"):
            kind(3, 4, dtype=value)
    with refused(ValueError, "seed: expected an integer", "got -1"):
        kind(3, 4, seed=-1)
    with refused(TypeError, "seed: expected an integer", "got 'a'"):
        kind(3, 4, seed="a")


# -- Embedding -------------------------------------------------------------------------------------


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
    """All other rows are, and learn, as without it; what comes back for padding may even be NaN."""
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

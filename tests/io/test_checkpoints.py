# SPDX-License-Identifier: BSD-3-Clause
"""The format of checkpoints: what is written comes back. See training/state/ for damaged files."""

import numpy as np
import pytest

from fastrnn.io import _container as container
from fastrnn.io._checkpoints import read_checkpoint, write_checkpoint


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint"


CONTENT = {
    "nothing": None,
    "numbers": [1, -2.5, True, 2**100, float("inf"), 0.1 + 0.2],
    "text": "grün",
    "empty": {},
    "state": [{"array": 3}, {"dict": [1]}, {"array": np.arange(3)}],
    "a": {"b": np.float32([[1, 2]]), "c": np.zeros((0, 3)), "d": np.array(3)},
    "a/b": np.array([True, False]),
    "tree": np.arange(4, dtype=np.uint64),
}


def assert_equal(actual, expected):
    assert type(actual) is type(expected)
    if isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key in expected:
            assert_equal(actual[key], expected[key])
    elif isinstance(expected, list):
        for pair in zip(actual, expected, strict=True):
            assert_equal(*pair)
    elif isinstance(expected, np.ndarray):
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(actual, expected)
    else:
        assert actual == expected


def test_content_comes_back(path):
    write_checkpoint(path, CONTENT)
    assert_equal(read_checkpoint(path), CONTENT)
    write_checkpoint(
        path, {"nan": float("nan"), "numpy": np.float64(0.5), "tuple": (1, 2), "strided": np.arange(6)[::2]}
    )
    content = read_checkpoint(path)
    assert np.isnan(content.pop("nan"))
    assert_equal(content, {"numpy": 0.5, "tuple": [1, 2], "strided": np.array([0, 2, 4])})


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (2, 0, 3), (2, 3)])
@pytest.mark.parametrize("code", "?bhilqBHILQefd")
def test_arrays_of_every_shape_and_dtype_come_back(path, code, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(code)
    write_checkpoint(path, {"array": {"inner": array}, "transposed": array.T})
    assert_equal(read_checkpoint(path), {"array": {"inner": array}, "transposed": array.T})


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f8", ">f2", ">i8", "<u2", ">i4"])
def test_arrays_of_either_byte_order_come_back(path, dtype):
    """With their values, in the byte order of this machine."""
    array = np.arange(6).reshape(2, 3).astype(dtype)
    for given in (array, array.T, array[0, 0, ...]):
        write_checkpoint(path, {"array": given})
        assert_equal(read_checkpoint(path), {"array": given.astype(given.dtype.newbyteorder("="))})


@pytest.mark.parametrize(
    "array",
    [
        np.ones(2, complex),
        np.ones(2, np.longdouble) if np.dtype(np.longdouble).itemsize > 8 else np.ones(2, complex),
        np.array(["a"]),
        np.array([None]),
        np.array(["2026-01-01"], "datetime64[D]"),
        np.zeros(2, [("x", "f4")]),
        np.ma.masked_array([1.0, 2.0], [False, True]),
    ],
    ids=lambda array: str(array.dtype),
)
def test_what_a_file_cannot_hold_is_refused_by_name(path, array):
    """When it is written: nothing is lost, and no file is left that cannot be read."""
    with pytest.raises(TypeError, match="a/b/0: expected an array "):
        write_checkpoint(path, {"a": {"b": [array]}})
    assert not path.exists()


def test_too_many_arrays_for_a_file(path, monkeypatch):
    """Refused when it is written, not when it is read."""
    monkeypatch.setattr(container, "LARGEST_HEADER", 10_000)
    with pytest.raises(ValueError, match="expected a header of at most 10000 bytes, got .* for 201 arrays"):
        write_checkpoint(path, {"arrays": [np.zeros(1)] * 200})
    assert not path.exists()

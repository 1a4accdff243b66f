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
        assert actual.dtype == expected.dtype
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


def test_too_many_arrays_for_a_file(path, monkeypatch):
    """Refused when it is written, not when it is read."""
    monkeypatch.setattr(container, "LARGEST_HEADER", 10_000)
    with pytest.raises(ValueError, match="expected a header of at most 10000 bytes, got .* for 201 arrays"):
        write_checkpoint(path, {"arrays": [np.zeros(1)] * 200})
    assert not path.exists()

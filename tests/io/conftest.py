# SPDX-License-Identifier: BSD-3-Clause
"""A path for a model file, and a file with the model in it."""

import pytest

import fastrnn as fr


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def saved(path):
    """A file, and the model in it."""
    model = fr.GRU(3, 4, 2, dropout=0.5, seed=0)
    fr.save(model, path)
    return path, model

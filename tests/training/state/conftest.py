# SPDX-License-Identifier: BSD-3-Clause
"""A path for a checkpoint, and a checkpoint with the training that wrote it."""

import pytest
from support.checkpoints import learn, make

import fastrnn as fr


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.checkpoint"


@pytest.fixture
def saved(path):
    """A checkpoint in the middle of a training, and what trained."""
    parts = make()
    learn(*parts)
    fr.save_checkpoint(path, *parts, epoch=3)
    return path, parts

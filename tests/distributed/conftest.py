# SPDX-License-Identifier: BSD-3-Clause
"""The results of the trainings of `support.ranks`, in this process and in others: started once, since that is slow."""

import shutil

import pytest
from support import ranks

import fastrnn as fr


@pytest.fixture(scope="session")
def alone():
    """By name, on one process."""
    with fr.threads(1):
        return ranks.all_cases(None)


@pytest.fixture(scope="session")
def half(tmp_path_factory):
    """The results of two processes, and the checkpoint of half a training."""
    path = str(tmp_path_factory.mktemp("half") / "run")
    return fr.distributed.run(ranks.whole_and_half, path, processes=2, threads=1), path


@pytest.fixture(scope="session")
def four(half):
    """The results of four processes, and those of the training that two began."""
    path = half[1] + "-on-four"
    shutil.copy(half[1], path)
    return fr.distributed.run(ranks.cases_and_rest, path, processes=4, threads=1)

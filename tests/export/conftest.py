# SPDX-License-Identifier: BSD-3-Clause
"""The C library with its baseline engine, built once."""

import pytest
from support import c_library


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """A static library."""
    return c_library.build_baseline(tmp_path_factory.mktemp("baseline"))

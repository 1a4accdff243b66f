# SPDX-License-Identifier: BSD-3-Clause
"""The C library, built once: with its baseline engine in seconds, and as it is installed in a minute."""

import pytest
from support import c_library


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """A static library."""
    return c_library.build_baseline(tmp_path_factory.mktemp("baseline"))


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """An installed library, not where it was built for."""
    return c_library.install(tmp_path_factory.mktemp("library"))

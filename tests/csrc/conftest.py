# SPDX-License-Identifier: BSD-3-Clause
"""The C library as it is installed, built once, in a minute."""

import pytest
from support import c_library


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """An installed library, not where it was built for."""
    return c_library.install(tmp_path_factory.mktemp("library"))

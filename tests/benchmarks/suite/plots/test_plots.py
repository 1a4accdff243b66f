# SPDX-License-Identifier: BSD-3-Clause
"""The plots of a run."""

import pytest


def test_a_run_is_drawn(small_run, tmp_path):
    """Each plot that there is data for, as PNG and SVG."""
    pytest.importorskip("matplotlib")
    from fastrnn.benchmarks._suite import plots

    assert plots.write(small_run, tmp_path) == ["roof", "peers"]
    assert {path.name for path in tmp_path.iterdir()} == {"roof.png", "roof.svg", "peers.png", "peers.svg"}
    assert (tmp_path / "roof.png").read_bytes()[:4] == b"\x89PNG"

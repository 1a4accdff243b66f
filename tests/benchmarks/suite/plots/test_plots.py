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
    before = (tmp_path / "roof.svg").read_bytes()
    plots.write(small_run, tmp_path)
    assert (tmp_path / "roof.svg").read_bytes() == before  # so that only results change what is kept


def test_whole_steps_are_drawn(small_run, tmp_path):
    """Beside each library that they were compared with; without layers there is no other plot."""
    pytest.importorskip("matplotlib")
    from fastrnn.benchmarks._suite import plots

    parts = {"loss": 1.0, "rest": 3.0, "whole": 4.0}
    peers = {"fastrnn": {"parts": parts}, "torch": {"parts": parts, "ratio": 2.0}, "other": {"error": "died"}}
    document = small_run | {"results": [], "steps": [{"name": "steps-x/y", "peers": peers}]}
    assert plots.write(document, tmp_path) == ["steps"]
    figure = plots.PLOTS["steps"](document)
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.125, 0.375, 0.25, 0.75]
    del peers["torch"]["ratio"]
    assert plots.PLOTS["steps"](document) is None

# SPDX-License-Identifier: BSD-3-Clause
"""The plot of the model: a line for each network and model in both panels, none above the ideal."""

import pytest

from fastrnn.benchmarks._scale.model import Costs
from fastrnn.benchmarks._scale.network import PUBLISHED


def test_lines():
    pytest.importorskip("matplotlib")
    from fastrnn.benchmarks._scale.plot import RANKS, draw

    costs = Costs({1: 2e-3, 64: 65e-3}, 1e-4, 1e-3, 1e-5, 2e-6, 1 << 20)
    figure = draw({128: costs, 512: costs._replace(nbytes=1 << 24)})
    for panel in figure.axes:
        lines = [list(line.get_ydata()) for line in panel.get_lines()]
        assert len(lines) == 2 * len(PUBLISHED) + 1 and lines[-1] == RANKS
        for line in lines[:-1]:
            assert len(line) == len(RANKS) and all(y <= x for x, y in zip(RANKS, line, strict=True))
    assert len(figure.legends[0].get_texts()) == 7
    figure.canvas.draw()

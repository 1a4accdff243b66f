# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of plots share: figures are drawn into memory and closed. They need matplotlib."""

import numpy as np
import pytest

pyplot = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed: plots were not tested")
pyplot.switch_backend("agg")


@pytest.fixture(autouse=True)
def closed():
    """Close all figures after each test."""
    yield
    pyplot.close("all")


def image_of(ax):
    """The values of the only image in some axes."""
    (image,) = ax.images
    return np.ma.filled(image.get_array(), np.nan)


def labels(ax, axis="x"):
    """(position, text) of the ticks of an axis."""
    texts = getattr(ax, f"get_{axis}ticklabels")()
    return [(int(text.get_position()[axis == "y"]), text.get_text()) for text in texts]


def overlaps(ax, axis="x"):
    """Pairs of neighbouring tick labels that overlap in the drawn figure."""
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in getattr(ax, f"get_{axis}ticklabels")() if text.get_text()]
    return [(a, b) for a, b in zip(boxes, boxes[1:], strict=False) if a.overlaps(b)]


def without_matplotlib(monkeypatch):
    """Make imports of matplotlib fail."""
    for name in "matplotlib", "matplotlib.pyplot":
        monkeypatch.setitem(__import__("sys").modules, name, None)

# SPDX-License-Identifier: BSD-3-Clause
"""Plots of a run, as PNG and SVG: the part of the roof that is reached, the peers, scaling, and whole steps."""

from pathlib import Path
from typing import Any

import matplotlib

from .classes import draw_peers, draw_roof
from .scaling import draw_scaling
from .steps import draw_steps

PLOTS = {"roof": draw_roof, "peers": draw_peers, "scaling": draw_scaling, "steps": draw_steps}
NAMES = [f"{name}.{kind}" for name in PLOTS for kind in ("png", "svg")]  # of the files


def write(document: dict[str, Any], folder: Path) -> list[str]:
    """Write the plots that the document has data for, and return their names."""
    matplotlib.rcParams["svg.hashsalt"] = "fastrnn"  # the same results give the same file
    names = []
    for name, draw in PLOTS.items():
        figure = draw(document)
        if figure is not None:
            names.append(name)
            figure.savefig(folder / f"{name}.png", dpi=150)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    return names

# SPDX-License-Identifier: BSD-3-Clause
"""The plot of whole steps: how their time divides among parts, relative to the time of the other library."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from .. import cpus
from .style import GREY, WIDTH, draw_grid

PARTS = {  # of fastrnn, then of PyTorch; Okabe and Ito's colours, where parts do the same the same one
    "embedding": "#56B4E9",
    "recurrent": "#0072B2",
    "attention": "#CC79A7",
    "linear": "#009E73",
    "loss": "#F0E442",
    "optimizer": "#E69F00",
    "rest": "#bbbbbb",
    "forward": "#888888",
    "backward": "#444444",
}
NAMES = {"fastrnn": "fastrnn", "torch": "PyTorch", "reservoirpy": "reservoirpy"}
INDENT = 0.012


def draw_bar(panel: Axes, y: float, width: float, parts: dict[str, float], handles: dict[str, Any]) -> None:
    """One bar of a width, divided like the parts."""
    left = 0.0
    for part in (part for part in PARTS if part in parts):
        length = width * parts[part] / parts["whole"]
        handles[part] = panel.barh(y, length, left=left, height=0.8, color=PARTS[part])
        left += length


def draw_steps(document: dict[str, Any]) -> Figure | None:
    """Bars: the time of a step relative to that of the other library. None if no pair was measured."""
    pairs = [
        (row, name)
        for row in document.get("steps", ())
        for name, figures in row["peers"].items()
        if "ratio" in figures and "parts" in figures and "parts" in row["peers"]["fastrnn"]
    ]
    if not pairs:
        return None
    inches = 0.48 * len(pairs) + 1.7
    figure = Figure(figsize=(WIDTH, inches))
    panel = figure.subplots()
    figure.subplots_adjust(left=0.37, right=0.985, top=1 - 0.75 / inches, bottom=0.85 / inches)
    figure.text(INDENT, 1 - 0.3 / inches, "How the time of whole steps divides", fontsize=14, fontweight="bold")
    figure.text(INDENT, 1 - 0.55 / inches, cpus.describe(document["machine"]), fontsize=9.5, color=GREY)
    handles: dict[str, Any] = {}
    for k, (row, name) in enumerate(pairs):
        peers, y = row["peers"], 2.4 * k
        draw_bar(panel, y, 1 / peers[name]["ratio"], peers["fastrnn"]["parts"], handles)
        draw_bar(panel, y + 0.85, 1, peers[name]["parts"], handles)
        label = f"{row['name'].removeprefix('steps-')}\nfastrnn above, {NAMES.get(name, name)} below"
        panel.text(-0.02, y + 0.42, label, transform=panel.get_yaxis_transform(), fontsize=7.5, ha="right", va="center")
    panel.axvline(1, color="black", linewidth=1.2)
    panel.set_ylim(2.4 * len(pairs) - 0.9, -0.7)
    panel.set_yticks([])
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}×"))
    draw_grid(panel, axis="x")
    panel.set_xlabel("time relative to that of the other library", fontsize=9)
    parts = [part for part in PARTS if part in handles]
    figure.legend(
        [handles[part] for part in parts], parts, loc="lower center", ncols=len(parts), frameon=False, fontsize=9,
        handlelength=1.2, columnspacing=1.4,
    )  # fmt: skip
    return figure

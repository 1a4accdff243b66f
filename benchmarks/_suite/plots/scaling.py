# SPDX-License-Identifier: BSD-3-Clause
"""The plot of scaling: operations per second as one size grows."""

import itertools
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from .. import cpus
from .style import FASTRNN, MODES, PEERS, WIDTH, draw_grid

SCALING = {  # group: (the size that grows, the other sizes)
    "scaling-T": ("T", "N=1, H=I=64"),
    "scaling-N": ("N", "T=50, H=I=256"),
    "scaling-H": ("H", "T=50, N=16, I=H"),
    "scaling-threads": ("threads", "T=50, N=64, H=I=256"),
}
LINES = {"fastrnn": ("fastrnn", FASTRNN), "torch": ("PyTorch", PEERS["torch"][1])}


def draw_lines(panel: Axes, rows: Sequence[dict[str, Any]], size: str) -> dict[str, Any]:
    """A line for each library and mode; returns the handles of the legend by their labels."""
    handles = {}
    for (peer, (name, color)), (training, mode) in itertools.product(LINES.items(), MODES):
        points = [
            (row[size], row["peers"][peer]["gflops"])
            for row in rows
            if row["training"] == training and "gflops" in row["peers"].get(peer, {})
        ]
        if points:
            xs, ys = zip(*sorted(points), strict=True)
            (handles[f"{name}, {mode.lower()}"],) = panel.plot(
                xs, ys, "s--" if training else "o-", color=color, markersize=4, linewidth=1.5
            )
    return handles


def draw_roof(panel: Axes, rows: Sequence[dict[str, Any]], size: str, rates: dict[str, float]) -> Any:
    """The multiply-add rate of the machine, by number of threads in `rates`; returns the handle of the legend."""
    counts = sorted({str(row["threads"]) for row in rows} & rates.keys(), key=int)
    if size == "threads":
        xs, ys = [int(n) for n in counts], [rates[n] for n in counts]
    else:
        xs, ys = [min(row[size] for row in rows), max(row[size] for row in rows)], [rates[counts[-1]]] * 2
    (handle,) = panel.plot(xs, ys, color="black", linewidth=1.2)
    return handle


def format_panel(panel: Axes, rows: Sequence[dict[str, Any]], size: str, title: str) -> None:
    """Scales, ticks and labels."""
    panel.set_yscale("log")
    if size == "threads":
        panel.set_xticks(sorted({row["threads"] for row in rows}))
        panel.margins(x=0.3)
    else:
        panel.set_xscale("log", base=10 if size == "T" else 2)
        panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    draw_grid(panel, which="major")
    panel.set_title(title, fontsize=10)
    panel.set_xlabel(size, fontsize=10)
    panel.spines[["top", "right"]].set_visible(False)


def draw_scaling(document: dict[str, Any]) -> Figure | None:
    """Lines: GFLOP/s of fastrnn and PyTorch as one size grows. None if nothing of it was measured."""
    groups = {name: [row for row in document["results"] if row["group"] == name] for name in SCALING}
    groups = {name: rows for name, rows in groups.items() if rows}
    if not groups:
        return None
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    title = f"LSTM: operations per second as the problem grows (GFLOP/s); {cpus.describe(document['machine'])}"
    figure.suptitle(title, x=0.012, ha="left", fontsize=12, fontweight="bold")
    axes = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
    handles: dict[str, Any] = {}
    for panel, (name, rows) in zip(axes, groups.items(), strict=True):
        size, others = SCALING[name]
        handles |= draw_lines(panel, rows, size)
        handles["multiply-add roof"] = draw_roof(panel, rows, size, document["roof"]["fma_gflops"]["float32"])
        format_panel(panel, rows, size, others)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure

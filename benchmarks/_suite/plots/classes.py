# SPDX-License-Identifier: BSD-3-Clause
"""Two plots of the classes of shapes: against the roof of the machine, and against the peers."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from .rows import Rows, draw_legend
from .style import CELLS, GREY, MODES, PEERS, draw_grid

TICKS = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


def draw_roof(document: dict[str, Any]) -> Figure | None:
    """Bars: the part of the roof that is reached, with GFLOP/s beside it. None if no class was measured."""
    rows = Rows(document)
    if not rows.cases:
        return None
    figure, axes = rows.make_figure("How much of the machine's roof fastrnn reaches")
    handles = {}
    for panel, (training, _) in zip(axes, MODES, strict=True):
        for (_, _, cell), (y, modes) in rows.cases.items():
            ours = modes.get(training, {}).get("peers", {}).get("fastrnn", {})
            if "roof_fraction" not in ours:
                continue
            percent = 100 * ours["roof_fraction"]
            handles[cell] = panel.barh(y, percent, height=0.86, color=CELLS[cell][1])
            panel.text(
                percent + 1, y, f"{ours['gflops']:.3g}", fontsize=7, va="center", color=GREY, zorder=3,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3},
            )  # fmt: skip
        panel.axvline(100, color="black", linewidth=1.2)
        panel.set_xlim(0, 112)
        panel.set_xticks(range(0, 101, 20))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0f} %"))
        draw_grid(panel, axis="x")
        panel.set_xlabel("of the roof; small numbers are GFLOP/s", fontsize=9)
    draw_legend(figure, [(CELLS[cell][0], handles[cell]) for cell in CELLS if cell in handles])
    return figure


def draw_ratios(panel: Axes, rows: Rows, training: bool, handles: dict[str, Any]) -> list[float]:
    """The dots of one panel; returns the ratios."""
    all_ratios = []
    for (_, _, cell), (y, modes) in rows.cases.items():
        figures = modes.get(training, {}).get("peers", {})
        ratios = {name: figures[name]["ratio"] for name in PEERS if "ratio" in figures.get(name, {})}
        if not ratios:
            continue
        panel.plot([1, max(ratios.values())], [y, y], color="#dddddd", linewidth=1, zorder=1)
        for name, ratio in ratios.items():
            _, color, marker = PEERS[name]
            (handles[name],) = panel.plot(
                ratio, y, marker, color=color, markersize=5, linestyle="none", zorder=3, alpha=0.85
            )
        transform = panel.get_yaxis_transform()
        panel.text(0.004, y, CELLS[cell][0], transform=transform, fontsize=6.5, va="center", color=GREY)
        all_ratios += ratios.values()
    return all_ratios


def draw_peers(document: dict[str, Any]) -> Figure | None:
    """Dots: how many times longer each peer takes. None if no class was measured."""
    rows = Rows(document)
    if not rows.cases:
        return None
    figure, axes = rows.make_figure("How many times longer other libraries take")
    handles, ratios = {}, [0.8, 2.0]  # the smallest range
    for panel, (training, _) in zip(axes, MODES, strict=True):
        ratios += draw_ratios(panel, rows, training, handles)
        panel.set_xscale("log")
        panel.axvline(1, color="black", linewidth=1.2, zorder=2)
        panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}×"))
        panel.xaxis.set_minor_formatter(NullFormatter())
        draw_grid(panel, axis="x", which="major")
        panel.set_xlabel("time of the peer / time of fastrnn (right of 1×: fastrnn is faster)", fontsize=8)
    low, high = min(ratios), max(ratios)
    ticks = [tick for tick in TICKS if low / 1.6 <= tick <= high * 1.2]
    margin = (high * 1.3 / low) ** 0.34  # for the names of the cells, a quarter of the width
    for panel in axes:
        panel.set_xlim(low / margin, high * 1.3)
        panel.set_xticks(ticks)
        panel.tick_params(axis="x", labelsize=8)  # so that those of 50, 100 and 200 do not touch
    draw_legend(figure, [(PEERS[name][0], handles[name]) for name in PEERS if name in handles])
    return figure

# SPDX-License-Identifier: BSD-3-Clause
"""The plot of the model: how many times faster 1 to 256 ranks are, by network and size of the model."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from .._suite.plots.style import GREY, WIDTH, draw_grid
from .model import Costs, speed_up
from .network import PUBLISHED

RANKS = [1 << k for k in range(9)]
BATCH, SHARDS = 1024, 256  # of the panel in which these stay
ROWS = 64  # of a rank, in the other
COLORS = dict(zip(PUBLISHED, ("#D55E00", "#0072B2", "#009E73"), strict=True))  # Okabe and Ito's
LINES = ("o--", "s-", "^:")  # a model each
PANELS = {
    f"One batch of {BATCH} rows, {SHARDS} shards": lambda ranks: (BATCH, SHARDS),
    f"{ROWS} rows for each rank, a shard each": lambda ranks: (ROWS * ranks, ranks),
}


def draw(models: Mapping[int, Costs]) -> Figure:
    """Lines by the number of units of the model, for each network."""
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    title = "Speed-up over one process by number of ranks, of the model"
    figure.suptitle(title, x=0.012, ha="left", fontsize=14, fontweight="bold")
    handles: dict[str, Any] = {}
    for panel, (name, sizes) in zip(figure.subplots(1, 2, sharey=True), PANELS.items(), strict=True):
        for (H, costs), line in zip(models.items(), LINES, strict=False):
            for network, color in COLORS.items():
                times = [speed_up(costs, PUBLISHED[network], ranks, *sizes(ranks)) for ranks in RANKS]
                (handles[f"{H} units, {network}"],) = panel.plot(
                    RANKS, times, line, color=color, markersize=4, linewidth=1.5
                )
        (handles["ideal"],) = panel.plot(RANKS, RANKS, color=GREY, linewidth=1)
        format_panel(panel, name)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def format_panel(panel: Axes, title: str) -> None:
    for axis, scale in (panel.xaxis, panel.set_xscale), (panel.yaxis, panel.set_yscale):
        scale("log", base=2)
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    panel.set_xticks(RANKS)
    draw_grid(panel, which="major")
    panel.set_title(title, fontsize=10)
    panel.set_xlabel("ranks", fontsize=10)
    panel.spines[["top", "right"]].set_visible(False)

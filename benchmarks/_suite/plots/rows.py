# SPDX-License-Identifier: BSD-3-Clause
"""The layout that the plots of the classes share: a row for each shape and cell, panels for inference and training."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import cpus
from ..table import CLASSES
from .style import CELLS, GREY, MODES, WIDTH

GAP, CLASS_GAP = 0.9, 1.0  # between shapes, and in addition between classes, in units of a bar


def shape_rank(row: dict[str, Any]) -> int:
    """The position of a shape in its class; shapes that are not in the table come last."""
    shape, shapes = (row["T"], row["N"], row["I"], row["H"]), CLASSES[row["group"]]
    return shapes.index(shape) if shape in shapes else len(shapes)


def sort_key(row: dict[str, Any]) -> tuple[int, int, int]:
    """Order by class, shape and cell."""
    return list(CLASSES).index(row["group"]), shape_rank(row), list(CELLS).index(row["cell"])


class Rows:
    """The vertical position of each case: by class, shape and cell, from the top.

    Attributes
    ----------
    threads : int
        The number of threads of the cases, the largest that was measured.
    cases : dict
        (class, shape, cell) to (position, {training: element of "results" in RESULTS.json}).
    shapes : list of (str, list of float)
        Label and positions of the rows of each shape.
    classes : list of (str, float)
        Name and first position of each class.
    height : float
        The position below the last row.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.threads: int = max((row["threads"] for row in document["results"]), default=1)
        self.machine: dict[str, Any] = document["machine"]
        self.cases: dict[tuple[str, str, str], tuple[float, dict[bool, dict[str, Any]]]] = {}
        self.shapes: list[tuple[str, list[float]]] = []
        self.classes: list[tuple[str, float]] = []
        y, before = 0.0, None
        rows = [r for r in document["results"] if r["group"] in CLASSES and r["threads"] == self.threads]
        for row in sorted(rows, key=sort_key):
            shape = row["group"], row["shape"]
            key = (*shape, row["cell"])
            if key not in self.cases:
                if before is not None and shape != before:
                    y += GAP + (CLASS_GAP if shape[0] != before[0] else 0)
                if shape != before:
                    self.shapes.append((f"({row['T']}, {row['N']}, {row['I']}, {row['H']})", []))
                if before is None or shape[0] != before[0]:
                    self.classes.append((row["group"], y))
                self.shapes[-1][1].append(y)
                self.cases[key], before, y = (y, {}), shape, y + 1
            self.cases[key][1][row["training"]] = row
        self.height = y

    def make_figure(self, title: str) -> tuple[Figure, list[Axes]]:
        """A figure with two panels, inference and training, and the shapes on the left."""
        inches = 0.118 * self.height + 1.8
        figure = Figure(figsize=(WIDTH, inches))
        axes = list(figure.subplots(1, 2, sharey=True))
        top, bottom = 1 - 0.92 / inches, 0.77 / inches
        figure.subplots_adjust(left=0.185, right=0.985, top=top, bottom=bottom, wspace=0.09)
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        subtitle = f"{cpus.describe(self.machine)}, {self.machine['isa']}, {threads}, float32"
        figure.text(0.012, 1 - 0.3 / inches, title, fontsize=14, fontweight="bold")
        figure.text(0.012, 1 - 0.55 / inches, subtitle, fontsize=9.5, color=GREY)
        figure.text(0.172, 1 - 0.82 / inches, "(T, N, I, H)", fontsize=9, color=GREY, ha="right")
        for panel, (_, label) in zip(axes, MODES, strict=True):
            panel.set_title(label, fontsize=11, loc="left")
            panel.set_ylim(self.height - 0.2, -0.8 - CLASS_GAP)
            panel.tick_params(axis="y", length=0)
            panel.spines[["top", "right", "left"]].set_visible(False)
            for _, y in self.classes:
                panel.axhline(y - 0.5 - CLASS_GAP * 0.95, color="#cccccc", linewidth=0.8)
        transform = axes[0].get_yaxis_transform()
        for name, y in self.classes:
            axes[0].text(-0.37, y - 0.55, name, transform=transform, fontsize=10, fontweight="bold", va="bottom")
        positions = [sum(ys) / len(ys) for _, ys in self.shapes]
        axes[0].set_yticks(positions, [label for label, _ in self.shapes], fontsize=9.5)
        return figure, axes


def draw_legend(figure: Figure, entries: Sequence[tuple[str, Any]]) -> None:
    """One line of (label, handle) pairs at the bottom."""
    figure.legend(
        [handle for _, handle in entries], [label for label, _ in entries], loc="lower center", ncols=len(entries),
        frameon=False, fontsize=10,
    )  # fmt: skip

# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of a run, each as PNG and SVG: the part of the roof that is reached, the peers, and how time grows.

Colours are those of Okabe and Ito, which everybody can tell apart.
"""

import itertools

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from .cases import CLASSES

CELLS = {
    "lstm": ("LSTM", "#0072B2"),
    "gru": ("GRU", "#E69F00"),
    "gru_reset_before": ("GRU, reset before", "#CC79A7"),
    "rnn_tanh": ("RNN", "#009E73"),
}
PEERS = {
    "torch": ("PyTorch", "#D55E00", "o"),
    "onnxruntime": ("ONNX Runtime", "#0072B2", "s"),
    "openvino": ("OpenVINO", "#009E73", "^"),
    "jax": ("JAX", "#CC79A7", "D"),
    "numpy": ("NumPy", "#999999", "x"),
}
OURS = "#0072B2"
MODES = ((False, "Inference"), (True, "Training step"))
GREY = "#555555"
WIDTH = 10.0  # inches
GAP, CLASS_GAP = 0.9, 1.0  # in bars: between shapes, and more between classes


def write(run, folder):
    """Write the pictures for which the run has data; returns their names."""
    names = []
    for name, draw in (("roof", roof), ("peers", peers), ("scaling", scaling)):
        figure = draw(run)
        if figure is not None:
            names.append(name)
            figure.savefig(folder / f"{name}.png", dpi=150)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    return names


def subtitle(run, threads):
    machine = run["machine"]
    return f"{machine['cpu']}, {machine['isa']}, {threads} thread{'s' if threads > 1 else ''}, float32"


class Rows:
    """Where each case of the classes stands on a vertical axis: by class, shape and cell, from above."""

    def __init__(self, run):
        threads = max(row["threads"] for row in run["results"])
        wanted = [r for r in run["results"] if r["group"] in CLASSES and r["threads"] == threads]
        self.threads, self.cases = threads, {}
        self.shapes, self.classes, y, before = [], [], 0.0, None
        cells = list(CELLS)
        for row in sorted(
            wanted, key=lambda r: (list(CLASSES).index(r["group"]), shape_rank(r), cells.index(r["cell"]))
        ):
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

    def figure(self, title, run, legend_lines):
        """Two panels, inference and training, with the shapes' names on the left."""
        inches = 0.118 * self.height + 1.55 + 0.25 * legend_lines
        figure = Figure(figsize=(WIDTH, inches))
        axes = figure.subplots(1, 2, sharey=True)
        figure.subplots_adjust(
            left=0.185, right=0.985, top=1 - 0.92 / inches, bottom=(0.52 + 0.25 * legend_lines) / inches, wspace=0.09
        )
        figure.text(0.012, 1 - 0.3 / inches, title, fontsize=14, fontweight="bold")
        figure.text(0.012, 1 - 0.55 / inches, subtitle(run, self.threads), fontsize=9.5, color=GREY)
        figure.text(0.172, 1 - 0.82 / inches, "(T, N, I, H)", fontsize=9, color=GREY, ha="right")
        for panel, (_, words) in zip(axes, MODES, strict=True):
            panel.set_title(words, fontsize=11, loc="left")
            panel.set_ylim(self.height - 0.2, -0.8 - CLASS_GAP)
            panel.tick_params(axis="y", length=0)
            for side in ("top", "right", "left"):
                panel.spines[side].set_visible(False)
            for k, (name, y) in enumerate(self.classes):
                panel.axhline(y - 0.5 - CLASS_GAP * 0.95, color="#cccccc", linewidth=0.8)
                if k is not None and panel is axes[0]:
                    panel.text(
                        -0.37,
                        y - 0.55,
                        name,
                        transform=panel.get_yaxis_transform(),
                        fontsize=10,
                        fontweight="bold",
                        va="bottom",
                    )
        axes[0].set_yticks(
            [sum(ys) / len(ys) for _, ys in self.shapes], [name for name, _ in self.shapes], fontsize=9.5
        )
        return figure, axes


def shape_rank(row):
    shape = (row["T"], row["N"], row["I"], row["H"])
    return CLASSES[row["group"]].index(shape) if shape in CLASSES[row["group"]] else len(CLASSES[row["group"]])


def roof(run):
    """Bars: which part of what the machine allows is reached; the number beside is GFLOP/s."""
    rows = Rows(run)
    if not rows.cases:
        return None
    figure, axes = rows.figure("How much of the machine's own roof fastrnn reaches", run, 1)
    shown = {}
    for panel, (training, _) in zip(axes, MODES, strict=True):
        for (_, _, cell), (y, modes) in rows.cases.items():
            ours = modes.get(training, {}).get("peers", {}).get("fastrnn", {})
            if "roof_fraction" not in ours:
                continue
            part = 100 * ours["roof_fraction"]
            shown[cell] = panel.barh(y, part, height=0.86, color=CELLS[cell][1])
            panel.text(part + 1, y, f"{ours['gflops']:.3g}", fontsize=7, va="center", color=GREY)
        panel.axvline(100, color="black", linewidth=1.2)
        panel.set_xlim(0, 112)
        panel.set_xticks(range(0, 101, 20))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0f} %"))
        panel.grid(axis="x", color="#e5e5e5", linewidth=0.7)
        panel.set_axisbelow(True)
        panel.set_xlabel("of the roof; small numbers are GFLOP/s", fontsize=9)
    legend(figure, [(CELLS[cell][0], shown[cell]) for cell in CELLS if cell in shown])
    return figure


def peers(run):
    """Dots: how many times longer each peer takes."""
    rows = Rows(run)
    if not rows.cases:
        return None
    figure, axes = rows.figure("How many times longer the others take", run, 1)
    shown, low, high = {}, 0.8, 2.0
    for panel, (training, _) in zip(axes, MODES, strict=True):
        for (_, _, cell), (y, modes) in rows.cases.items():
            found = modes.get(training, {}).get("peers", {})
            ratios = {name: found[name]["ratio"] for name in PEERS if "ratio" in found.get(name, {})}
            if not ratios:
                continue
            panel.plot([1, max(ratios.values())], [y, y], color="#dddddd", linewidth=1, zorder=1)
            for name, ratio in ratios.items():
                _, colour, marker = PEERS[name]
                (shown[name],) = panel.plot(
                    ratio, y, marker, color=colour, markersize=5, linestyle="none", zorder=3, alpha=0.85
                )
            low, high = min(low, *ratios.values()), max(high, *ratios.values())
            panel.text(
                0.004, y, CELLS[cell][0], transform=panel.get_yaxis_transform(), fontsize=6.5, va="center", color=GREY
            )
        panel.set_xscale("log")
        panel.axvline(1, color="black", linewidth=1.2, zorder=2)
        panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}×"))
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.grid(axis="x", which="major", color="#e5e5e5", linewidth=0.7)
        panel.set_axisbelow(True)
        panel.set_xlabel("time of the peer / time of fastrnn (right of 1×: fastrnn is ahead)", fontsize=8)
    ticks = [tick for tick in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if low / 1.6 <= tick <= high * 1.2]
    names = (high * 1.3 / low) ** 0.34  # room for the cells' names, a quarter of the width
    for panel in axes:
        panel.set_xlim(low / names, high * 1.3)
        panel.set_xticks(ticks)
    legend(figure, [(PEERS[name][0], shown[name]) for name in PEERS if name in shown])
    return figure


SCALING = {  # group: (the size that changes, the others)
    "scaling-T": ("T", "N=1, H=I=64"),
    "scaling-N": ("N", "T=50, H=I=256"),
    "scaling-H": ("H", "T=50, N=16, I=H"),
    "scaling-threads": ("threads", "T=50, N=64, H=I=256"),
}


def scaling(run):
    """Lines: GFLOP/s of fastrnn and PyTorch as one size grows."""
    groups = {name: [row for row in run["results"] if row["group"] == name] for name in SCALING}
    groups = {name: rows for name, rows in groups.items() if rows}
    if not groups:
        return None
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    figure.suptitle(
        "LSTM: operations per second as the problem grows (GFLOP/s)", x=0.012, ha="left", fontsize=14, fontweight="bold"
    )
    axes = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
    colours = {"fastrnn": ("fastrnn", OURS), "torch": ("PyTorch", PEERS["torch"][1])}
    handles = {}
    for panel, (name, rows) in zip(axes, groups.items(), strict=True):
        size, others = SCALING[name]
        for (peer, (label, colour)), (training, mode) in itertools.product(colours.items(), MODES):
            marker, line, words = "s" if training else "o", "--" if training else "-", f"{label}, {mode.lower()}"
            points = [
                (row[size], row["peers"][peer]["gflops"])
                for row in rows
                if row["training"] == training and "gflops" in row["peers"].get(peer, {})
            ]
            if points:
                (handles[words],) = panel.plot(
                    *zip(*sorted(points), strict=True), line, color=colour, marker=marker, markersize=4, linewidth=1.5
                )
        fma = run["roof"]["fma_gflops"]["float32"]
        counts = sorted({str(row["threads"]) for row in rows} & fma.keys(), key=int)
        flat = name != "scaling-threads"
        xs = [min(row[size] for row in rows), max(row[size] for row in rows)] if flat else [int(n) for n in counts]
        ys = [fma[counts[-1]]] * 2 if flat else [fma[n] for n in counts]
        (handles["multiply-add roof"],) = panel.plot(xs, ys, color="black", linewidth=1.2)
        panel.set_yscale("log")
        if flat:
            panel.set_xscale("log", base=2 if size != "T" else 10)
            panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        else:
            panel.set_xticks(sorted({row["threads"] for row in rows}))
            panel.margins(x=0.3)
        panel.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        panel.grid(which="major", color="#e5e5e5", linewidth=0.7)
        panel.set_axisbelow(True)
        panel.set_title(others, fontsize=10)
        panel.set_xlabel(size, fontsize=10)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def legend(figure, entries):
    figure.legend(
        [handle for _, handle in entries],
        [words for words, _ in entries],
        loc="lower center",
        ncols=len(entries),
        frameon=False,
        fontsize=10,
    )

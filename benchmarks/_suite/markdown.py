# SPDX-License-Identifier: BSD-3-Clause
"""RESULTS.md, made from the document that RESULTS.json holds."""

from collections.abc import Sequence
from typing import Any

from . import accelerated, cpus
from .aims import best_peer, speed_aim
from .quiet import NOISE
from .roof import moved
from .steps.report import step_tables
from .tables import format_duration, format_ratio, geometric_mean, make_table

Row = dict[str, Any]  # an element of "results" in RESULTS.json

GROUP_TITLES = {
    "tiny": "Tiny, per sample",
    "small": "Small batch",
    "resident": "Cache-resident",
    "large": "Large",
    "float64": "float64",
    "ragged": "Ragged: lengths uniform in [1, T]",
    "ragged-dense": "Dense, with as many steps in total as the ragged batches",
    "stacks": "Bidirectional and stacked layers",
    "deepbench": "DeepBench shapes (I = H; GRU with 50 or 100 of its 1500 steps; here with the input projection)",
    "speech": "Speech and translation (RNN-T prediction, RNN-T encoder, small GNMT twice)",
    "streaming": "Streaming: one step per call, carrying the state",
    "streams-pooled": "Concurrent streams, a step of all of them in one call: a `StreamPool`, or one batch",
    "streams-each": "Concurrent streams, a call for the step of each",
    "scaling-T": "Scaling with T",
    "scaling-N": "Scaling with N",
    "scaling-H": "Scaling with H = I",
    "scaling-threads": "Scaling with threads",
}


def group_table(rows: Sequence[Row]) -> list[str]:
    """One line per case, followed by a list of who was not measured and why."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row["peers"]) if name != "fastrnn"]
    lines, notes = [], {}  # notes: a dict, which keeps the order and drops repetitions
    for row in rows:
        line = [f"{row['cell']} {row['shape']} {'train' if row['training'] else 'infer'}", row["threads"]]
        ours = row["peers"]["fastrnn"]
        if "median_seconds" in ours:
            line += [format_duration(ours["median_seconds"]), format_duration(ours["p95_seconds"])]
            line += [f"{ours['gflops']:.3g}", f"{100 * ours['roof_fraction']:.0f} %"]
        else:
            line += ["–"] * 4
        for name in names:
            figures = row["peers"].get(name, {})
            otherwise = "error" if "error" in figures else "–"
            line.append(format_ratio(figures["ratio"]) if "ratio" in figures else otherwise)
        for name in ("fastrnn", *names):
            figures = row["peers"].get(name, {})
            if "skipped" in figures:
                notes[f"* {name}: skipped: {figures['skipped']}"] = None
            if "error" in figures:
                notes[f"* {name}: {row['name']}: {figures['error']}"] = None
        lines.append(line)
    head = ["case", "threads", "median", "p95", "GF/s", "of the roof", *names]
    return make_table(head, lines) + ([*notes, ""] if notes else [])


def class_name(row: Row) -> str:
    """The class of shapes that a case is in, with its cell and mode; of a whole step, the model."""
    if row["group"].startswith("steps-"):
        return f"whole step, {row['group'].removeprefix('steps-')}"
    return f"{row['group']}, {row['cell']}, {'training' if row['training'] else 'inference'}"


def summary_table(rows: Sequence[Row]) -> list[str]:
    """Per class, cell and mode: the ratio to the best peer, the aim, and what the ratio would be at the roof."""
    groups: dict[tuple[str, float], list[tuple[float, float | None]]] = {}
    for row in rows:
        aim, best = speed_aim(row), best_peer(row)
        if aim is not None and best is not None:
            fraction = row["peers"]["fastrnn"].get("roof_fraction")
            groups.setdefault((class_name(row), aim), []).append((best[1], best[1] / fraction if fraction else None))
    lines = []
    for (name, aim), pairs in groups.items():
        ratios = [ratio for ratio, _ in pairs]
        ceilings = [ceiling for _, ceiling in pairs if ceiling is not None]
        line = [name, format_ratio(min(ratios)), format_ratio(geometric_mean(ratios)), f"{aim:g}"]
        line.append(f"{sum(ratio >= aim for ratio in ratios)} of {len(ratios)}")
        lines.append([*line, f"{geometric_mean(ceilings):.3g}" if ceilings else "–"])
    return make_table(["class", "worst", "geometric mean", "aim", "reached", "at the roof"], lines)


def slower_cases(rows: Sequence[Row]) -> list[str]:
    """The cases in which a peer is faster, the worst first."""
    pairs = [(best, row["name"]) for row in rows if (best := best_peer(row)) is not None and best[1] < 1]
    if not pairs:
        return ["Nowhere in this run.", ""]
    pairs.sort(key=lambda pair: (pair[0][1], pair[1]))
    return make_table(["case", "peer", "ratio"], [[case, peer, f"{ratio:.2f}"] for (peer, ratio), case in pairs])


def ragged_cost(rows: Sequence[Row]) -> list[list[str]]:
    """The time per row and step of each ragged batch, relative to the dense batch of the same size."""
    median = {row["name"]: row["peers"]["fastrnn"].get("median_seconds") for row in rows}
    dense = {(r["cell"], r["N"], r["H"], r["training"], r["threads"]): r for r in rows if r["group"] == "ragged-dense"}
    lines = []
    for row in rows:
        other = dense.get((row["cell"], row["N"], row["H"], row["training"], row["threads"]))
        if row["group"] == "ragged" and other is not None and median[row["name"]] and median[other["name"]]:
            cost = median[row["name"]] / row["rows"] / (median[other["name"]] / other["rows"])
            lines.append([row["name"], f"{cost:.2f}"])
    return lines


def concurrent_table(rows: Sequence[Row]) -> list[str]:
    """Steps per second of all concurrent streams, and the latency, by who runs them and how; [] without such cases."""
    figures: dict[tuple[str, int, int], dict[str, str]] = {}
    for row in rows:
        if row["group"].startswith("streams-"):
            found = figures.setdefault((row["cell"], row["threads"], row["N"]), {})
            for name, peer in row["peers"].items():
                if "p99_seconds" in peer:
                    rate, latency = row["N"] / peer["median_seconds"], format_duration(peer["p99_seconds"])
                    found[f"{name}, {row['group'].removeprefix('streams-')}"] = f"{rate / 1e3:.0f} k/s, {latency}"
    names = list(dict.fromkeys(name for found in figures.values() for name in found))
    lines = [[*key, *(found.get(name, "–") for name in names)] for key, found in figures.items()]
    return make_table(["cell", "threads", "streams", *names], lines) if lines else []


def disturbed_cases(rows: Sequence[Row]) -> list[str]:
    """Names of the cases during which other processes used the machine."""
    return [row["name"] for row in rows if (row["elsewhere_cores"] or 0) > NOISE]


def roof_note(document: dict[str, Any]) -> list[str]:
    """Whether the machine was as fast at the end of the run as at its start."""
    if "roof_after" not in document:
        return ["It was measured at the start of the run only.", ""]
    changes = moved(document["roof"], document["roof_after"])
    if not changes:
        return ["Measured again at the end, no rate differs by more than 10 %.", ""]
    lines = [f"* {name}: {ratio:.2f} times that of the start" for name, ratio in changes.items()]
    return [
        "**The roof moved during this run**: shares of it, and times, are less certain. At the end:",
        "",
        *lines,
        "",
    ]


def roof_table(roof: dict[str, Any]) -> list[str]:
    """The rates of the machine, by number of threads."""
    counts, barrier = list(roof["fma_gflops"]["float32"]), roof["barrier_seconds"]
    lines = [
        [f"multiply-adds, {dtype}, GF/s", *(f"{roof['fma_gflops'][dtype][n]:.0f}" for n in counts)]
        for dtype in ("float32", "float64")
    ]
    for level, rates in roof["read_gbs"].items():
        lines.append([f"reading {level}, GB/s", *(f"{rates[n]:.0f}" for n in counts)])
    lines.append(["barrier, ns", *(f"{barrier[n] * 1e9:.0f}" if n in barrier else "–" for n in counts)])
    return make_table(["threads", *counts], lines)


def contract_lines(contracts: dict[str, Any]) -> list[list[str]]:
    """One line for each figure of `contracts.measure`."""
    lines = []
    for name, figures in contracts.items():
        for key, value in figures.items():
            if isinstance(value, str):
                lines.append([name, key, value])
            elif key.endswith("bytes"):
                lines.append([name, key.removesuffix("_bytes"), f"{value / 1e6:.3g} MB"])
            elif "median_seconds" in value:
                text = f"{format_duration(value['median_seconds'])}, p95 {format_duration(value['p95_seconds'])}"
                if "p95_ratio" in value:
                    text += f" ({value['median_ratio']:.2f}, {value['p95_ratio']:.2f} times)"
                lines.append([name, key, text])
            else:
                for H, part in value.items():
                    above = format_duration(max(0, part["above_seconds"]))
                    text = f"{format_duration(part['call_seconds'])}, {above} above the kernel"
                    lines.append([name, f"{key} H={H}", text])
    return lines


def header(machine: dict[str, Any]) -> list[str]:
    """The title, the run, and how to read the tables."""
    versions = {package: version for packages in machine["versions"].values() for package, version in packages.items()}
    load = "unknown" if machine["load_average"] is None else f"{machine['load_average']:.2f}"
    return [
        "# Benchmark results",
        "",
        f"`{machine['command']}`, {machine['date']}, commit {machine['commit'] or 'unknown'}",
        "",
        f"* {cpus.describe(machine)}, {machine['cores']} cores, engine {machine['isa']}, load at the start {load}",
        f"* {machine['system']}, Python {machine['python']}",
        "* " + ", ".join(f"{package} {version}" for package, version in versions.items()),
        "",
        "The columns of the peers are the peer's time divided by fastrnn's: above 1 fastrnn is faster, below 1 (bold)",
        "the peer is. Times can be compared only within one run.",
        "[README.md](../../README.md) says what is measured, and how.",
        "",
    ]


def markdown(document: dict[str, Any]) -> str:
    """The text of RESULTS.md."""
    rows, whole = document["results"], document.get("steps", [])
    out = header(document["machine"])
    if any(speed_aim(row) is not None for row in (*rows, *whole)):
        out += ["## Against the best peer", ""]
        out += [
            "At the roof: the geometric mean if fastrnn took no more time than the roof of the machine allows. Where"
        ]
        out += ["that is below the aim, no kernel can reach the aim on this machine. What limits the others is in"]
        out += ["[LIMITS.md](../../LIMITS.md).", "", *summary_table((*rows, *whole))]
    out += ["## Where a peer is ahead", "", *slower_cases((*rows, *whole))]
    out += ["## The roof of the machine", "", *roof_table(document["roof"]), *roof_note(document)]
    if names := disturbed_cases((*rows, *whole)):
        out += ["## Measured while other processes used the machine", "", *(f"* {name}" for name in names), ""]
    for group in dict.fromkeys(row["group"] for row in rows):
        out += [f"## {GROUP_TITLES.get(group, group)}", ""]
        out += group_table([row for row in rows if row["group"] == group])
        if group == "ragged" and (lines := ragged_cost(rows)):
            out += ["Time per row and step, relative to the dense batch:", ""]
            out += make_table(["case", "ragged / dense"], lines)
    if lines := concurrent_table(rows):
        out += ["## Concurrent streams", ""]
        out += [
            "Steps per second of all streams, and how long a stream waits for its output if all have input at once:"
        ]
        out += ["the 99th percentile of a call in which each takes a step.", "", *lines]
    if whole:
        out += ["## Whole steps", "", *step_tables(whole)]
    if document.get("accelerated"):
        out += ["## PyTorch modules before and after `fastrnn.torch.accelerate`, on one thread", ""]
        out += ["The shortest of many calls; training is a call and the gradients of all weights.", ""]
        out += accelerated.table(document["accelerated"])
    if document["contracts"]:
        out += ["## Apart from throughput", ""]
        out += make_table(["contract", "case", "result"], contract_lines(document["contracts"]))
    return "\n".join(out).rstrip() + "\n"

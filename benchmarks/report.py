# SPDX-License-Identifier: BSD-3-Clause
"""What a run found: RESULTS.json, all of it, and RESULTS.md, to be read."""

import json
import math
from dataclasses import asdict

from .aims import best_peer, speed_aim
from .quiet import NOISE
from .roof import bound

FORMAT = 1  # of RESULTS.json
GROUP_TITLES = {
    "tiny": "Tiny, per sample",
    "small": "Small batch",
    "resident": "Cache-resident",
    "large": "Large",
    "float64": "float64",
    "ragged": "Ragged: lengths uniform in [1, T]",
    "ragged-dense": "Dense, with as many steps in all as the ragged batches",
    "stacks": "Two directions, several layers",
    "deepbench": "DeepBench shapes (I = H; GRU with 50 or 100 of its 1500 steps; here with the input projection)",
    "speech": "Speech and translation (RNN-T prediction, RNN-T encoder, small GNMT twice)",
    "streaming": "Streaming: one step per call, the state carried",
    "scaling-T": "Scaling with T",
    "scaling-N": "Scaling with N",
    "scaling-H": "Scaling with H = I",
    "scaling-threads": "Scaling with threads",
}


def document(results, roof, machine, contracts):
    """Everything as plain values.

    Parameters
    ----------
    results : list of (Case, dict, float or None)
        As `run.measure_all` returns them.
    """
    rows = []
    for case, found, elsewhere in results:
        least = bound(case, roof)
        ours = found.get("fastrnn", {})
        if "median_seconds" in ours:
            ours["roof_fraction"] = least / ours["median_seconds"]
        row = asdict(case) | {"name": case.name, "shape": case.shape, "flop": case.flop}
        row |= {"rows": int(case.running.sum()), "bound_seconds": least, "elsewhere_cores": elsewhere}
        rows.append(row | {"peers": found})
    return {"format": FORMAT, "machine": machine, "roof": roof, "results": rows, "contracts": contracts}


def duration(seconds):
    """With a unit that fits."""
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def times(ratio):
    """A ratio; bold where the peer is ahead."""
    text = f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"
    return f"**{text}**" if ratio < 1 else text


def table(head, rows):
    """In Markdown: the first column to the left, the others to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return ["| " + " | ".join(map(str, line)) + " |" for line in lines] + [""]


def peer_names(rows):
    """In the order in which they were measured, without fastrnn."""
    return [name for name in dict.fromkeys(name for row in rows for name in row["peers"]) if name != "fastrnn"]


def group_table(rows):
    """One line per case, and below it who was not measured, with the reason."""
    names, lines, reasons = peer_names(rows), [], {}
    for row in rows:
        line = [f"{row['cell']} {row['shape']} {'train' if row['training'] else 'infer'}", row["threads"]]
        ours = row["peers"]["fastrnn"]
        if "median_seconds" in ours:
            line += [duration(ours["median_seconds"]), duration(ours["p95_seconds"])]
            line += [f"{ours['gflops']:.3g}", f"{100 * ours['roof_fraction']:.0f} %"]
        else:
            line += ["–"] * 4
        for name in names:
            found = row["peers"].get(name, {})
            line.append(times(found["ratio"]) if "ratio" in found else "error" if "error" in found else "–")
        for name in ("fastrnn", *names):
            found = row["peers"].get(name, {})
            for kind in ("skipped", "error"):
                if kind in found:
                    words = row["name"] if kind == "error" else kind
                    reasons.setdefault((name, words, found[kind]), 0)
        lines.append(line)
    notes = [f"{name}: {words}: {reason}" for name, words, reason in reasons]
    head = ["case", "threads", "median", "p95", "GF/s", "of the roof", *names]
    return table(head, lines) + ([*(f"* {note}" for note in notes), ""] if notes else [])


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def summary_table(rows):
    """Per class, cell and mode: the ratio to the best peer against the aim, and what it would be at the roof."""
    groups, lines = {}, []
    for row in rows:
        aim, best = speed_aim(row), best_peer(row)
        if aim is not None and best is not None:
            found = best[1], best[1] / row["peers"]["fastrnn"]["roof_fraction"]
            groups.setdefault((row["group"], row["cell"], row["training"], aim), []).append(found)
    for (group, cell, training, aim), found in groups.items():
        ratios, ceilings = zip(*found, strict=True)
        reached = sum(ratio >= aim for ratio in ratios)
        mode = "training" if training else "inference"
        line = [f"{group}, {cell}, {mode}", times(min(ratios)), times(geometric_mean(ratios)), f"{aim:g}"]
        lines.append([*line, f"{reached} of {len(ratios)}", f"{geometric_mean(ceilings):.3g}"])
    return table(["class", "worst", "geometric mean", "aim", "reached", "at the roof"], lines)


def behind(rows):
    """Where a peer is ahead, the worst first."""
    found = [(best_peer(row), row) for row in rows if best_peer(row) is not None]
    lines = [(best[1], row["name"], best[0]) for best, row in found if best[1] < 1]
    if not lines:
        return ["Nowhere in this run.", ""]
    return table(["case", "peer", "ratio"], [[case, peer, f"{ratio:.2f}"] for ratio, case, peer in sorted(lines)])


def ragged_cost(rows):
    """What a row and step of a ragged batch costs over one of the dense batch with as many."""
    median = {row["name"]: row["peers"]["fastrnn"].get("median_seconds") for row in rows}
    dense = {(r["cell"], r["N"], r["H"], r["training"], r["threads"]): r for r in rows if r["group"] == "ragged-dense"}
    lines = []
    for row in rows:
        other = dense.get((row["cell"], row["N"], row["H"], row["training"], row["threads"]))
        if row["group"] == "ragged" and other is not None and median[row["name"]] and median[other["name"]]:
            cost = median[row["name"]] / row["rows"] / (median[other["name"]] / other["rows"])
            lines.append([row["name"], f"{cost:.2f}"])
    return lines


def disturbed(rows):
    """Names of the cases beside which others used the machine."""
    return [row["name"] for row in rows if (row["elsewhere_cores"] or 0) > NOISE]


def roof_table(roof):
    counts = list(roof["fma_gflops"]["float32"])
    lines = [
        [f"multiply-adds, {d}, GF/s", *(f"{roof['fma_gflops'][d][n]:.0f}" for n in counts)]
        for d in ("float32", "float64")
    ]
    lines += [[f"reading {level}, GB/s", *(f"{of[n]:.0f}" for n in counts)] for level, of in roof["read_gbs"].items()]
    barrier = roof["barrier_seconds"]
    lines.append(["barrier, ns", *(f"{barrier[n] * 1e9:.0f}" if n in barrier else "–" for n in counts)])
    return table(["threads", *counts], lines)


def contract_lines(contracts):
    """One line for each figure of `contracts.measure`."""
    lines = []
    for name, found in contracts.items():
        for key, value in found.items():
            if isinstance(value, str):
                lines.append([name, key, value])
            elif key.endswith("bytes"):
                lines.append([name, key.removesuffix("_bytes"), f"{value / 1e6:.3g} MB"])
            elif "median_seconds" in value:
                ratio = (
                    f" ({value['median_ratio']:.2f}, {value['p95_ratio']:.2f} times)" if "p95_ratio" in value else ""
                )
                both = f"{duration(value['median_seconds'])}, p95 {duration(value['p95_seconds'])}"
                lines.append([name, key, both + ratio])
            else:
                for H, part in value.items():
                    text = (
                        f"{duration(part['call_seconds'])}, {duration(max(0, part['above_seconds']))} above the kernel"
                    )
                    lines.append([name, f"{key} H={H}", text])
    return lines


def markdown(run):
    """RESULTS.md."""
    machine, rows = run["machine"], run["results"]
    versions = {package: v for found in machine["versions"].values() for package, v in found.items()}
    load = "unknown" if machine["load_average"] is None else f"{machine['load_average']:.2f}"
    out = ["# Benchmark results", ""]
    out += [f"`{machine['command']}`, {machine['date']}, commit {machine['commit'] or 'unknown'}", ""]
    out += [f"* {machine['cpu']}, {machine['cores']} cores, engine {machine['isa']}, load at the start {load}"]
    out += [f"* {machine['system']}, Python {machine['python']}"]
    out += ["* " + ", ".join(f"{package} {version}" for package, version in versions.items()), ""]
    out += ["Columns of peers are times the peer takes over the time fastrnn takes: above 1 fastrnn is ahead, below 1"]
    out += ["(bold) the peer is. Times are comparable within a run only."]
    out += ["What is measured, and how, is in [README.md](README.md).", ""]
    if any(speed_aim(row) is not None for row in rows):
        out += ["## Against the best peer", ""]
        out += [
            "At the roof: the geometric mean if fastrnn took no longer than the machine's own roof allows. Where that"
        ]
        out += ["is below the aim, no kernel can reach the aim on this machine. What limits the others is in"]
        out += ["[LIMITS.md](LIMITS.md).", "", *summary_table(rows)]
    out += ["## Where a peer is ahead", "", *behind(rows), "## The roof of the machine", "", *roof_table(run["roof"])]
    if disturbed(rows):
        out += ["## Measured while others used the machine", "", *(f"* {name}" for name in disturbed(rows)), ""]
    for group in dict.fromkeys(row["group"] for row in rows):
        of_group = [row for row in rows if row["group"] == group]
        out += [f"## {GROUP_TITLES.get(group, group)}", "", *group_table(of_group)]
        if group == "ragged" and ragged_cost(rows):
            out += ["Time per row and step, over the dense batch:", ""]
            out += table(["case", "ragged / dense"], ragged_cost(rows))
    if run["contracts"]:
        out += ["## Beside speed", "", *table(["what", "case", "found"], contract_lines(run["contracts"]))]
    return "\n".join(out).rstrip() + "\n"


def write(run, folder):
    """Write RESULTS.json and RESULTS.md into `folder`."""
    (folder / "RESULTS.json").write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    (folder / "RESULTS.md").write_text(markdown(run), encoding="utf-8")

# SPDX-License-Identifier: BSD-3-Clause
"""The results of a CPU in a few lines, for README.md: how many times longer others take, by class of shapes."""

from collections.abc import Iterator, Sequence
from typing import Any

from . import cpus
from .aims import best_peer
from .tables import geometric_mean, make_table

Row = dict[str, Any]
Document = dict[str, Any]

CLASSES = {
    "tiny": "tiny: N ≤ 4, H ≤ 64",
    "small": "small batch: N ≤ 4, H 256 to 512",
    "resident": "cache-resident: N 32 to 64, H 128 to 256",
    "large": "large: H 512 to 1024",
}
COLUMNS = [(cell, training) for cell in ("lstm", "gru") for training in (False, True)]
PACKAGES = {"torch": "PyTorch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "jax": "JAX"}
AHEAD = 1.03  # a peer that is faster by less is not called faster: runs differ by that much


def ahead(document: Document) -> list[tuple[float, str, str]]:
    """(ratio, case, peer) where a peer is more than 3 % faster, the worst first."""
    found = []
    for row in (*document["results"], *document.get("steps", ())):
        best = best_peer(row)
        if best is not None and best[1] * AHEAD < 1:
            found.append((best[1], row["name"], best[0]))
    return sorted(found)


def cell_text(rows: Sequence[Row]) -> str:
    """The geometric mean of the ratios to the best peer, and of those to PyTorch in parentheses."""
    best = [pair[1] for row in rows if (pair := best_peer(row)) is not None]
    torch = [row["peers"]["torch"]["ratio"] for row in rows if "ratio" in row["peers"].get("torch", {})]
    text = f"{geometric_mean(best):.2f}" if best else "–"
    return f"{text} ({geometric_mean(torch):.1f})" if torch else text


def span(ratios: Sequence[float]) -> str:
    """The smallest and the largest of some ratios."""
    return f"{min(ratios):.1f} to {max(ratios):.1f} times"


def sentences(document: Document) -> Iterator[str]:
    """What the table does not show: ragged batches, whole steps, and how many cases a peer wins."""
    ragged = [
        row for row in document["results"] if row["group"] == "ragged" and "ratio" in row["peers"].get("torch", {})
    ]
    by_mode = [[row["peers"]["torch"]["ratio"] for row in ragged if row["training"] == mode] for mode in (False, True)]
    if all(by_mode):
        infer, train = map(span, by_mode)
        yield f"With sequences of different lengths PyTorch takes {infer} as long in inference, {train} in training."
    whole = [
        row["peers"]["torch"]["ratio"] for row in document.get("steps", ()) if "ratio" in row["peers"].get("torch", {})
    ]
    if whole:
        yield f"Whole training steps of language models, translation, speech and `fit` take it {span(whole)} as long."
    cases = len(document["results"]) + len(document.get("steps", ()))
    yield f"A peer is more than 3 % faster in {len(ahead(document))} of {cases} cases."


def digest(document: Document) -> list[str]:
    """The lines about the CPU of a run, in Markdown."""
    machine = document["machine"]
    versions = {name: version for packages in machine["versions"].values() for name, version in packages.items()}
    names = [
        f"{words} {'.'.join(versions[package].split('.')[:2])}"
        for package, words in PACKAGES.items()
        if package in versions
    ]
    lines = []
    for group, words in CLASSES.items():
        rows = [row for row in document["results"] if row["group"] == group]
        those = [[r for r in rows if (r["cell"], r["training"]) == column] for column in COLUMNS]
        lines.append([words, *map(cell_text, those)])
    head = ["", *(f"{cell.upper()}, {'training' if training else 'inference'}" for cell, training in COLUMNS)]
    threads = " and ".join(map(str, machine["threads"]))
    title = f"{cpus.describe(machine)}, {threads} core{'s' if max(machine['threads']) > 1 else ''}; {', '.join(names)}:"
    return [title, "", *make_table(head, lines), *sentences(document), ""]

# SPDX-License-Identifier: BSD-3-Clause
"""The tables of the whole steps in RESULTS.md."""

from collections.abc import Sequence
from typing import Any

from ..tables import format_duration, format_ratio, make_table

Row = dict[str, Any]  # an element of "steps" in RESULTS.json

TITLES = {
    "steps-language": "A language model: embedding, LSTM, linear layer, cross-entropy, clipping, Adam",
    "steps-translation": "A `Seq2Seq` with attention: two embeddings, two LSTMs, attention, "
    "linear layers, cross-entropy, clipping, Adam",
    "steps-speech": "An acoustic model: bidirectional GRU, linear layer, CTC, clipping, Adam",
    "steps-fit": "A classifier: an epoch of `fit` with a small GRU, of B batches; PyTorch: a loop over slices",
    "steps-reservoir": "A reservoir: all its states; states and ridge regression; making one",
}


def share(parts: dict[str, float]) -> str:
    """Each part of a call in per cent of the whole, the largest first."""
    whole = parts["whole"]
    shares = sorted(((seconds / whole, part) for part, seconds in parts.items() if part != "whole"), reverse=True)
    return ", ".join(f"{part} {100 * part_of:.0f}" for part_of, part in shares if part_of >= 0.005)


def step_tables(rows: Sequence[Row]) -> list[str]:
    """Times and ratios of each kind of step, and the shares of the parts."""
    out = []
    for group in dict.fromkeys(row["group"] for row in rows):
        those = [row for row in rows if row["group"] == group]
        names = [name for name in dict.fromkeys(name for row in those for name in row["peers"]) if name != "fastrnn"]
        lines = [step_line(row, names) for row in those]
        out += [f"{TITLES.get(group, group)}:", ""]
        out += make_table(["step", "threads", "median", "p95", *names], lines)
        if notes := step_notes(those):
            out += [*notes, ""]
    shares = [
        [row["name"], name, share(figures["parts"])]
        for row in rows
        for name, figures in row["peers"].items()
        if len(figures.get("parts", ())) > 2  # rest and whole
    ]
    if shares:
        out += ["Parts of a step, in per cent of its time. Rest is what is in no other part: Python, mostly.", ""]
        out += make_table(["step", "library", "shares"], shares)
    return out


def step_line(row: Row, names: Sequence[str]) -> list[str]:
    """The times of fastrnn and the ratios of the others."""
    ours = row["peers"]["fastrnn"]
    times = [format_duration(ours[key]) if key in ours else "–" for key in ("median_seconds", "p95_seconds")]
    ratios = []
    for name in names:
        figures = row["peers"].get(name, {})
        otherwise = "error" if "error" in figures else "–"
        ratios.append(format_ratio(figures["ratio"]) if "ratio" in figures else otherwise)
    return [row["shape"], str(row["threads"]), *times, *ratios]


def step_notes(rows: Sequence[Row]) -> list[str]:
    """Who failed, and how."""
    return [
        f"* {name}: {row['name']}: {figures['error']}"
        for row in rows
        for name, figures in row["peers"].items()
        if "error" in figures
    ]

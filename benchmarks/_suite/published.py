# SPDX-License-Identifier: BSD-3-Clause
"""What documents show of the results that are kept, between two marks, and rewriting it: ``--render``."""

import re
from pathlib import Path
from typing import Any

from fastrnn.inspect._report.files import read_json
from fastrnn.io._files import replace

from . import cpus, plots, report
from .digest import ahead, digest

BEGIN, END = "<!-- written by `make bench-render` -->", "<!-- until here -->"
PASSAGE = re.compile(f"(?<={re.escape(BEGIN)}\n)(.*?)(?={re.escape(END)})", re.DOTALL)
UNKNOWN = "not examined"
PLOTTED = ("docs/index.rst", "docs/guides/speed.rst")


def kept(folder: Path) -> dict[str, dict[str, Any]]:
    """The results of each kind of CPU in a folder, by the kind; the newest first."""
    documents = {path.parent.name: read_json(str(path)) for path in folder.glob("*/RESULTS.json")}
    for kind, document in documents.items():
        if not report.is_document(document):
            raise ValueError(f"--render: expected a RESULTS.json of format {report.FORMAT} in {folder / kind}")
    return dict(sorted(documents.items(), key=lambda item: item[1]["machine"]["date"], reverse=True))


def with_passage(text: str, lines: list[str]) -> str:
    """A text whose passage between the marks is these lines."""
    if len(PASSAGE.findall(text)) != 1:
        raise ValueError(f"--render: expected one passage between {BEGIN} and {END}")
    return PASSAGE.sub(lambda _: "\n".join(["", *lines, ""]), text)


def readme(text: str, documents: dict[str, dict[str, Any]]) -> str:
    """README.md, with a table for each CPU."""
    return plotted(with_passage(text, [line for each in documents.values() for line in digest(each)]), documents)


def plotted(text: str, documents: dict[str, dict[str, Any]]) -> str:
    """A page with a plot: that of the newest results."""
    return re.sub(r"(?<=benchmarks/results/)[^/]+(?=/peers\.png)", next(iter(documents)), text)


def limits(text: str, documents: dict[str, dict[str, Any]]) -> str:
    """LIMITS.md, with every case in which a peer is ahead. What it says about a case of a CPU stays."""
    reasons = {}
    kind = ""
    for line in "".join(PASSAGE.findall(text)).splitlines():
        if heading := re.match(r".*, `(.*)`:$", line):
            kind = heading[1]
        elif case := re.match(r"\* (\S+), \S+ [0-9.]+: (.*)$", line):
            reasons[kind, case[1]] = case[2]
    lines = []
    for kind, document in documents.items():
        lines += [f"{cpus.describe(document['machine'])}, `{kind}`:", ""]
        lines += [
            f"* {case}, {peer} {ratio:.2f}: {reasons.get((kind, case), UNKNOWN)}"
            for ratio, case, peer in ahead(document)
        ] or ["Nowhere."]
        lines.append("")
    return with_passage(text, lines)


def render(folder: Path) -> list[str]:
    """Write the reports and plots of a folder of results anew, and what README.md and LIMITS.md say about them.

    These, and pages of the documentation with a plot, are where the repository has them.

    Returns
    -------
    list of str
        The kinds of CPU.
    """
    documents = kept(folder)
    if not documents:
        raise ValueError(f"--render: expected folders with a RESULTS.json in {folder}, got none")
    for kind, document in documents.items():
        report.write(document, folder / kind)
        plots.write(document, folder / kind)
    root = folder.absolute().parents[1]
    for name, rewrite in {
        "README.md": readme,
        "benchmarks/LIMITS.md": limits,
        **dict.fromkeys(PLOTTED, plotted),
    }.items():
        text = (root / name).read_text()
        replace(str(root / name), rewrite(text, documents).encode())
    return list(documents)

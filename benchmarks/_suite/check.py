# SPDX-License-Identifier: BSD-3-Clause
"""The regression check: is this version as fast as the committed results say?

Times of two runs are not comparable, so it compares two ratios, each taken within one run: to NumPy, and to the
machine's roof.
"""

from typing import Any

from .markdown import disturbed_cases
from .report import FORMAT, is_document
from .roof import moved
from .tables import make_table

Document = dict[str, Any]

# A regression that matters, such as a kernel that is no longer vectorized or packs in every call, costs a factor of two
# or more. On a shared machine both ratios vary by a fifth between runs, and the short calls of NumPy by a third.
TOLERANCE = 0.6
QUANTITIES = {
    "ratio to NumPy": lambda peers: peers["numpy"]["ratio"],
    "part of the roof": lambda peers: peers["fastrnn"]["roof_fraction"],
}


def require_comparable(committed: Any, isa: str, threads: int) -> None:
    """Raise ValueError unless the committed results were made by this engine with this number of threads."""
    if not is_document(committed):
        raise ValueError(f"--check: expected a RESULTS.json of format {FORMAT}, got another file")
    machine = committed["machine"]
    if machine["isa"] != isa:
        raise ValueError(f"--check: expected results of the engine in use, {isa}, got those of {machine['isa']}")
    if threads not in machine["threads"]:
        counts = ", ".join(map(str, machine["threads"]))
        raise ValueError(f"--check: expected results with {threads} threads, got those with {counts}")


def find_regressions(committed: Document, now: Document) -> tuple[int, list[tuple[str, str, float, float | None]]]:
    """Find the figures that fell below `TOLERANCE` times the committed ones.

    Parameters
    ----------
    committed, now : dict
        Two documents; see `report.make_document`.

    Returns
    -------
    compared : int
        The number of figures that could be compared.
    regressions : list of (name, quantity, committed, now)
        The last is None if the case can no longer be measured.
    """
    before = {row["name"]: row["peers"] for row in committed["results"]}
    regressions, compared = [], 0
    for row in now["results"]:
        for quantity, read in QUANTITIES.items():
            try:
                expected = read(before[row["name"]])
            except KeyError:
                continue  # the committed run did not measure it
            compared += 1
            try:
                figure = read(row["peers"])
            except KeyError:
                figure = None
            if figure is None or figure < TOLERANCE * expected:
                regressions.append((row["name"], quantity, expected, figure))
    return compared, regressions


def compare(committed: Document, now: Document) -> tuple[int, str]:
    """Compare two documents; returns the exit code and what to print."""
    compared, regressions = find_regressions(committed, now)
    if not compared:
        return 1, "Nothing to compare: no case of this run is in the committed results."
    if not regressions:
        return 0, f"{compared} figures, none below {TOLERANCE} of the committed one."
    lines = [
        [name, quantity, f"{expected:.3g}", "not measured" if figure is None else f"{figure:.3g}"]
        for name, quantity, expected, figure in regressions
    ]
    text = make_table(["case", "figure", "committed", "now"], lines)
    if disturbed := set(disturbed_cases(now["results"])) & {name for name, *_ in regressions}:
        text.append(f"Other processes used the machine during {len(disturbed)} of these cases: repeat the check later.")
    if "roof_after" in now and (changes := moved(now["roof"], now["roof_after"])):
        text.append(f"The roof of the machine moved meanwhile ({'; '.join(changes)}): repeat the check later.")
    head = f"{len(regressions)} of {compared} figures below {TOLERANCE} of the committed one:"
    return 1, "\n".join([head, "", *text])

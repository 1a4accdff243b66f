# SPDX-License-Identifier: BSD-3-Clause
"""The regression guard: is it as fast as it was?

Times of two runs are not comparable, so two ratios are, each taken within one run: to NumPy, and to the machine's roof.
"""

from .report import FORMAT, disturbed, table

# A regression that matters, such as a kernel that lost its vectors or packs in every call, costs a factor of two or
# more. On a shared machine both ratios move by a fifth between runs, and the short calls of NumPy by a third.
LEAST = 0.6
QUANTITIES = {
    "ratio to NumPy": lambda peers: peers["numpy"]["ratio"],
    "part of the roof": lambda peers: peers["fastrnn"]["roof_fraction"],
}


def comparable(committed, isa, threads):
    """Raise ValueError unless a file of results was made by this engine with this number of threads."""
    if not isinstance(committed, dict) or committed.get("format") != FORMAT:
        raise ValueError(f"--check: expected a RESULTS.json of format {FORMAT}, got another file")
    machine = committed["machine"]
    if machine["isa"] != isa:
        raise ValueError(f"--check: expected results of the engine in use, {isa}, got those of {machine['isa']}")
    if threads not in machine["threads"]:
        counts = ", ".join(map(str, machine["threads"]))
        raise ValueError(f"--check: expected results with {threads} threads, got those with {counts}")


def offenders(committed, now):
    """What fell below LEAST of the committed figure.

    Parameters
    ----------
    committed, now : dict
        Two documents, see `report.document`.

    Returns
    -------
    compared : int
        How many figures there were to compare.
    rows : list of (name, quantity, committed, now)
        A case that could be measured once and cannot be any more is one, with None.
    """
    before, rows, compared = {row["name"]: row["peers"] for row in committed["results"]}, [], 0
    for row in now["results"]:
        for quantity, of in QUANTITIES.items():
            try:
                expected = of(before[row["name"]])
            except KeyError:
                continue  # the committed run did not measure it
            compared += 1
            try:
                found = of(row["peers"])
            except KeyError:
                found = None
            if found is None or found < LEAST * expected:
                rows.append((row["name"], quantity, expected, found))
    return compared, rows


def verdict(committed, now):
    """The exit code, and what to print."""
    compared, rows = offenders(committed, now)
    if not compared:
        return 1, "Nothing to compare: no case of this run is in the committed results."
    if not rows:
        return 0, f"{compared} figures, none below {LEAST} of the committed one."
    lines = [
        [name, quantity, f"{expected:.3g}", "not measured" if found is None else f"{found:.3g}"]
        for name, quantity, expected, found in rows
    ]
    text = table(["case", "figure", "committed", "now"], lines)
    if beside := set(disturbed(now["results"])) & {name for name, *_ in rows}:
        text.append(f"Others used the machine during {len(beside)} of these cases: repeat it when they do not.")
    return 1, "\n".join([f"{len(rows)} of {compared} figures below {LEAST} of the committed one:", "", *text])

# SPDX-License-Identifier: BSD-3-Clause
"""The command behind `make portability`: builds fastrnn in other ways, compares what it computes, and prints a table.

python -m portability
python -m portability compilers aarch64
"""

import argparse
import os
import subprocess
import sys

from portability import drivers, pythons, wheels
from portability.builds import missing_packages
from portability.shell import Row

PARTS = {  # name: (what yields its rows, the builds of the driver that it needs)
    "compilers": (drivers.compilers, [drivers.REFERENCE, *drivers.COMPILERS]),
    **{name: (lambda name=name: drivers.machine(name), [drivers.MACHINES[name]]) for name in drivers.MACHINES},
    "clang": (wheels.clang, [drivers.BY_CLANG]),
    "pythons": (pythons.pythons, []),
    "wheel": (wheels.wheel, []),
    "torch": (wheels.torch, []),
}
BY_NAME_ONLY = {"torch": "it downloads PyTorch; PARTS=torch runs it"}


def rows_of(names):
    """The rows of some parts; of all, without names."""
    for name, (part, _) in PARTS.items():
        if name in names or not names and name not in BY_NAME_ONLY:
            yield from part()
        elif not names:
            yield Row(name, "", "", "not run", 0.0, BY_NAME_ONLY[name])


def apt_get(packages):
    return ["apt-get", "install", "--yes", "--no-install-recommends", *packages]


def install_packages(packages):
    """Install packages of Debian; only root may."""
    if os.geteuid() != 0:
        sys.exit(f"APT=1 needs root. As root: {' '.join(apt_get(packages))}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], apt_get(packages)):
        if subprocess.run(command, env=environment).returncode:
            sys.exit(f"{' '.join(command)} has failed.")


def table(rows):
    """The rows under their headings, as lines."""
    cells = [("part", "what was compared", "count", "result", "seconds", "")]
    cells += [(r.part, r.compared, r.count, r.result, f"{r.seconds:.0f}", r.remark) for r in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(5)]
    return ["  ".join([*map(str.ljust, row[:5], widths), row[5]]).rstrip() for row in cells]


def verdict(rows):
    """What the process ends with: None where nothing has failed."""
    failed = [row for row in rows if row.result == "FAIL"]
    if failed:
        return f"{len(failed)} of {len(rows)} have failed."
    if not any(row.result == "pass" for row in rows):
        return "Nothing has run."
    return None


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = f"default: all but {', '.join(BY_NAME_ONLY)}"
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; {default}")
    parser.add_argument(
        "--apt", action="store_true", help="as root, first install the packages of Debian that are missing"
    )
    chosen = parser.parse_args(arguments)
    for name in chosen.parts:
        if name not in PARTS:
            parser.error(f"parts: expected some of {', '.join(PARTS)}; got {name}")

    missing = missing_packages(build for name in chosen.parts or PARTS for build in PARTS[name][1])
    if missing and chosen.apt:
        install_packages(missing)
        missing = []
    rows = []
    for row in rows_of(chosen.parts):
        rows.append(row)
        print(f"{row.part}: {row.compared}: {row.result}", flush=True)
    print("", *table(rows), sep="\n")
    if missing:
        print(f"\nMore would run with these packages, or with APT=1 as root:\n    {' '.join(apt_get(missing))}")
    sys.exit(verdict(rows))


if __name__ == "__main__":
    main()

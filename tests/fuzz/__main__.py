# SPDX-License-Identifier: BSD-3-Clause
"""The commands behind `make fuzz` and `make soak`: attack the package for some time, and print what reproduces a fault.

python tests/fuzz                                   every attack but the soak, 120 seconds in all
python tests/fuzz layers files --seconds 600        these
python tests/fuzz soak --seconds 300
python tests/fuzz layers --seed 17 --case 283       one case again
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz.attacks import ATTACKS, SHARES  # noqa: E402
from fuzz.runner import reproduction, run  # noqa: E402


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(ATTACKS)}; default: all but soak")
    parser.add_argument("--seed", type=int, help="default: from the clock")
    parser.add_argument("--seconds", type=float, help="of all attacks together; default: 120, with --case: no limit")
    parser.add_argument("--case", type=int, help="run this case alone")
    parser.add_argument("--cases", type=int, help="run so many cases of each attack")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in ATTACKS:
            parser.error(f"names: expected some of {', '.join(ATTACKS)}; got {name}")
    if options.seconds is None and options.case is None and options.cases is None:
        options.seconds = 120.0
    return options


def attack(name, options, seed, seconds):
    """Run one attack and print what it found; the number of faults."""
    first, cases = (0, options.cases) if options.case is None else (options.case, 1)
    make = ATTACKS[name]
    with tempfile.TemporaryDirectory(prefix="fastrnn-fuzz-") as folder:
        report = run(make, folder, seed, seconds=seconds, first=first, cases=cases)
    rate = 60 * report.cases / max(report.seconds, 1e-3)
    print(f"{name:10} {report.cases:7} cases in {report.seconds:6.1f} s, {rate:7.0f} a minute; "
          f"faults: {len(report.faults)}", flush=True)  # fmt: skip
    for fault in report.faults:
        print(f"\nFAULT in {name}, case {fault.case}: {fault.what.rstrip()}")
        print(f"\n    reproduce: {reproduction(name, seed, fault, make.independent)}\n", flush=True)
    return len(report.faults)


def main(arguments=None):
    options = parse(arguments)
    seed = options.seed if options.seed is not None else int(time.time())
    names = options.names or [name for name in ATTACKS if name != "soak"]
    print(f"seed {seed}", flush=True)
    total = sum(SHARES[name] for name in names)
    seconds = {name: options.seconds and options.seconds * SHARES[name] / total for name in names}
    faults = sum(attack(name, options, seed, seconds[name]) for name in names)
    if faults:
        sys.exit(f"{faults} faults found.")


if __name__ == "__main__":
    main()

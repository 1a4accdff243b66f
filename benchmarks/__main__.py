# SPDX-License-Identifier: BSD-3-Clause
"""The command line: ``python -m fastrnn.benchmarks --help``."""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

from fastrnn import _core

from . import cases, check, contracts, machine, peers, report, roof, run

try:
    from tqdm import tqdm

    from . import plots
except ImportError as error:
    raise ImportError(f'The benchmarks need {error.name}: pip install "fastrnn[bench]"') from error


def parse(arguments):
    """The command line, checked."""
    parser = argparse.ArgumentParser(prog="python -m fastrnn.benchmarks", description="How fast fastrnn is.")
    parser.add_argument("--quick", action="store_true", help="a few shapes of each class, in under three minutes")
    parser.add_argument(
        "--out", type=Path, default=Path("fastrnn-benchmarks"), metavar="DIR", help="default: ./%(default)s"
    )
    parser.add_argument(
        "--peers", type=as_list, metavar="NAME,...", help=f"default: those installed of {', '.join(peers.NAMES)}"
    )
    parser.add_argument("--threads", type=as_counts, metavar="N,...", help="default: 1 and all")
    parser.add_argument(
        "--only", type=as_pattern, default=re.compile(""), metavar="REGEX", help="cases whose name it is found in"
    )
    parser.add_argument("--check", type=Path, metavar="RESULTS.json", help="compare with an earlier run, write nothing")
    options = parser.parse_args(arguments)
    if options.threads is None:
        options.threads = sorted({1, machine.usable_cores()})
    options.names = chosen(options, parser)
    return options


def as_list(text):
    return [name for name in text.split(",") if name]


def as_counts(text):
    counts = [int(word) for word in as_list(text)]
    if not counts or min(counts) < 1:
        raise argparse.ArgumentTypeError(f"expected numbers of threads like 1,2, got {text!r}")
    return sorted(set(counts))


def as_pattern(text):
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"expected a regular expression, got {text!r} ({error})") from None


def chosen(options, parser):
    """The peers to measure; says which are not installed."""
    default = peers.NAMES if not options.quick else ("numpy", "torch", "onnxruntime")
    wanted = ["numpy"] if options.check else options.peers or default
    names = []
    for name in wanted:
        if name not in peers.NAMES and ":" not in name:
            parser.error(f"--peers: expected names of {', '.join(peers.NAMES)}, or module:Class, got {name!r}")
        lacking = peers.missing(name)
        if lacking:
            print(f"{name}: left out, {' and '.join(lacking)} not installed")
        else:
            names.append(name)
    return names


def bar(what):
    """A progress bar over a list, which says what is being done."""

    def progress(items):
        with tqdm(items, desc=what, leave=False, dynamic_ncols=True) as shown:
            for item in shown:
                shown.set_postfix_str(getattr(item, "name", str(item)), refresh=False)
                yield item

    return progress


def measure(options, table):
    """The whole run as one document."""
    quick = options.quick or options.check
    print("the roof ...", flush=True)
    allowed = roof.measure(sorted({case.threads for case in table}))
    with tempfile.TemporaryDirectory() as folder:
        settings = run.QUICK if quick else run.Settings()
        results, versions = run.measure_all(table, options.names, settings, Path(folder), bar("cases"))
    wanted = not (quick or options.only.pattern)
    kept = contracts.measure(max(options.threads), progress=bar("contracts")) if wanted else {}
    return report.document(results, allowed, options.machine | {"versions": versions}, kept)


def main(arguments=None):
    """Returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    options.machine = machine.describe(options.threads, {}, arguments)
    committed = None
    if options.check:
        try:
            committed = json.loads(options.check.read_text(encoding="utf-8"))
            check.comparable(committed, _core.get_isa(), max(options.threads))
        except (OSError, ValueError) as error:
            sys.exit(str(error))
    table = cases.table(options.threads, options.quick or committed is not None)
    table = [case for case in table if re.search(options.only, case.name)]
    if not table:
        sys.exit(f"--only: no case has a name like {options.only.pattern!r}")
    found = measure(options, table)
    if committed is not None:
        code, words = check.verdict(committed, found)
        print(words)
        return code
    options.out.mkdir(parents=True, exist_ok=True)
    report.write(found, options.out)
    plots.write(found, options.out)
    print(f"{len(table)} cases; RESULTS.md, RESULTS.json and plots are in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

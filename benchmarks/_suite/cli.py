# SPDX-License-Identifier: BSD-3-Clause
"""The command line of the benchmarks."""

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fastrnn import _core
from fastrnn.inspect._report.files import read_json

from . import accelerated, check, contracts, cpus, machine, peers, report, roof, run
from .cases import Case
from .steps.cases import QUICK, Step, make_steps
from .table import make_quick_table, make_table

try:
    from tqdm import tqdm

    from . import plots, published
except ImportError as error:
    raise ImportError(f'The benchmarks need {error.name}: pip install "fastrnn[bench]"') from error

T = TypeVar("T")

CPU = "{cpu}"  # in a path
RESULTS = f"benchmarks/results/{CPU}"
QUICK_PEERS = ("numpy", "torch", "onnxruntime")


def parse_list(text: str) -> list[str]:
    """Names separated by commas."""
    return [name for name in text.split(",") if name]


def parse_counts(text: str) -> list[int]:
    """Positive numbers separated by commas."""
    counts = [int(word) for word in parse_list(text)]
    if not counts or min(counts) < 1:
        raise argparse.ArgumentTypeError(f"expected numbers of threads like 1,2, got {text!r}")
    return sorted(set(counts))


def parse_pattern(text: str) -> re.Pattern[str]:
    """A regular expression."""
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"expected a regular expression, got {text!r} ({error})") from None


def choose_peers(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[str]:
    """The peers to measure; prints which ones are not installed."""
    default = QUICK_PEERS if options.quick else peers.NAMES
    requested = ["numpy"] if options.check else options.peers or default
    installed = []
    for name in requested:
        if name not in peers.NAMES and ":" not in name:
            parser.error(f"--peers: expected names of {', '.join(peers.NAMES)}, or module:Class, got {name!r}")
        if missing := peers.missing_packages(name):
            print(f"{name}: skipped, {' and '.join(missing)} not installed")
        else:
            installed.append(name)
    return installed


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse and check the command line."""
    parser = argparse.ArgumentParser(prog="python -m fastrnn.benchmarks", description="Measure how fast fastrnn is.")
    parser.add_argument(
        "--quick", action="store_true", help="measure only a few shapes of each class; takes about three minutes"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("fastrnn-benchmarks"), metavar="DIR",
        help=f"default: ./%(default)s; {CPU} in it stands for the kind of CPU, as in {RESULTS}",
    )  # fmt: skip
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files in DIR even if they are no results of an earlier run"
    )
    parser.add_argument(
        "--peers", type=parse_list, metavar="NAME,...", help=f"default: the installed ones of {', '.join(peers.NAMES)}"
    )
    parser.add_argument("--threads", type=parse_counts, metavar="N,...", help="default: 1 and the number of cores")
    parser.add_argument(
        "--only", type=parse_pattern, default=re.compile(""), metavar="REGEX", help="only cases whose name matches"
    )
    parser.add_argument(
        "--check", type=Path, metavar="RESULTS.json",
        help=f"compare with an earlier run instead of writing results; with {CPU} in it, if there is one",
    )  # fmt: skip
    parser.add_argument(
        "--render", type=Path, metavar="DIR",
        help="write the reports and plots of the results in DIR/* anew, and what README.md and LIMITS.md of the "
        "repository show of them, and no more",
    )  # fmt: skip
    parser.add_argument(
        "--torch", action="store_true", help="PyTorch modules before and after fastrnn.torch.accelerate, and no more"
    )
    options = parser.parse_args(arguments)
    if options.torch or options.render:
        return options
    if options.threads is None:
        options.threads = sorted({1, machine.usable_cores()})
    options.names = choose_peers(options, parser)
    return options


def progress_bar(label: str) -> Callable[[Iterable[T]], Iterator[T]]:
    """A function that shows a progress bar, with the current item, while a collection is iterated over."""

    def progress(items: Iterable[T]) -> Iterator[T]:
        with tqdm(items, desc=label, leave=False, dynamic_ncols=True) as bar:
            for item in bar:
                bar.set_postfix_str(getattr(item, "name", str(item)), refresh=False)
                yield item

    return progress


def measure(options: argparse.Namespace, table: list[Case | Step], description: dict[str, Any]) -> dict[str, Any]:
    """Measure everything and return it as one document."""
    quick = options.quick or options.check
    print("Measuring the roof of the machine ...", flush=True)
    limits = roof.measure(sorted({case.threads for case in table}))
    with tempfile.TemporaryDirectory() as folder:
        settings = run.QUICK if quick else run.Settings()
        results, versions = run.measure_all(table, options.names, settings, Path(folder), progress_bar("cases"))
    complete = not (quick or options.only.pattern)
    others: dict[str, Any] = {"roof_after": roof.measure(sorted({case.threads for case in table}))}
    contract_figures = contracts.measure(max(options.threads), progress=progress_bar("contracts")) if complete else {}
    if complete:
        others["accelerated"] = accelerated.measure_apart()
    return report.make_document(results, limits, description | {"versions": versions}, contract_figures, **others)


def load_committed(path: Path, threads: int) -> dict[str, Any]:
    """Read the results to compare with; exits if they cannot be compared."""
    try:
        committed = read_json(str(path))
        check.require_comparable(committed, _core.get_isa(), threads)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    return committed


def of_this_cpu(path: Path) -> Path:
    """A path with the kind of this machine's CPU in the place for it."""
    return Path(str(path).replace(CPU, cpus.kind()))


def is_missing(path: Path) -> bool:
    """Whether results to compare with are looked for by the kind of CPU, and there are none."""
    return CPU in str(path) and not of_this_cpu(path).exists()


def nothing_to_check(path: Path, description: dict[str, Any]) -> str:
    """That there are no results of this kind of CPU, and of which there are."""
    others = sorted(found.parent.name for found in Path(str(path).partition(CPU)[0] or ".").glob("*/RESULTS.json"))
    there = ", ".join(others) or "no kind of CPU"
    return (
        f"NOTHING WAS COMPARED: no results of this kind of CPU, {cpus.describe(description)}.\n"
        f"Expected {of_this_cpu(path)}; there are results of {there}. `make bench` makes those of this machine."
    )


def choose_cases(options: argparse.Namespace) -> list[Case | Step]:
    """The cases to measure. The regression check has no whole steps: they cannot be compared with NumPy."""
    most = max(options.threads)
    if options.check:
        table = [*make_quick_table(most)]
    elif options.quick:
        table = [*make_quick_table(most), *make_steps([most], QUICK)]
    else:
        table = [*make_table(options.threads), *make_steps(options.threads)]
    return [case for case in table if options.only.search(case.name)]


def render(folder: Path) -> int:
    """Write reports anew; returns the exit code."""
    try:
        print(f"wrote the reports of {', '.join(published.render(folder))}, README.md and LIMITS.md")
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    if options.torch:
        models = [model for model in accelerated.MODELS if options.only.search(model.name)]
        print("\n".join(accelerated.table(accelerated.measure_all(models))).rstrip())
        return 0
    if options.render:
        return render(options.render)
    description = machine.describe(options.threads, arguments)
    if options.check and is_missing(options.check):
        print(nothing_to_check(options.check, description))
        return 0
    most = max(options.threads)
    committed = load_committed(of_this_cpu(options.check), most) if options.check else None
    table = choose_cases(options)
    if not table:
        sys.exit(f"--only: no case has a name like {options.only.pattern!r}")
    options.out = of_this_cpu(options.out)
    if committed is None:  # better now than after the measurement
        try:
            report.check_folder(options.out, ["RESULTS.json", "RESULTS.md", *plots.NAMES], options.overwrite)
        except (OSError, ValueError) as error:
            sys.exit(str(error))
    document = measure(options, table, description)
    if committed is not None:
        code, text = check.compare(committed, document)
        print(text)
        return code
    try:
        report.write(document, options.out)
        plots.write(document, options.out)
    except OSError as error:
        sys.exit(str(error))
    print(f"{len(table)} cases; wrote RESULTS.md, RESULTS.json and plots to {options.out}")
    return 0

# SPDX-License-Identifier: BSD-3-Clause
"""The command behind `make examples`: run every example in a process of its own, and print a table of the results.

An example passes if it ends in time and without an error. The last line that it prints is its result, with a figure.

    python tests/run_examples.py
    python tests/run_examples.py steep digits
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
TIME_LIMIT = 300  # seconds; an example should take less than 60


def last_line(text):
    return (text.strip().splitlines() or [""])[-1].strip()


def run(path, time_limit=TIME_LIMIT):
    """Run an example with its default arguments: (whether it passed, its result or the error, seconds)."""
    start = time.perf_counter()
    command = [sys.executable, "-X", "utf8", str(path)]
    try:
        process = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=time_limit)
    except subprocess.TimeoutExpired:
        return False, f"not finished after {time_limit} s", time.perf_counter() - start
    seconds, result = time.perf_counter() - start, last_line(process.stdout)
    if process.returncode:
        return False, last_line(process.stderr) or f"ended with code {process.returncode}", seconds
    return bool(result), result or "no output", seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="examples to run, such as steep; default: all")
    parser.add_argument("--folder", type=Path, default=EXAMPLES, help="folder of the examples; default: %(default)s")
    parser.add_argument("--time-limit", type=float, default=TIME_LIMIT, help="seconds for each example; default: 300")
    arguments = parser.parse_args()
    examples = {path.stem: path for path in sorted(arguments.folder.glob("[!_]*.py"))}
    for name in arguments.names:
        if name not in examples:
            parser.error(f"names: expected some of {', '.join(examples)}; got {name}")

    names = arguments.names or list(examples)
    width = max(map(len, names), default=0)
    print(f"{'example':{width}}   seconds         result", flush=True)
    failed = 0
    for name in names:
        passed, result, seconds = run(examples[name], arguments.time_limit)
        failed += not passed
        print(f"{name:{width}}   {seconds:7.1f}   {'pass' if passed else 'FAIL'}  {result}", flush=True)
    if failed or not names:
        sys.exit(f"{failed} of {len(names)} examples failed.")
    print(f"All {len(names)} examples passed.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")

# SPDX-License-Identifier: BSD-3-Clause
"""What `make examples` runs: every example, in a process of its own, and a table of what each showed.

An example shows something if it ends without an error in time; the last line that it prints says what, with a figure.

    python tests/run_examples.py
    python tests/run_examples.py steep digits
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
TIME_LIMIT = 300  # seconds; each is meant to take less than 60


def last_line(text):
    return (text.strip().splitlines() or [""])[-1].strip()


def run(path, time_limit=TIME_LIMIT):
    """Run one example with its default arguments: (whether it passed, what it showed or what was wrong, seconds)."""
    start = time.perf_counter()
    command = [sys.executable, "-X", "utf8", str(path)]
    try:
        process = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=time_limit)
    except subprocess.TimeoutExpired:
        return False, f"it had not ended after {time_limit} s", time.perf_counter() - start
    seconds, said = time.perf_counter() - start, last_line(process.stdout)
    if process.returncode:
        return False, last_line(process.stderr) or f"it ended with code {process.returncode}", seconds
    return bool(said), said or "it printed nothing", seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="of examples, as steep; default: all")
    parser.add_argument("--folder", type=Path, default=EXAMPLES, help="with the examples; default: %(default)s")
    parser.add_argument("--time-limit", type=float, default=TIME_LIMIT, help="for each, in seconds; default: 300")
    arguments = parser.parse_args()
    found = {path.stem: path for path in sorted(arguments.folder.glob("*.py"))}
    for name in arguments.names:
        if name not in found:
            parser.error(f"names: expected some of {', '.join(found)}; got {name}")

    names = arguments.names or list(found)
    width = max(map(len, names), default=0)
    print(f"{'example':{width}}   seconds         what it showed", flush=True)
    failed = 0
    for name in names:
        passed, said, seconds = run(found[name], arguments.time_limit)
        failed += not passed
        print(f"{name:{width}}   {seconds:7.1f}   {'pass' if passed else 'FAIL'}  {said}", flush=True)
    if failed or not names:
        sys.exit(f"{failed} of {len(names)} examples failed.")
    print(f"All {len(names)} examples passed.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")

# SPDX-License-Identifier: BSD-3-Clause
"""The command line: ``python -m fastrnn.benchmarks --help``."""

from fastrnn.io._command import run

from ._suite.cli import main

if __name__ == "__main__":
    run(main)

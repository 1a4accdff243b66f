# SPDX-License-Identifier: BSD-3-Clause
"""The command line: ``python -m fastrnn.benchmarks --help``."""

import sys

from ._suite.cli import main

if __name__ == "__main__":
    sys.exit(main())

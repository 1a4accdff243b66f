# SPDX-License-Identifier: BSD-3-Clause
"""Clean exit of commands: no traceback for Ctrl-C or a closed output pipe."""

import io
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

# As the shell reports the death by these signals.
INTERRUPTED, BROKEN_PIPE = 130, 141


def run(main: Callable[[], Any]) -> NoReturn:
    """Call `main` and exit with its code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # it may be closed, and None
        sys.stdout.reconfigure(errors="backslashreplace")  # the name of a file need not be text
    try:
        try:
            code = main()
        except SystemExit as ended:  # of argparse, too
            code = ended.code
        if sys.stdout:
            sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as error:  # of stdout; the commands report those of files themselves
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes once more when it exits
        code = BROKEN_PIPE if isinstance(error, BrokenPipeError) else f"stdout: {error}"
    sys.exit(code)

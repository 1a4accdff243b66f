# SPDX-License-Identifier: BSD-3-Clause
"""The command line: ``python -m fastrnn.benchmarks``."""

import subprocess
import sys

import pytest


def run_command(*arguments, code="from fastrnn.benchmarks._suite.cli import main; main()"):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)


def test_a_missing_requirement_names_the_extra():
    """tqdm and matplotlib come with fastrnn[bench]."""
    blocked = "import sys; sys.modules['matplotlib'] = sys.modules['tqdm'] = None; import fastrnn.benchmarks.__main__"
    message = run_command(code=blocked).stderr.strip().splitlines()[-1]
    assert message == 'ImportError: The benchmarks need tqdm: pip install "fastrnn[bench]"'


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--threads", "0"], "expected numbers of threads like 1,2, got '0'"),
        (["--peers", "tensorflow"], "--peers: expected names of numpy, torch"),
        (["--only", "no such case"], "--only: no case has a name like 'no such case'"),
        (["--only", "("], "expected a regular expression, got '('"),
        (["--check", "no-such-file.json"], "No such file or directory: 'no-such-file.json'"),
        (["--check", "/dev/zero"], "/dev/zero: expected a regular file, got a device"),
        (["--out", __file__], f"File exists: '{__file__}'"),
    ],
)
def test_the_command_line_is_checked(arguments, message):
    """Before anything is measured."""
    pytest.importorskip("matplotlib")
    process = run_command(*arguments)
    assert process.returncode != 0 and message in process.stderr

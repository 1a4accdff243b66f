# SPDX-License-Identifier: BSD-3-Clause
"""aeon is imported by `fastrnn.aeon` alone, and its absence is named."""

import subprocess
import sys


def run(code):
    return subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=100)


def test_without_aeon_the_error_names_the_extra():
    process = run("import sys; sys.modules['aeon'] = None; import fastrnn.aeon")
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == 'ImportError: fastrnn.aeon needs aeon: pip install "fastrnn[aeon]"'


def test_nothing_else_imports_aeon():
    process = run("import sys, fastrnn, fastrnn.sklearn; print('aeon' in sys.modules)")
    assert process.stdout.strip() == "False", process.stderr

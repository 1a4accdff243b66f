# SPDX-License-Identifier: BSD-3-Clause
"""sktime is imported by `fastrnn.sktime` alone, and its absence is named."""

import subprocess
import sys


def run(code):
    return subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=100)


def test_without_sktime_the_error_names_the_extra():
    process = run("import sys; sys.modules['sktime'] = None; import fastrnn.sktime")
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == 'ImportError: fastrnn.sktime needs sktime: pip install "fastrnn[sktime]"'


def test_nothing_else_imports_sktime():
    process = run("import sys, fastrnn, fastrnn.sklearn; print('sktime' in sys.modules)")
    assert process.stdout.strip() == "False", process.stderr

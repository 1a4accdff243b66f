# SPDX-License-Identifier: BSD-3-Clause
"""scikit-learn is imported by `fastrnn.sklearn` alone, and its absence is named."""

import subprocess
import sys


def run(code):
    return subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60)


def test_without_scikit_learn_the_error_names_the_extra():
    process = run("import sys; sys.modules['sklearn'] = None; import fastrnn; import fastrnn.sklearn")
    assert process.returncode == 1
    expected = 'ImportError: fastrnn.sklearn needs scikit-learn: pip install "fastrnn[sklearn]"'
    assert process.stderr.strip().splitlines()[-1] == expected


def test_fastrnn_does_not_import_scikit_learn():
    code = (
        "import sys, fastrnn; fastrnn.fit, fastrnn.EchoState; print(*{'sklearn', 'fastrnn.sklearn'} & set(sys.modules))"
    )
    assert run(code).stdout.strip() == ""

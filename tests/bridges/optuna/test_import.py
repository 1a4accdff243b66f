# SPDX-License-Identifier: BSD-3-Clause
"""optuna is imported by `fastrnn.optuna` alone, and its absence is named."""

import subprocess
import sys


def run(code):
    return subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60)


def test_without_optuna_the_error_names_the_extra():
    process = run("import sys; sys.modules['optuna'] = None; import fastrnn.optuna")
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == 'ImportError: fastrnn.optuna needs optuna: pip install "fastrnn[optuna]"'


def test_fastrnn_imports_no_engine_of_others():
    """Neither that of searches nor those of several processes, if they are installed."""
    names = "{'optuna', 'mpi4py', 'dask', 'distributed', 'ray', 'pyspark', 'fastrnn.optuna'}"
    used = "fastrnn.fit, fastrnn.Predictor, fastrnn.distributed.run"
    process = run(f"import sys, fastrnn; {used}; print(*{names} & set(sys.modules))")
    assert process.stdout.strip() == "", process.stderr
    assert process.returncode == 0

# SPDX-License-Identifier: BSD-3-Clause
"""Searches over joblib's back-ends: the blocks of the guide, with the scores and the parameters of one process.

Each runs in a program of its own, which ends with it; one whose library is not installed is skipped.
"""

import importlib.util
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "search.rst"
BLOCKS = re.findall(r"::\n\n((?:   .*\n|\n)+)", GUIDE.read_text())

PROGRAM = """
import numpy as np
from fastrnn.sklearn import RNNClassifier
from sklearn.model_selection import GridSearchCV

def made():
    network = RNNClassifier(hidden_size=4, max_iter=3, n_iter_no_change=None, n_threads=1, random_state=0)
    return GridSearchCV(network, {"cell": ["lstm", "gru"]}, cv=2)

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    X = [rng.standard_normal((length, 2)) for length in rng.integers(5, 15, size=40)]
    y = np.array(["rise" if x[-1, 0] > x[0, 0] else "fall" for x in X])
    alone, search = made().fit(X, y), made()
    BLOCK
    for part in "split0_test_score", "split1_test_score":
        assert (alone.cv_results_[part] == search.cv_results_[part]).all()
    params = search.best_estimator_.model_.params
    print(all((p == params[name]).all() for name, p in alone.best_estimator_.model_.params.items()))
"""

# Of these blocks, for one core or two.
FEWER = {
    "n_jobs=4": "n_jobs=2",
    "Client(n_workers=4": "Client(n_workers=2, dashboard_address=None",
    "num_cpus=4": "num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20",
}


@pytest.mark.parametrize(
    "backend, package",
    [
        pytest.param("loky", "joblib", marks=pytest.mark.slow),  # the default, which other tests run
        ("dask", "dask"),  # `distributed` is a folder of these tests, too
        pytest.param("ray", "ray", marks=pytest.mark.slow),
    ],
)
def test_the_search_of_one_process(backend, package, tmp_path):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}: pip install {package}")
    (block,) = [block for block in BLOCKS if f'parallel_config("{backend}"' in block]
    for old, new in FEWER.items():
        block = block.replace(old, new)
    script = tmp_path / "script.py"
    script.write_text(PROGRAM.replace("BLOCK", textwrap.indent(textwrap.dedent(block), "    ").strip()))
    env = os.environ | {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    with open(tmp_path / "out", "w") as out, open(tmp_path / "err", "w") as err:
        process = subprocess.run([sys.executable, script], cwd=tmp_path, stdout=out, stderr=err, timeout=110, env=env)
    assert process.returncode == 0, (tmp_path / "err").read_text()
    assert (tmp_path / "out").read_text().strip().splitlines()[-1] == "True"

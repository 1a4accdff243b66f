# SPDX-License-Identifier: BSD-3-Clause
"""A predictor in joblib, Dask, Ray, Spark and MPI: the lines of the guide, with the bits of one process.

Each engine runs in a program of its own, which ends with it; one that is not installed is skipped.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "distributed.rst"
LINES = dict(re.findall(r"^   \* - (\w[\w ]*)\n     - ``(.*)``$", GUIDE.read_text(), re.MULTILINE))

BEFORE = """
import numpy as np
import fastrnn as fr

def data():
    rng = np.random.default_rng(0)
    return [rng.standard_normal((length, 3)).astype(np.float32) for length in rng.integers(1, 9, 24)]

if __name__ == "__main__":
    rows, path = data(), "model.safetensors"
    model = fr.Sequential(fr.GRU(3, 8, seed=0), fr.LastStep(), fr.Linear(8, 2, seed=1))
    fr.save(model, path)
    expected = fr.predict(model, rows)
    predictor = fr.Predictor(path)
    parts = [rows[:1], rows[1:14], rows[14:15], rows[15:]]
    lists = [row.tolist() for row in rows]
"""
AFTER = """
    scores = np.concatenate([np.asarray(part) for part in scores]).reshape(expected.shape)
    print(len(scores), bool((scores == expected).all()))
"""

# The name of a line: the packages that it needs, what comes before it, and what makes a list of arrays of its result.
ENGINES = {
    "joblib": ("joblib", "import joblib", "scores = LINE"),
    "MPI": ("mpi4py", "from mpi4py.futures import MPIPoolExecutor", "pool = MPIPoolExecutor(); scores = LINE"),
    "Dask": ("dask", "import dask", "scores = LINE"),
    "Dask bag": (
        "dask",
        "import dask.bag; bag = dask.bag.from_sequence(rows, npartitions=3)",
        "scores = [LINE.compute(scheduler='processes')]",
    ),
    "Dask DataFrame": (
        "dask pandas pyarrow",
        "import pandas as pd, dask.dataframe as dd, dask; dask.config.set({'dataframe.convert-string': False}); "
        "frame = dd.from_pandas(pd.DataFrame({'series': lists}), npartitions=3)",
        "scores = LINE.compute(scheduler='processes')['prediction'].tolist()",
    ),
    "Ray": (
        "ray pandas pyarrow",
        "import ray; ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level='ERROR', "
        "object_store_memory=100 * 2**20); "
        "dataset = ray.data.from_items([{'series': row} for row in lists], override_num_blocks=3)",
        "scores = [row['prediction'] for row in LINE.take_all()]",
    ),
    "Spark": (
        "pyspark pandas pyarrow",
        "import pandas as pd; from pyspark.sql import SparkSession; "
        "session = SparkSession.builder.master('local[2]').config('spark.ui.enabled', 'false').getOrCreate(); "
        "frame = session.createDataFrame([(row,) for row in lists], 'series array<array<float>>').repartition(1)",
        "scores = [row['prediction'] for row in LINE.collect()]; session.stop()",
    ),
}


def skip_unless_there(packages):
    for package in packages.split():
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}: pip install {package}")


def program(name, folder, **replaced):
    _, before, after = ENGINES[name]
    line = LINES[name]
    for old, new in replaced.items():
        line = line.replace(f"{old}=4", f"{old}={new}")
    script = folder / "script.py"
    script.write_text("\n    ".join([BEFORE.rstrip(), before, after.replace("LINE", line)]) + AFTER)
    return script


def output(command, folder):
    """The last line that a program prints. Files, since some engines leave a process behind that holds its pipes."""
    with open(folder / "out", "w") as out, open(folder / "err", "w") as err:
        process = subprocess.run(command, cwd=folder, stdout=out, stderr=err, timeout=110, env=environment())
    assert process.returncode == 0, (folder / "err").read_text()
    return (folder / "out").read_text().strip().splitlines()[-1]


def environment():
    return os.environ | {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "PYSPARK_PYTHON": sys.executable}


def test_the_guide_has_a_line_for_each():
    assert LINES.keys() == ENGINES.keys()


@pytest.mark.parametrize("name", ["joblib", "Dask", "Dask bag", pytest.param("Dask DataFrame", marks=pytest.mark.slow)])
def test_the_bits_of_one_process(name, tmp_path):
    skip_unless_there(ENGINES[name][0])
    assert output([sys.executable, str(program(name, tmp_path, n_jobs=2))], tmp_path) == "24 True"


def test_a_pool_of_mpi(tmp_path):
    """The process of rank 0 runs the program, and the others are its pool."""
    skip_unless_there("mpi4py")
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    if (path := which("mpiexec", path=os.pathsep.join(folders))) is None:
        pytest.skip("needs mpiexec, as of the package mpich")
    command = [path, "-n", "3", sys.executable, "-m", "mpi4py.futures", str(program("MPI", tmp_path))]
    assert output(command, tmp_path) == "24 True"


@pytest.mark.slow
def test_ray(tmp_path):
    """On one core."""
    skip_unless_there(ENGINES["Ray"][0])
    assert output([sys.executable, str(program("Ray", tmp_path, concurrency=1))], tmp_path) == "24 True"


@pytest.mark.slow
def test_spark(tmp_path):
    skip_unless_there(ENGINES["Spark"][0])
    if which("java") is None:
        pytest.skip("needs a Java virtual machine")
    assert output([sys.executable, str(program("Spark", tmp_path))], tmp_path) == "24 True"

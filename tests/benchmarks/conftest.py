# SPDX-License-Identifier: BSD-3-Clause
"""A small run of the benchmarks, and settings that its peers leave changed."""

import sys

import pytest
from support.bench_data import ROOF, SETTINGS, SMALL

import fastrnn as fr
from fastrnn import _core
from fastrnn.benchmarks._suite import machine, report, run


@pytest.fixture(autouse=True)
def thread_settings():
    """Restore the numbers of threads, which a peer sets for its process: here that of the tests."""
    before = _core.max_threads()
    yield
    fr.set_num_threads(None)
    if torch := sys.modules.get("torch"):  # a test may have been the first to import it
        torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """Two small cases with fastrnn and NumPy, as a document."""
    folder = tmp_path_factory.mktemp("run")
    results, versions = run.measure_all(SMALL, ["numpy"], SETTINGS, folder)
    results = [(case, figures, 0.0) for case, figures, _ in results]  # whatever else uses the machine during the tests
    return report.make_document(results, ROOF, machine.describe([1], ["--quick"]) | {"versions": versions}, {})

# SPDX-License-Identifier: BSD-3-Clause
"""Workers of multiprocessing and of joblib."""

import multiprocessing

import pytest
from support.child import in_child, linux_only, needs, results

import fastrnn as fr


def compute_in_worker(layer):
    """The bits of a layer, and how many threads it may use, in a worker of a pool."""
    with fr.threads(2):
        result = results(layer, 60, 1)
    return result, fr.get_num_threads()


def pool_of_processes(method):
    """Whether two worker processes give the parent's bits, after the parent used threads."""
    layer = fr.LSTM(20, 390, num_layers=2, seed=0)
    with fr.threads(2):
        expected = results(layer, 60, 1)
    with multiprocessing.get_context(method).Pool(2) as pool:
        result = pool.map(compute_in_worker, [layer] * 4)
    return [bits == expected for bits, _ in result]


@linux_only
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_give_the_same_bits(method):
    """A layer travels to the workers by pickle, and computes the same there."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no start method {method} here")
    result = in_child(pool_of_processes, method, uses=[results, compute_in_worker])
    assert result == [True] * 4


def joblib_workers(backend):
    """Whether joblib's workers give the parent's bits, and how many threads each may use."""
    import joblib

    layer = fr.LSTM(20, 390, seed=0)
    with fr.threads(2):
        expected = results(layer, 60, 1)
    layers = [layer] + [fr.LSTM(20, 390, seed=0) for _ in range(3)]
    jobs = [joblib.delayed(compute_in_worker)(layer) for layer in layers]
    with joblib.parallel_config(backend, inner_max_num_threads=1 if backend == "loky" else None):
        result = joblib.Parallel(n_jobs=2)(jobs)
    return [(bits == expected, n) for bits, n in result]


@linux_only
@needs("joblib")
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_of_joblib_give_the_same_bits(backend):
    """Workers give the parent's bits; those of loky obey joblib's limit of inner threads."""
    result = in_child(joblib_workers, backend, uses=[results, compute_in_worker])
    same, counts = zip(*result, strict=True)
    assert all(same)
    assert backend != "loky" or set(counts) == {1}

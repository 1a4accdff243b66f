# SPDX-License-Identifier: BSD-3-Clause
"""How many threads a call may use: with threads(n), set_num_threads, OpenMP and threadpoolctl, by precedence."""

import asyncio
import concurrent.futures
import threading

import numpy as np
import pytest
from support.child import (
    in_child,
    linux_only,
    needs,
    needs_openmp,
)

import fastrnn as fr
from fastrnn import _core
from fastrnn._engine.cores import usable_cores


def counts_by_precedence():
    """The number of threads as one setting after the other is made, and taken back."""
    n = [fr.get_num_threads()]
    fr.set_num_threads(4)
    n.append(fr.get_num_threads())
    with fr.threads(5):
        n.append(fr.get_num_threads())
        with fr.threads(6):
            n.append(fr.get_num_threads())
            fr.set_num_threads(7)
            n.append(fr.get_num_threads())
        n.append(fr.get_num_threads())
    n.append(fr.get_num_threads())
    fr.set_num_threads(None)
    return [*n, fr.get_num_threads()]


@needs_openmp
def test_precedence_with_threads_then_set_num_threads_then_omp_num_threads():
    counts = in_child(counts_by_precedence, env={"OMP_NUM_THREADS": "3"})
    assert counts == [3, 4, 5, 6, 6, 5, 7, 3]


@needs_openmp
@linux_only
def test_without_settings_the_machine_decides():
    cores = usable_cores()
    assert in_child(counts_by_precedence) == [cores, 4, 5, 6, 6, 5, 7, cores]


@pytest.mark.skipif(_core.openmp(), reason="built with OpenMP")
def test_a_serial_build_has_one_thread():
    assert in_child(counts_by_precedence, env={"OMP_NUM_THREADS": "3"}) == [1] * 8


def counts_under_threadpoolctl():
    """Threads of this and of another Python thread, inside and after a limit for this one."""
    from threadpoolctl import threadpool_limits

    def elsewhere():
        result = []
        thread = threading.Thread(target=lambda: result.append(fr.get_num_threads()))
        thread.start()
        thread.join()
        return result[0]

    default = fr.get_num_threads()
    counts = {"default": default}
    with threadpool_limits(limits=default + 1, user_api="openmp"):
        counts["limited"] = fr.get_num_threads()
        counts["elsewhere"] = elsewhere()
        fr.set_num_threads(default + 2)
        counts["set"] = fr.get_num_threads()
        fr.set_num_threads(None)
    with threadpool_limits(limits=1, user_api="openmp"):
        counts["one"] = fr.get_num_threads()
    counts["after"] = fr.get_num_threads()
    return counts


@needs("threadpoolctl")
@needs_openmp
def test_threadpoolctl_limits_the_calling_thread_only():
    counts = in_child(counts_under_threadpoolctl)
    n = counts["default"]
    expected = {"limited": n + 1, "elsewhere": n, "set": n + 2, "one": 1, "after": n}
    assert counts == {"default": n} | expected


@needs_openmp
def test_with_threads_is_not_seen_by_other_python_threads():
    """Compared with what another thread sees without it: OpenMP's settings are of each thread."""
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        outside = other.submit(fr.get_num_threads).result()
        with fr.threads(outside + 3):
            assert other.submit(fr.get_num_threads).result() == outside
            assert fr.get_num_threads() == outside + 3


@needs_openmp
def test_set_num_threads_is_seen_by_other_python_threads():
    seen = []
    fr.set_num_threads(11)
    thread = threading.Thread(target=lambda: seen.append(fr.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [11]


@needs_openmp
def test_with_threads_belongs_to_one_asyncio_task():
    async def count(n):
        with fr.threads(n):
            await asyncio.sleep(0.01)  # the other tasks enter their blocks here
            return fr.get_num_threads()

    async def main():
        return await asyncio.gather(*map(count, (2, 3, 5)))

    assert asyncio.run(main()) == [2, 3, 5]


@needs_openmp
def test_with_threads_ends_with_an_exception():
    outside = fr.get_num_threads()
    with pytest.raises(KeyError):
        with fr.threads(outside + 1):
            raise KeyError
    assert fr.get_num_threads() == outside


@pytest.mark.parametrize(
    "n, error, text",
    [
        (0, ValueError, "n: expected 1..1024 threads, got 0"),
        (-1, ValueError, "n: expected 1..1024 threads, got -1"),
        (5000, ValueError, "n: expected 1..1024 threads, got 5000"),
        (2.5, TypeError, "n: expected an integer, got float"),
        ("2", TypeError, "n: expected an integer, got str"),
        (np.ones(2, int), TypeError, "n: expected an integer, got ndarray"),
    ],
)
def test_bad_numbers_of_threads_are_refused_and_change_nothing(n, error, text):
    before = fr.get_num_threads()
    with pytest.raises(error, match=f"^{text}$"):
        fr.set_num_threads(n)
    with pytest.raises(error, match=f"^{text}$"):
        with fr.threads(n):
            pass
    assert fr.get_num_threads() == before


def test_with_threads_needs_a_number():
    with pytest.raises(TypeError, match="n: expected an integer, got NoneType"):
        with fr.threads(None):
            pass


@needs_openmp
@pytest.mark.parametrize("n, count", [(np.int64(3), 3), (1024, 1024)])
def test_numbers_of_threads_may_be_any_integer(n, count):
    """NumPy's integers, and the largest number allowed."""
    with fr.threads(n):
        assert fr.get_num_threads() == count


@needs_openmp
def test_show_config_names_where_the_number_comes_from(capsys):
    with fr.threads(3):
        fr.show_config()
    fr.set_num_threads(4)
    fr.show_config()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("threads:")]
    assert [line.split(":")[1].strip() for line in lines] == [
        "3 (with threads(n))",
        "4 (set_num_threads)",
    ]

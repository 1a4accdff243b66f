# SPDX-License-Identifier: BSD-3-Clause
"""What fastrnn leaves as it was in a process: PyTorch beside it, variables, threads, signal handlers, memory."""

import hashlib
import importlib
import importlib.util
import os

import numpy as np
import pytest
from support.child import (
    exit_codes,
    fork,
    in_child,
    linux_only,
    needs,
    not_sanitized,
    results,
)

import fastrnn as fr


def two_libraries(*order):
    """What PyTorch and fastrnn, imported in this order, compute in turn on two threads each: a
    digest for each of those imported."""
    modules = {name: importlib.import_module(name) for name in order}
    torch, fr = modules.get("torch"), modules.get("fastrnn")

    def torch_results():
        torch.set_num_threads(2)
        torch.manual_seed(0)
        lstm, x = torch.nn.LSTM(30, 200), torch.randn(20, 16, 30)
        y, _ = lstm(x)
        (y**2).sum().backward()
        many = torch.tanh(torch.randn(1 << 18)) * 3
        return [t.detach().numpy().tobytes() for t in (y, lstm.weight_hh_l0.grad, many)]

    def fastrnn_results():
        with fr.threads(2):
            return list(results(fr.LSTM(20, 390, seed=0), 60, 1).values())

    digests = {}
    for _ in range(2):
        for name, compute in (("torch", torch_results), ("fastrnn", fastrnn_results)):
            if name in modules:
                new = hashlib.sha256(b"".join(compute())).hexdigest()
                assert digests.setdefault(name, new) == new, f"{name}: other bits in the next turn"
    if torch and fr:
        if torch.set_flush_denormal(True):
            fastrnn_results()
            assert np.float32(1e-40) * np.float32(1) == 0, "PyTorch's own mode was not kept"
            torch.set_flush_denormal(False)
        assert exit_codes([fork(lambda: fastrnn_results() and 0)]) == [0]
    return digests


BESIDE_TORCH = {
    "uses": [results, fork, exit_codes],
    "imports": "import hashlib, importlib, os, signal, time\nimport numpy as np\n",
}


@pytest.fixture(scope="module")
def alone():
    """What each library computes in a process without the other."""
    torch = in_child(two_libraries, "torch", **BESIDE_TORCH)
    return torch | in_child(two_libraries, "fastrnn", **BESIDE_TORCH)


@linux_only
@needs("torch")
@pytest.mark.parametrize("order", [("torch", "fastrnn"), ("fastrnn", "torch")], ids="-".join)
def test_beside_torch_in_both_import_orders(order, alone):
    """The bits of each library alone; a mode set by PyTorch is kept; and fork works."""
    assert in_child(two_libraries, *order, **BESIDE_TORCH) == alone


def traces_of_import():
    """Environment variables, threads and signal handlers that importing fastrnn adds."""
    import ctypes
    import os
    import signal

    import numpy  # noqa: F401 - has threads and variables of its own

    environ = ctypes.POINTER(ctypes.c_char_p)

    def now():
        variables, result = environ.in_dll(ctypes.CDLL(None), "environ"), []
        while variables[len(result)]:
            result.append(variables[len(result)].decode())
        handlers = [str(signal.getsignal(k)) for k in sorted(signal.valid_signals())]
        return [result, dict(os.environ), sorted(os.listdir("/proc/self/task")), handlers]

    before = now()
    import fastrnn  # noqa: F401

    return [before, now()]


@linux_only
def test_import_sets_no_variable_and_makes_no_thread():
    """Nor does it touch a signal handler."""
    before, after = in_child(traces_of_import, imports="")
    assert after == before


def growth_of_many_small_calls():
    """Bytes of memory and number of threads that 20000 calls add after a first 4000."""
    fr.set_num_threads(2)
    rng = np.random.default_rng(0)
    small, large = fr.GRU(8, 16, seed=0), fr.LSTM(20, 390, seed=0)
    x, x_large = rng.standard_normal((3, 2, 8)), rng.standard_normal((10, 1, 20))
    x, x_large = x.astype(np.float32), x_large.astype(np.float32)
    stream = small.stream()

    def calls(n):
        for k in range(n // 4):
            small(x, lengths=[3, k % 4])
            y, _, tape = small.forward(x)
            small.backward(tape, y)
            stream.step(x[0, 0])
            if k % 50 == 0:
                large(x_large)

    def now():
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/task"))

    calls(4000)
    before = now()
    calls(20000)
    return [b - a for a, b in zip(before, now(), strict=True)]


@linux_only
@not_sanitized
def test_many_small_calls_leave_nothing_behind():
    """20000 calls: memory grows by less than 2 MiB, and no thread is added."""
    growth, threads = in_child(growth_of_many_small_calls)
    assert growth < 2 << 20
    assert threads == 0

# SPDX-License-Identifier: BSD-3-Clause
"""Tests in processes of their own, for what could hang, crash or leave something behind."""

import importlib.util
import inspect
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from fastrnn import _core

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, or needs fork")
needs_openmp = pytest.mark.skipif(not _core.openmp(), reason="built without OpenMP: one thread")
not_sanitized = pytest.mark.skipif(
    "asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer's own time and memory"
)
flushes = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64", "aarch64"), reason="no flush mode known here"
)


def needs(module):
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not installed")


IMPORTS = """\
import contextlib, json, multiprocessing, os, signal, subprocess, sys, threading, time
import numpy as np
import fastrnn as fr
"""


def in_child(function, *args, uses=(), imports=IMPORTS, env=None, timeout=60):
    """What ``function(*args)`` returns in a process of its own, by way of JSON.

    The function and those that it `uses` travel as source, after `imports`. OpenMP settings of
    this process stay here. After `timeout` seconds the process and its children are killed, and
    the test fails.
    """
    sources = [textwrap.dedent(inspect.getsource(f)) for f in (*uses, function)]
    end = 'if __name__ == "__main__":\n    import json\n'
    end += f'    print("\\n" + json.dumps({function.__name__}(*{args!r})))\n'
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "KMP_"))}
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "child.py")
        script.write_text("\n".join([imports, *sources, end]))
        process = subprocess.Popen(
            [sys.executable, script],
            env=ours | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            pytest.fail(f"{function.__name__} hangs: not done after {timeout} s\n{out}{err}")
    assert process.returncode == 0, f"exit code {process.returncode}\n{out}{err}"
    return json.loads(out.splitlines()[-1])


def results(layer, T, N, lengths=None):
    """The bytes of all that inference and training give for random arguments, by name."""
    rng = np.random.default_rng(0)
    H, D = layer.hidden_size, layer.num_directions

    def draw(*shape):
        return rng.standard_normal(shape).astype(layer.dtype)

    def draw_state():
        state = tuple(draw(layer.num_layers * D, N, H) for _ in layer.cell.parts)
        return state if len(state) > 1 else state[0]

    x, dy = draw(T, N, layer.input_size), draw(T, N, D * H)
    state, dstate = draw_state(), draw_state()
    layer.zero_grad()
    y, final = layer(x, state, lengths)
    y_kept, final_kept, tape = layer.forward(x, state, lengths)
    dx, dinitial = layer.backward(tape, dy, dstate)
    result = {"y": y, "training y": y_kept, "dx": dx} | dict(layer.grads)
    states = {"state": final, "training state": final_kept, "dstate": dinitial}
    for name, state in states.items():
        parts = state if isinstance(state, tuple) else (state,)
        result |= {f"{name}[{k}]": part for k, part in enumerate(parts)}
    return {name: array.tobytes() for name, array in result.items()}


def differing(a, b):
    return [name for name in a if a[name] != b[name]]


def fork(work):
    """The pid of a child that exits with what `work()` returns."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return pid


def exit_codes(pids, seconds=20):
    """Of these children; "hangs" for those that have to be killed after so many seconds."""
    codes, end = {}, time.monotonic() + seconds
    while len(codes) < len(pids) and time.monotonic() < end:
        for pid in set(pids) - set(codes):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                codes[pid] = os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    for pid in set(pids) - set(codes):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        codes[pid] = "hangs"
    return [codes[pid] for pid in pids]

# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures: every engine, dtype and cell; random numbers; examples as modules."""

import importlib.util
import os
import signal
import sys

import hypothesis
import numpy as np
import pytest
from support import c_library
from support.examples import EXAMPLES, import_example
from support.recurrent import RECURRENT_CELLS

import fastrnn as fr
from fastrnn import _core

hypothesis.settings.register_profile("the same examples on every run", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("the same examples on every run")


@pytest.fixture(params=_core.BUILT_ISAS)
def isa(request):
    """Each engine in this build; those that the machine cannot run are skipped, with a word."""
    if request.param not in fr.isas():
        pytest.skip(f"this machine cannot run the {request.param} engine")
    before = _core.get_isa()
    _core.set_isa(request.param)
    assert _core.get_isa() == request.param
    yield request.param
    _core.set_isa(before)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture(params=RECURRENT_CELLS)
def cell(request):
    """The name of each recurrent cell, as in reference.CELLS."""
    return request.param


@pytest.fixture(params=[fr.RNN, fr.LSTM, fr.GRU], ids=lambda kind: kind.__name__)
def kind(request):
    """Each class of recurrent layers."""
    return request.param


@pytest.fixture
def rng(request):
    """Numbers that depend on the test's name alone."""
    return np.random.default_rng(list(request.node.nodeid.encode()))


@pytest.fixture(scope="session")
def baseline_library(tmp_path_factory):
    """The C library with its baseline engine alone, a static one, built in seconds."""
    return c_library.build_baseline(tmp_path_factory.mktemp("baseline"))


@pytest.fixture
def interruptible():
    """Python's own handler of Ctrl-C, whatever started the tests: the background jobs of a shell ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_report_header():
    torch = "live" if importlib.util.find_spec("torch") else "not installed: only its frozen results are checked"
    missing = [isa for isa in _core.BUILT_ISAS if isa not in fr.isas()]
    return [
        f"fastrnn {fr.__version__} from {os.path.dirname(fr.__file__)}",
        f"engines: {', '.join(fr.isas())} (in use: {_core.get_isa()}); not runnable: {', '.join(missing) or 'none'}",
        f"OpenMP: {'on' if _core.openmp() else 'off'}, threads: {fr.get_num_threads()}; PyTorch: {torch}",
    ]


# -- the examples ----------------------------------------------------------------------------------------------------


@pytest.fixture
def load_example(request, monkeypatch):
    """Loads the example that the test file is named after; each call anew."""
    monkeypatch.syspath_prepend(str(EXAMPLES))  # as if it were run: one may import another
    return lambda: import_example(request.path.stem.removeprefix("test_"))


@pytest.fixture
def example(load_example):
    return load_example()


@pytest.fixture
def run(example, monkeypatch, capsys):
    """Runs the example with arguments of the command line; returns what it prints."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [example.__file__, *map(str, arguments)])
        example.main()
        return capsys.readouterr().out

    return run

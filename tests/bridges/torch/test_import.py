# SPDX-License-Identifier: BSD-3-Clause
"""fastrnn.torch is loaded by those alone who import it, and says what it needs."""

import subprocess
import sys

import pytest


def run(code):
    return subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=100)


def test_without_pytorch_the_error_names_the_extra():
    process = run("import sys; sys.modules['torch'] = None; import fastrnn.torch")
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == 'ImportError: fastrnn.torch needs PyTorch: pip install "fastrnn[torch]"'


def test_fastrnn_does_not_import_pytorch():
    process = run("import sys, fastrnn, fastrnn.inspect; print('torch' in sys.modules)")
    assert process.stdout.strip() == "False", process.stderr


def test_what_is_public():
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'fastrnn[torch]'")
    import fastrnn.torch

    assert fastrnn.torch.__all__ == ["GRU", "LSTM", "RNN", "accelerate", "restore"]
    assert {getattr(fastrnn.torch, name).__module__.partition("._")[0] for name in fastrnn.torch.__all__} == {
        "fastrnn.torch"
    }

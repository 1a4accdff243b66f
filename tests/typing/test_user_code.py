# SPDX-License-Identifier: BSD-3-Clause
"""The code that type checkers read is code that works."""

import runpy
from pathlib import Path

import pytest

CODE = runpy.run_path(str(Path(__file__).with_name("user_code.py")))


def test_layers():
    CODE["layers"]()


def test_training_and_a_file(tmp_path):
    CODE["training"](tmp_path / "model.safetensors")


def test_decoding():
    CODE["decoding"]()


def test_estimators():
    CODE["estimators"]()


@pytest.mark.filterwarnings("ignore")  # of sktime's own
def test_panels():
    pytest.importorskip("sktime", reason="sktime is not installed: pip install 'fastrnn[sktime]'")
    CODE["panels"]()


def test_what_a_checker_refuses_is_refused():
    with pytest.raises(AttributeError, match="LSMT"):
        CODE["errors"]()

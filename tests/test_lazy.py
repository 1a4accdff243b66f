# SPDX-License-Identifier: BSD-3-Clause
"""Names that a module loads when they are first used."""

import importlib

import pytest

import fastrnn
from fastrnn._lazy import lazy

NAMES = [
    "Adam",
    "mse_loss",
    "EchoState",
    "RLS",
    "Attention",
    "AttentionDecoder",
    "Seq2Seq",
    "fit",
    "decoding",
    "init",
    "reference",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_lazy_name_is_the_thing_itself_and_stays(name):
    """The same object at every access, found in the module's dict from the second on."""
    thing = getattr(fastrnn, name)
    assert vars(fastrnn)[name] is thing is getattr(fastrnn, name)


def test_a_lazy_module_is_the_module():
    assert fastrnn.decoding is importlib.import_module("fastrnn.decoding")


def test_an_unknown_name_is_an_attribute_error():
    """With the words of Python's own, so that hasattr and getattr with a default work."""
    with pytest.raises(AttributeError, match="module 'fastrnn' has no attribute 'LSMT'"):
        _ = fastrnn.LSMT
    assert getattr(fastrnn.nn, "LSMT", None) is None


def test_names_come_from_the_first_home_that_has_them():
    find = lazy("fastrnn", [".nn", ".losses"], ["optim"])
    assert find("Linear") is fastrnn.nn.Linear and find("mse_loss") is fastrnn.losses.mse_loss
    assert find("optim") is fastrnn.optim

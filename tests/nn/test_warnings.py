# SPDX-License-Identifier: BSD-3-Clause
"""Warnings about the arguments of a layer."""

import copy
import pickle
import sys
import threading
import warnings

import pytest

import fastrnn as fr


def test_a_layer_warns_and_its_copies_do_not():
    """The warning points at the line that makes the layer."""
    with pytest.warns(UserWarning, match="dropout acts between layers") as record:
        layer = fr.LSTM(2, 3, dropout=0.5, seed=0)
    assert [each.filename for each in record] == [__file__]
    for again in copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), layer.inference_copy():  # errors here
        assert repr(again).startswith("LSTM(")


def test_copies_in_many_threads_leave_the_filters_of_warnings_alone():
    layer, filters, interval = fr.LSTM(2, 3, seed=0), list(warnings.filters), sys.getswitchinterval()

    def work():
        for _ in range(100):
            copy.copy(layer)

    threads = [threading.Thread(target=work) for _ in range(8)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert list(warnings.filters) == filters

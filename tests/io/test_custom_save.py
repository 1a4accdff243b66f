# SPDX-License-Identifier: BSD-3-Clause
"""Layers of a user's own that would not come back from a file are not saved."""

import numpy as np
import pytest
from support.layers import refused
from support.own_layers import Scale

import fastrnn as fr


class Tupled(Scale):
    """A config that JSON changes."""

    def config(self):
        return {"features": self.features, "gain": (1.0, 2.0)}


class Silent(Scale):
    """A config that does not say all."""

    def config(self):
        return {"gain": self.gain}


class Growing(Scale):
    """A config of another layer."""

    def config(self):
        return {"features": self.features + 1, "gain": self.gain}


class Callable(Scale):
    """An argument that is no plain value."""


@pytest.mark.parametrize(
    "layer, words",
    [
        (Tupled(3), "Tupled.config() to hold what JSON gives back unchanged, got tuples or other types"),
        (Silent(3), "config() of Silent to give the arguments of an equal layer, but "),
        (Growing(3), "config() of Growing to give the arguments of an equal layer, but "),
        (fr.Sequential(fr.Linear(2, 3), Silent(3)), "config() of Silent"),
        (Callable(3, np.float64(2)), "JSON gives back unchanged"),
    ],
    ids=["tuple", "silent", "growing", "inside", "scalar"],
)
def test_what_would_not_come_back_is_not_saved(layer, words, path):
    with refused(TypeError, words):
        fr.save(layer, path)
    assert not path.exists()

# SPDX-License-Identifier: BSD-3-Clause
"""Arrays as other libraries have them."""

import numpy as np


class Subclass(np.ndarray):
    """A subclass of ndarray with an attribute of its own."""

    def __array_finalize__(self, other):
        self.extra = getattr(other, "extra", "hello")


class OnlyArray:
    """An object of another library that converts itself."""

    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return self._array


class OnlyDLPack:
    """A tensor of another library that supports only DLPack."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()

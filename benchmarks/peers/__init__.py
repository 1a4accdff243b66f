# SPDX-License-Identifier: BSD-3-Clause
"""Who is measured. One module for each peer, imported only in the process that measures it.

A peer is a class `Peer` with the four methods below. Another one is measured by its name, ``module:Class``.
"""

import contextlib
import importlib
import importlib.metadata
import importlib.util

NAMES = ("numpy", "torch", "onnxruntime", "openvino", "jax")  # fastrnn itself is always measured
NEEDS = {"onnxruntime": ("onnxruntime", "onnx"), "openvino": ("openvino", "onnx")}


class Base:
    """What every peer has.

    Parameters
    ----------
    threads : int
        How many the peer may use. The library is imported here, so that the module can be read without it.
    """

    packages = ()

    def __init__(self, threads):
        self.threads = threads

    def versions(self):
        """Versions of what is measured, by package."""
        return {name: importlib.metadata.version(name) for name in self.packages}

    def supports(self, case):
        """None, or the reason why the peer cannot do the case."""
        return None

    def prepare(self, case, data):
        """Two functions: the call that is timed, and one that gives what it computes.

        The second returns a dict of arrays: ``y`` (T, N, D*H); with training also ``dx`` and the gradient of each
        parameter under its name in PyTorch; for a stream ``y`` of the third step with the same input, from zero.
        """
        raise NotImplementedError

    def timing(self, case):
        """A context in which calls are made."""
        return contextlib.nullcontext()


def missing(name):
    """The packages that a peer needs and that are not installed."""
    needs = (name.partition(":")[0],) if ":" in name else NEEDS.get(name, (name,))
    return [package for package in needs if importlib.util.find_spec(package) is None]


def load(name, threads):
    """The peer of that name."""
    module, _, attribute = name.partition(":")
    if not attribute:
        module, attribute = f"{__name__}.{name}", "Peer"
    return getattr(importlib.import_module(module), attribute)(threads)


def environment(name, threads):
    """What has to stand in the environment before a peer's libraries are imported."""
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    settings = {variable: str(threads) for variable in variables}
    if name == "jax":
        settings["JAX_PLATFORMS"] = "cpu"
        settings["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    return settings

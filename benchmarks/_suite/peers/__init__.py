# SPDX-License-Identifier: BSD-3-Clause
"""The libraries that are measured. Each has a module here, imported only in the process that measures it.

A peer is a subclass of `Peer`. Others can be measured too, by a name of the form ``module:Class``.
"""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from numpy.typing import NDArray

from ..cases import Case, CaseData

Outputs = dict[str, NDArray[Any]]
Calls = tuple[Callable[[], object], Callable[[], Outputs]]

NAMES = ("numpy", "torch", "onnxruntime", "openvino", "jax", "reservoirpy")  # fastrnn itself is always measured
CLASSES = {
    "fastrnn": "FastrnnPeer",
    "numpy": "NumpyPeer",
    "torch": "TorchPeer",
    "onnxruntime": "OnnxRuntimePeer",
    "openvino": "OpenVinoPeer",
    "jax": "JaxPeer",
    "reservoirpy": "ReservoirPyPeer",
}
# By these a library uses the kernels of another CPU: with OPENBLAS_CORETYPE=Haswell, NumPy does without AVX-512.
FORCED = frozenset(
    {
        "ATEN_CPU_CAPABILITY",
        "DNNL_MAX_CPU_ISA",
        "MKL_CBWR",
        "MKL_ENABLE_INSTRUCTIONS",
        "ONEDNN_MAX_CPU_ISA",
        "OPENBLAS_CORETYPE",
        "OPENBLAS_L2_SIZE",
    }
)
REQUIREMENTS = {"onnxruntime": ("onnxruntime", "onnx"), "openvino": ("openvino", "onnx")}


class Peer(ABC):
    """A library that runs the cases of the benchmark.

    A subclass imports its library when it is created, so that its module can be imported without the library.

    Parameters
    ----------
    threads : int
        How many threads the library may use.

    Attributes
    ----------
    packages : tuple of str
        Names of the installed packages whose versions are reported.
    threads : int
        As passed.
    """

    packages: ClassVar[tuple[str, ...]] = ()

    def __init__(self, threads: int) -> None:
        self.threads: int = threads

    def versions(self) -> dict[str, str]:
        """Versions of the measured packages, by name."""
        return {name: importlib.metadata.version(name) for name in self.packages}

    def supports(self, case: Case) -> str | None:
        """None if the library can run the case, else the reason why it cannot."""
        return None

    @abstractmethod
    def prepare(self, case: Case, data: CaseData) -> Calls:
        """Set up a case.

        Parameters
        ----------
        case : Case
        data : CaseData
            The arrays of the case.

        Returns
        -------
        call : callable
            What is timed; its result is ignored.
        outputs : callable
            Returns what a call computes, as a dict of arrays: ``y`` (T, N, D*H); in training also ``dx`` and the
            gradient of each parameter under the parameter's name in PyTorch; for a stream ``y`` of the third step with
            the same input, starting from a state of zeros.
        """

    def timing(self, case: Case) -> contextlib.AbstractContextManager[Any]:
        """The context in which calls are made."""
        return contextlib.nullcontext()


def missing_packages(name: str) -> list[str]:
    """The packages that a peer requires and that are not installed."""
    required = (name.partition(":")[0],) if ":" in name else REQUIREMENTS.get(name, (name,))
    return [package for package in required if importlib.util.find_spec(package) is None]


def load(name: str, threads: int) -> Peer:
    """Create the peer of that name."""
    module, _, attribute = name.partition(":")
    if not attribute:
        module, attribute = f"{__name__}.{name}", CLASSES[name]
    return getattr(importlib.import_module(module), attribute)(threads)


def environment(name: str, threads: int) -> dict[str, str]:
    """The environment of a process that measures a peer: so many threads, and the kernels that its library chooses."""
    settings = {name: value for name, value in os.environ.items() if name not in FORCED}
    settings |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    if name == "jax":
        settings["JAX_PLATFORMS"] = "cpu"
        settings["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    return settings

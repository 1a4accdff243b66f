# SPDX-License-Identifier: BSD-3-Clause
"""ONNX Runtime's CPU provider.

All graph optimizations are on, the session packs the weights, and inputs and outputs are bound to memory allocated
beforehand. Its threads spin between calls, as they do by default. A stream alternates between two bindings, so the
state is never copied. Concurrent streams are the rows of one batch, or share one session of batch 1 for a run each:
a session for each would read the weights from as many places.
"""

import importlib
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..cases import Array, Case, CaseData
from . import Calls, Outputs, Peer
from .onnx_model import as_outputs, build, unsupported


class OnnxRuntimePeer(Peer):
    packages = ("onnxruntime", "onnx")

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.ort: Any = importlib.import_module("onnxruntime")

    def supports(self, case: Case) -> str | None:
        return unsupported(case)

    def prepare(self, case: Case, data: CaseData) -> Calls:
        options = self.ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        model = build(replace(case, N=1) if case.each else case, data["params"])
        session = self.ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        inputs = {"x": data["x"]}
        if data["lengths"] is not None:
            inputs["lengths"] = data["lengths"].astype(np.int32)
        rows = [slice(n, n + 1) for n in range(case.N)] if case.each else [slice(None)]
        bound = [Bound(self.ort, session, inputs | {"x": inputs["x"][:, row].copy()}) for row in rows]
        next_bindings = itertools.cycle(zip(*(each.bindings for each in bound), strict=True)).__next__
        run: Callable[[Any], None] = session.run_with_iobinding

        def call() -> None:
            for binding in next_bindings():
                run(binding)

        def outputs() -> Outputs:
            for each in bound:
                each.reset()
            for _ in range(3 if case.streaming else 1):
                call()
            return as_outputs(case, np.concatenate([each.y.numpy() for each in bound], axis=2 if case.D == 1 else 1))

        return call, outputs


class Bound:
    """Memory for the inputs, outputs and state of a session, and two bindings to it, to be run in turn.

    Each writes the state that the other reads; without a state they are alike.
    """

    def __init__(self, ort: Any, session: Any, inputs: dict[str, Array]) -> None:
        as_value = ort.OrtValue.ortvalue_from_numpy
        self.zeros = {out.name: np.zeros(out.shape, np.float32) for out in session.get_outputs()}
        self.y: Any = as_value(self.zeros.pop("y"))
        self.states = [{name: as_value(zero) for name, zero in self.zeros.items()} for _ in range(2)]
        self.values = {name: as_value(array) for name, array in inputs.items()}  # a binding does not keep them alive
        self.bindings: list[Any] = []
        for before, after in ((0, 1), (1, 0)):
            binding = session.io_binding()
            for name, value in self.values.items():
                binding.bind_ortvalue_input(name, value)
            for name in self.zeros:
                binding.bind_ortvalue_input(name.removesuffix("_n"), self.states[before][name])
                binding.bind_ortvalue_output(name, self.states[after][name])
            binding.bind_ortvalue_output("y", self.y)
            self.bindings.append(binding)

    def reset(self) -> None:
        """Set the state to zero."""
        for name, zero in self.zeros.items():
            for state in self.states:
                state[name].update_inplace(zero)

# SPDX-License-Identifier: BSD-3-Clause
"""ONNX Runtime's CPU provider.

All graph optimizations are on, the session packs the weights, and inputs and outputs are bound to memory allocated
beforehand. Its threads spin between calls, as they do by default. A stream alternates between two bindings, so the
state is never copied.
"""

import importlib
import itertools
from typing import Any

import numpy as np

from ..cases import Case, CaseData
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
        options, as_value = self.ort.SessionOptions(), self.ort.OrtValue.ortvalue_from_numpy
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        session = self.ort.InferenceSession(build(case, data["params"]), options, providers=["CPUExecutionProvider"])
        zeros = {out.name: np.zeros(out.shape, np.float32) for out in session.get_outputs()}
        y = as_value(zeros.pop("y"))
        states = [{name: as_value(zero) for name, zero in zeros.items()} for _ in range(2)]
        values = {"x": as_value(data["x"])}
        if data["lengths"] is not None:
            values["lengths"] = as_value(data["lengths"].astype(np.int32))
        bindings = []
        for before, after in ((0, 1), (1, 0)):
            binding = session.io_binding()
            for name, value in values.items():
                binding.bind_ortvalue_input(name, value)
            for name in zeros:
                binding.bind_ortvalue_input(name.removesuffix("_n"), states[before][name])
                binding.bind_ortvalue_output(name, states[after][name])
            binding.bind_ortvalue_output("y", y)
            bindings.append(binding)
        memory = values, states  # a binding does not keep the memory of its values alive
        next_binding, run = itertools.cycle(bindings).__next__, session.run_with_iobinding

        def call() -> None:
            run(next_binding())

        def outputs() -> Outputs:
            for name, zero in zeros.items():
                for state in memory[1]:
                    state[name].update_inplace(zero)
            for _ in range(3 if case.streaming else 1):
                call()
            return as_outputs(case, y.numpy())

        return call, outputs

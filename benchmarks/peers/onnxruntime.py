# SPDX-License-Identifier: BSD-3-Clause
"""ONNX Runtime's CPU provider.

All graph optimizations; weights packed by the session; inputs and outputs bound to memory that exists before the call.
Its threads spin between calls, as they do by default. A stream has two bindings, so that the state goes to and fro
without a copy.
"""

import itertools

import numpy as np

from . import Base
from .onnx_model import as_outputs, build, unsupported


class Peer(Base):
    packages = ("onnxruntime", "onnx")

    def __init__(self, threads):
        super().__init__(threads)
        import onnxruntime

        self.ort = onnxruntime

    def supports(self, case):
        return unsupported(case)

    def prepare(self, case, data):
        options, new = self.ort.SessionOptions(), self.ort.OrtValue.ortvalue_from_numpy
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        session = self.ort.InferenceSession(build(case, data["params"]), options, providers=["CPUExecutionProvider"])
        zeros = {out.name: np.zeros(out.shape, np.float32) for out in session.get_outputs()}
        y, states = new(zeros.pop("y")), [{name: new(zero) for name, zero in zeros.items()} for _ in range(2)]
        values = {"x": new(data["x"])}
        if case.ragged:
            values["lengths"] = new(data["lengths"].astype(np.int32))
        bindings = []
        for old, now in ((0, 1), (1, 0)):
            binding = session.io_binding()
            for name, value in values.items():
                binding.bind_ortvalue_input(name, value)
            for name in zeros:
                binding.bind_ortvalue_input(name.removesuffix("_n"), states[old][name])
                binding.bind_ortvalue_output(name, states[now][name])
            binding.bind_ortvalue_output("y", y)
            bindings.append(binding)
        held = values, states  # a binding does not keep the memory of its values alive
        turns, run = itertools.cycle(bindings).__next__, session.run_with_iobinding

        def call():
            run(turns())

        def result():
            for name, zero in zeros.items():
                for state in held[1]:
                    state[name].update_inplace(zero)
            for _ in range(3 if case.streaming else 1):
                call()
            return as_outputs(case, y.numpy())

        return call, result

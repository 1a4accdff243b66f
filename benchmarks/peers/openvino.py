# SPDX-License-Identifier: BSD-3-Clause
"""OpenVINO's CPU plugin on the same ONNX model as ONNX Runtime.

Compiled with the LATENCY hint, one stream and float32 arithmetic (on some machines its default is bfloat16); input and
output tensors are set beforehand. A stream has two requests, so that the state goes to and fro without a copy.
"""

import itertools
import sys

import numpy as np

from . import Base
from .onnx_model import as_outputs, build, unsupported


class Peer(Base):
    packages = ("openvino", "onnx")

    def __init__(self, threads):
        super().__init__(threads)
        # It reports its use over the network, in a forked process that may hang and outlive this one.
        sys.modules.setdefault("openvino_telemetry", None)
        import openvino

        self.ov, self.core = openvino, openvino.Core()

    def supports(self, case):
        return unsupported(case)

    def prepare(self, case, data):
        model = self.core.read_model(build(case, data["params"]))
        config = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": str(self.threads),
            "INFERENCE_PRECISION_HINT": "f32",
        }
        compiled = self.core.compile_model(model, "CPU", config)
        fixed = {"x": data["x"]}
        if case.ragged:
            fixed["lengths"] = data["lengths"].astype(np.int32)
        arrays = {out.any_name: np.zeros(tuple(out.shape), np.float32) for out in compiled.outputs}
        y = arrays.pop("y")
        states = [{name: np.zeros_like(array) for name, array in arrays.items()} for _ in range(2)]
        requests = []
        for old, now in ((0, 1), (1, 0)):
            request, tensor = compiled.create_infer_request(), self.ov.Tensor
            for name, array in fixed.items():
                request.set_tensor(name, tensor(array, shared_memory=True))
            for name in arrays:
                request.set_tensor(name.removesuffix("_n"), tensor(states[old][name], shared_memory=True))
                request.set_tensor(name, tensor(states[now][name], shared_memory=True))
            request.set_tensor("y", tensor(y, shared_memory=True))
            requests.append(request)
        held = compiled, fixed, states  # a tensor with shared memory does not keep the array alive
        turns = itertools.cycle(requests).__next__

        def call():
            turns().infer(share_inputs=True, share_outputs=True)

        def result():
            for state in held[2]:
                for array in state.values():
                    array.fill(0)
            for _ in range(3 if case.streaming else 1):
                call()
            return as_outputs(case, y)

        return call, result

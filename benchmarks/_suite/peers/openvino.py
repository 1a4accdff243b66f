# SPDX-License-Identifier: BSD-3-Clause
"""OpenVINO's CPU plugin on the same ONNX model as ONNX Runtime.

The model is compiled with the LATENCY hint, one stream and float32 arithmetic (the default is bfloat16 on some
machines); input and output tensors are set beforehand. A stream alternates between two requests, so the state is never
copied.
"""

import importlib
import itertools
import sys
from typing import Any, cast

import numpy as np

from ..cases import Case, CaseData
from . import Calls, Outputs, Peer
from .onnx_model import as_outputs, build, unsupported


class OpenVinoPeer(Peer):
    packages = ("openvino", "onnx")

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        # OpenVINO reports its use over the network, in a forked process that may hang and outlive this one.
        sys.modules.setdefault("openvino_telemetry", cast(Any, None))
        self.ov: Any = importlib.import_module("openvino")
        self.core: Any = self.ov.Core()

    def supports(self, case: Case) -> str | None:
        return unsupported(case)

    def prepare(self, case: Case, data: CaseData) -> Calls:
        model = self.core.read_model(build(case, data["params"]))
        config = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": str(self.threads),
            "INFERENCE_PRECISION_HINT": "f32",
        }
        compiled = self.core.compile_model(model, "CPU", config)
        inputs = {"x": data["x"]}
        if data["lengths"] is not None:
            inputs["lengths"] = data["lengths"].astype(np.int32)
        arrays = {out.any_name: np.zeros(tuple(out.shape), np.float32) for out in compiled.outputs}
        y = arrays.pop("y")
        states = [{name: np.zeros_like(array) for name, array in arrays.items()} for _ in range(2)]
        requests = []
        for before, after in ((0, 1), (1, 0)):
            request, tensor = compiled.create_infer_request(), self.ov.Tensor
            for name, array in inputs.items():
                request.set_tensor(name, tensor(array, shared_memory=True))
            for name in arrays:
                request.set_tensor(name.removesuffix("_n"), tensor(states[before][name], shared_memory=True))
                request.set_tensor(name, tensor(states[after][name], shared_memory=True))
            request.set_tensor("y", tensor(y, shared_memory=True))
            requests.append(request)
        memory = compiled, inputs, states  # a tensor with shared memory does not keep its array alive
        next_request = itertools.cycle(requests).__next__

        def call() -> None:
            next_request().infer(share_inputs=True, share_outputs=True)

        def outputs() -> Outputs:
            for state in memory[2]:
                for array in state.values():
                    array.fill(0)
            for _ in range(3 if case.streaming else 1):
                call()
            return as_outputs(case, y)

        return call, outputs

# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch: torch.nn.LSTM, GRU and RNN.

Inference runs in eval mode inside torch.inference_mode. A training step sets the gradients to None and runs forward and
y.backward(dy), with x.requires_grad. Ragged batches are packed with enforce_sorted=False and padded again.
"""

import contextlib
import importlib
from typing import Any

from numpy.typing import NDArray

from ..cases import Case, CaseData
from . import Calls, Outputs, Peer


class TorchPeer(Peer):
    packages = ("torch",)

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.torch: Any = importlib.import_module("torch")
        self.torch.set_num_threads(threads)

    def supports(self, case: Case) -> str | None:
        return "PyTorch's GRU has only reset_after=True" if case.cell == "gru_reset_before" else None

    def timing(self, case: Case) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext() if case.training else self.torch.inference_mode()

    def make_module(self, case: Case, params: dict[str, NDArray[Any]]) -> Any:
        """The module of a case, with these parameters."""
        nn = self.torch.nn
        kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN}[case.cell]
        dtype = getattr(self.torch, case.dtype)
        module = kind(case.I, case.H, case.L, bidirectional=case.D == 2, dtype=dtype)
        module.load_state_dict({name: self.torch.from_numpy(array) for name, array in params.items()})
        return module.train(case.training)

    def prepare(self, case: Case, data: CaseData) -> Calls:
        torch, module = self.torch, self.make_module(case, data["params"])
        x, dy = torch.from_numpy(data["x"]).clone(), torch.from_numpy(data["dy"])
        if case.streaming:
            return prepare_stream(module, x)
        run = self.ragged(module, data["lengths"], case.T) if data["lengths"] is not None else module
        if not case.training:
            return lambda: run(x), lambda: {"y": run(x)[0].numpy()}
        x.requires_grad_(True)
        parameters = [x, *module.parameters()]

        def call() -> Any:
            for parameter in parameters:
                parameter.grad = None
            y = run(x)[0]
            y.backward(dy)
            return y

        def outputs() -> Outputs:
            y = call()
            grads = {name: p.grad.numpy() for name, p in module.named_parameters()}
            return {"y": y.detach().numpy(), "dx": x.grad.numpy(), **grads}

        return call, outputs

    def ragged(self, module: Any, lengths: NDArray[Any], T: int) -> Any:
        """The module, run on rows of these lengths."""
        steps, rnn = self.torch.from_numpy(lengths), self.torch.nn.utils.rnn

        def run(x: Any) -> Any:
            packed, _ = module(rnn.pack_padded_sequence(x, steps, enforce_sorted=False))
            return rnn.pad_packed_sequence(packed, total_length=T)

        return run


def prepare_stream(module: Any, x: Any) -> Calls:
    """Single steps on x (1, N, I) that carry the state."""
    state: list[Any] = [None]

    def call() -> Any:
        y, state[0] = module(x, state[0])
        return y

    def outputs() -> Outputs:
        state[0] = None
        return {"y": [call() for _ in range(3)][-1].numpy()}

    return call, outputs

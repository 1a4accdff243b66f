# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch: torch.nn.LSTM, GRU and RNN.

Inference runs in eval mode inside torch.inference_mode. A training step sets the gradients to None, runs forward and
y.backward(dy), with x.requires_grad. Ragged batches are packed with enforce_sorted=False and padded again.
"""

import contextlib

from . import Base


class Peer(Base):
    packages = ("torch",)

    def __init__(self, threads):
        super().__init__(threads)
        import torch

        self.torch = torch
        torch.set_num_threads(threads)

    def supports(self, case):
        return "PyTorch's GRU has only reset_after=True" if case.cell == "gru_reset_before" else None

    def timing(self, case):
        return contextlib.nullcontext() if case.training else self.torch.inference_mode()

    def module(self, case, params):
        """The module with the parameters of the case."""
        nn = self.torch.nn
        kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN}[case.cell]
        dtype = getattr(self.torch, case.dtype)
        module = kind(case.I, case.H, case.L, bidirectional=case.D == 2, dtype=dtype)
        module.load_state_dict({name: self.torch.from_numpy(array) for name, array in params.items()})
        return module.train(case.training)

    def prepare(self, case, data):
        torch, module = self.torch, self.module(case, data["params"])
        x, dy = torch.from_numpy(data["x"]).clone(), torch.from_numpy(data["dy"])
        if case.streaming:
            return self.stream(module, x)
        run = module
        if case.ragged:
            lengths, rnn = torch.from_numpy(data["lengths"]), torch.nn.utils.rnn

            def run(x):
                packed, _ = module(rnn.pack_padded_sequence(x, lengths, enforce_sorted=False))
                return rnn.pad_packed_sequence(packed, total_length=case.T)

        if not case.training:
            return lambda: run(x), lambda: {"y": run(x)[0].numpy()}
        x.requires_grad_(True)
        parameters = [x, *module.parameters()]

        def call():
            for parameter in parameters:
                parameter.grad = None
            y = run(x)[0]
            y.backward(dy)
            return y

        def result():
            y = call()
            grads = {name: p.grad.numpy() for name, p in module.named_parameters()}
            return {"y": y.detach().numpy(), "dx": x.grad.numpy(), **grads}

        return call, result

    def stream(self, module, x):
        """One step that carries the state; x is (1, 1, I)."""
        state = [None]

        def call():
            y, state[0] = module(x, state[0])
            return y

        def result():
            state[0] = None
            return {"y": [call() for _ in range(3)][-1].numpy()}

        return call, result

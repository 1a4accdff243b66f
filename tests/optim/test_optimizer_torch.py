# SPDX-License-Identifier: BSD-3-Clause
"""Every optimizer beside PyTorch's, with groups and without."""

import numpy as np
import pytest
from support.optimizers import CASES, Model, both_dtypes, set_gradients

TORCH_STEPS = 20
# Relative to the largest that a parameter has been. float32: 4 ulp, as PyTorch fuses products and sums; 1.7 are met.
TORCH_RTOL = {np.float32: 4 * 2.0**-23, np.float64: 1e-12}
TORCH_GROUPS = {"b*": {"weight_decay": 0.0, "lr": 0.05}, "gain": {"weight_decay": 0.5}}


@both_dtypes
@pytest.mark.parametrize("groups", [None, TORCH_GROUPS], ids=["", "groups"])
@pytest.mark.parametrize("case", CASES)
def test_torch_agrees(dtype, case, groups, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "get_default_dtype", lambda: torch.float64)  # NAdam keeps its product in that dtype
    kind, options = CASES[case]
    model = Model(dtype)
    optimizer = kind(model, **options, groups=groups)
    parameters = {name: torch.nn.Parameter(torch.tensor(p)) for name, p in model.params.items()}
    own = {"weight": {}, "bias": groups["b*"], "gain": groups["gain"]} if groups else dict.fromkeys(parameters, {})
    other = getattr(torch.optim, kind.__name__)(
        [{"params": [parameter], **own[name]} for name, parameter in parameters.items()], **options
    )
    largest = {name: np.abs(p).max() for name, p in model.params.items()}
    for t in range(TORCH_STEPS):
        set_gradients(model, t)
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(model.grads[name])
        optimizer.step()
        other.step()
        for name, p in model.params.items():
            largest[name] = max(largest[name], np.abs(p).max())
            expected = parameters[name].detach().numpy()
            np.testing.assert_allclose(p, expected, rtol=0, atol=TORCH_RTOL[dtype] * largest[name])

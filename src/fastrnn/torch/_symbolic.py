# SPDX-License-Identifier: BSD-3-Clause
"""Modules of ours in graphs of torch.fx, to whose tracer PyTorch's modules are leaves, and all others are not."""

import sys
from collections.abc import Iterable
from typing import Any


def recorded(module: Any, input: Any, hx: Any, resets: Any) -> Any:
    """The node of a call that torch.fx records, as of a call of PyTorch's module; None if it records none."""
    kind: Any = getattr(sys.modules.get("torch.fx"), "Proxy", ())
    proxy: Any = next((each for each in leaves((input, hx, resets)) if isinstance(each, kind)), None)
    if proxy is None:
        return None
    tracer = proxy.tracer
    if getattr(tracer, "root", None) is module:  # it is recorded by itself: PyTorch's says why it cannot be
        return module._plain.forward(module, input, hx)
    given = {} if resets is None else {"resets": resets}
    return tracer.create_proxy(
        "call_module", tracer.path_of_module(module), (input,) if hx is None else (input, hx), given
    )


def leaves(value: Any) -> Iterable[Any]:
    """What lies in tuples and lists."""
    if isinstance(value, (tuple, list)):
        for each in value:
            yield from leaves(each)
    else:
        yield value

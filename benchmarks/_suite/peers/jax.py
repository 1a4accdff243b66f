# SPDX-License-Identifier: BSD-3-Clause
"""JAX: the input projection as one product, then lax.scan over the steps, in one jit; gradients by jax.vjp in it too.

A call ends with block_until_ready. XLA has no setting for the number of threads on the CPU and takes what the process
may use, so the process is bound to as many cores.
"""

import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from ..cases import Case, CaseData
from . import Calls, Outputs, Peer


class JaxPeer(Peer):
    packages = ("jax", "jaxlib")

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        self.jax: Any = importlib.import_module("jax")

    def supports(self, case: Case) -> str | None:
        if case.streaming or case.ragged or case.L > 1 or case.D > 1:
            return "written here for one dense layer and direction only"
        return None

    def prepare(self, case: Case, data: CaseData) -> Calls:
        jax = self.jax
        jax.config.update("jax_enable_x64", case.dtype == "float64")
        x, dy = jax.device_put(data["x"]), jax.device_put(data["dy"])
        params = {name: jax.device_put(array) for name, array in data["params"].items()}
        run = make_layer(jax, case)
        if not case.training:
            infer = jax.jit(run)
            return lambda: jax.block_until_ready(infer(x, params)), lambda: {"y": np.asarray(infer(x, params))}

        @jax.jit
        def train(x: Any, params: Any, dy: Any) -> Any:
            y, pullback = jax.vjp(run, x, params)
            return y, *pullback(dy)

        def outputs() -> Outputs:
            y, dx, grads = train(x, params, dy)
            return {name: np.asarray(array) for name, array in {"y": y, "dx": dx, **grads}.items()}

        return lambda: jax.block_until_ready(train(x, params, dy)), outputs


def make_step(jax: Any, cell: str, H: int) -> Callable[..., Any]:
    """One step of a cell: a function of the state, the projected input, W_hh and b_hh that returns the next state."""
    jnp, sigmoid = jax.numpy, jax.nn.sigmoid

    def lstm(state: Any, a: Any, w_hh: Any, b_hh: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(a + h @ w_hh + b_hh, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
        return sigmoid(o) * jnp.tanh(c), c

    def gru(state: Any, a: Any, w_hh: Any, b_hh: Any) -> Any:
        x_r, x_z, x_n = jnp.split(a, 3, axis=1)
        h_r, h_z, h_n = jnp.split(state[0] @ w_hh + b_hh, 3, axis=1)
        z, n = sigmoid(x_z + h_z), jnp.tanh(x_n + sigmoid(x_r + h_r) * h_n)
        return ((1 - z) * n + z * state[0],)

    def gru_reset_before(state: Any, a: Any, w_hh: Any, b_hh: Any) -> Any:
        gates = a[:, : 2 * H] + state[0] @ w_hh[:, : 2 * H] + b_hh[: 2 * H]
        r, z = jnp.split(sigmoid(gates), 2, axis=1)
        n = jnp.tanh(a[:, 2 * H :] + (r * state[0]) @ w_hh[:, 2 * H :] + b_hh[2 * H :])
        return ((1 - z) * n + z * state[0],)

    def rnn_tanh(state: Any, a: Any, w_hh: Any, b_hh: Any) -> Any:
        return (jnp.tanh(a + state[0] @ w_hh + b_hh),)

    return {"lstm": lstm, "gru": gru, "gru_reset_before": gru_reset_before, "rnn_tanh": rnn_tanh}[cell]


def make_layer(jax: Any, case: Case) -> Callable[..., Any]:
    """A function of x and the parameters that returns y."""
    step = make_step(jax, case.cell, case.H)

    def run(x: Any, params: Any) -> Any:
        w_ih, w_hh, b_ih, b_hh = (params[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        projected, w_hh = x @ w_ih.T + b_ih, w_hh.T

        def body(state: Any, a: Any) -> Any:
            state = step(state, a, w_hh, b_hh)
            return state, state[0]

        zero = jax.numpy.zeros((case.N, case.H), x.dtype)
        return jax.lax.scan(body, (zero, zero) if case.cell == "lstm" else (zero,), projected)[1]

    return run

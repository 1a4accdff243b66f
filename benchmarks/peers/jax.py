# SPDX-License-Identifier: BSD-3-Clause
"""JAX: the input projection as one product, then lax.scan over the steps, all in one jit; gradients by jax.vjp in the
same jit. The call ends with block_until_ready.

XLA has no setting for the number of threads on the CPU: it takes what the process may use, so the process is bound to
as many cores.
"""

import os

import numpy as np

from . import Base


class Peer(Base):
    packages = ("jax", "jaxlib")

    def __init__(self, threads):
        super().__init__(threads)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        import jax

        self.jax = jax

    def supports(self, case):
        if case.streaming or case.ragged or case.L > 1 or case.D > 1:
            return "written here for one dense layer and direction only"
        return None

    def prepare(self, case, data):
        jax = self.jax
        jax.config.update("jax_enable_x64", case.dtype == "float64")
        x, dy = jax.device_put(data["x"]), jax.device_put(data["dy"])
        params = {name: jax.device_put(array) for name, array in data["params"].items()}
        run = layer(jax, case)
        if not case.training:
            inference = jax.jit(run)
            return (
                lambda: jax.block_until_ready(inference(x, params)),
                lambda: {"y": np.asarray(inference(x, params))},
            )

        @jax.jit
        def train(x, params, dy):
            y, back = jax.vjp(run, x, params)
            return y, *back(dy)

        def result():
            y, dx, grads = train(x, params, dy)
            return {name: np.asarray(array) for name, array in {"y": y, "dx": dx, **grads}.items()}

        return lambda: jax.block_until_ready(train(x, params, dy)), result


def layer(jax, case):
    """A function (x, params) to y."""
    jnp, sigmoid, H = jax.numpy, jax.nn.sigmoid, case.H

    def lstm(state, a, w_hh, b_hh):
        h, c = state
        i, f, g, o = jnp.split(a + h @ w_hh + b_hh, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
        return sigmoid(o) * jnp.tanh(c), c

    def gru(state, a, w_hh, b_hh):
        x_r, x_z, x_n = jnp.split(a, 3, axis=1)
        h_r, h_z, h_n = jnp.split(state[0] @ w_hh + b_hh, 3, axis=1)
        z, n = sigmoid(x_z + h_z), jnp.tanh(x_n + sigmoid(x_r + h_r) * h_n)
        return ((1 - z) * n + z * state[0],)

    def gru_reset_before(state, a, w_hh, b_hh):
        gates = a[:, : 2 * H] + state[0] @ w_hh[:, : 2 * H] + b_hh[: 2 * H]
        r, z = jnp.split(sigmoid(gates), 2, axis=1)
        n = jnp.tanh(a[:, 2 * H :] + (r * state[0]) @ w_hh[:, 2 * H :] + b_hh[2 * H :])
        return ((1 - z) * n + z * state[0],)

    def rnn_tanh(state, a, w_hh, b_hh):
        return (jnp.tanh(a + state[0] @ w_hh + b_hh),)

    step = {"lstm": lstm, "gru": gru, "gru_reset_before": gru_reset_before, "rnn_tanh": rnn_tanh}[case.cell]

    def run(x, params):
        w_ih, w_hh, b_ih, b_hh = (params[f"{n}_l0"] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        projected, w_hh = x @ w_ih.T + b_ih, w_hh.T

        def body(state, a):
            state = step(state, a, w_hh, b_hh)
            return state, state[0]

        zero = jnp.zeros((case.N, H), x.dtype)
        return jax.lax.scan(body, (zero, zero) if case.cell == "lstm" else (zero,), projected)[1]

    return run

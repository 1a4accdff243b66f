/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cell_gru.h - gated recurrent unit, with both places of the reset gate.
 *
 * After the product (PyTorch, cuDNN; Keras reset_after=True), blocks n r z m = 0 1 2 3:
 *     r z = sigma of W x + U h_prev + b
 *     n   = tanh(W_n x + b_in + r m),  m = U_n h_prev + b_hn
 *     h   = (1 - z) n + z h_prev
 *
 * Before the product (Cho et al. 2014; Keras reset_after=False, ONNX linear_before_reset=0), blocks r z q n = 0 1 2 3:
 *     r z = sigma of W x + U h_prev + b,  q = r h_prev         stage "reset"
 *     n   = tanh(W_n x + U_n q + b),  h as above               stage "candidate"
 */
INLINE vec gru_blend(vec n, vec z, vec h_prev) { return vfma(z, h_prev - n, n); } /* (1 - z) n + z h_prev */

INLINE void gru_gates(struct unit *u)
{
    u->g[1] = sigmoid(u->g[1]);
    u->g[2] = sigmoid(u->g[2]);
}

INLINE void gru_forward(struct unit *u)
{
    const vec n = u->g[0] = tanh_(vfma(u->g[1], u->g[3], u->g[0]));
    u->h = gru_blend(n, u->g[2], u->h_prev);
}

INLINE void gru_backward(struct unit *u)
{
    const vec n = u->g[0], r = u->g[1], z = u->g[2], m = u->g[3];

    /* forward: h = (1 - z) n + z h_prev */
    const vec dn = u->dh * (R(1.0) - z) * vnfma(n, n, splat(1));

    u->g[0] = dn; /* forward: n = tanh(a_n + r m) */
    u->g[1] = dn * m * (r * (R(1.0) - r));
    u->g[2] = u->dh * (u->h_prev - n) * (z * (R(1.0) - z));
    u->g[3] = dn * r;
    u->dh = u->dh * z;
}

static point_fn *const gru_reset_gates = NULL, *const gru_candidate_gates = NULL;

INLINE void gru_reset_forward(struct unit *u)
{
    const vec r = u->g[0] = sigmoid(u->g[0]);
    u->g[1] = sigmoid(u->g[1]);
    u->g[2] = r * u->h_prev;
}

INLINE void gru_candidate_forward(struct unit *u)
{
    const vec n = u->g[3] = tanh_(u->g[3]);
    u->h = gru_blend(n, u->g[1], u->h_prev);
}

/* Backward runs the stages from last to first; between them the product gives dq = dn U_n. */
INLINE void gru_candidate_backward(struct unit *u)
{
    const vec z = u->g[1], n = u->g[3];
    u->g[1] = u->dh * (u->h_prev - n) * (z * (R(1.0) - z));
    u->g[3] = u->dh * (R(1.0) - z) * vnfma(n, n, splat(1));
    u->dh = u->dh * z;
}

INLINE void gru_reset_backward(struct unit *u)
{
    const vec r = u->g[0];
    u->g[0] = u->dq * u->h_prev * (r * (R(1.0) - r)); /* forward: q = r h_prev */
    u->dh = vfma(u->dq, r, u->dh);
}

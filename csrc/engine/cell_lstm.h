/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cell_lstm.h - long short-term memory (Hochreiter and Schmidhuber 1997; the forget gate of Gers et al. 2000).
 *
 *     i f g o = sigma, sigma, tanh, sigma of W x + U h_prev + b        blocks 0 1 2 3
 *     c = f c_prev + i g
 *     h = o tanh(c)
 */
INLINE void lstm_gates(struct unit *u)
{
    u->g[0] = sigmoid(u->g[0]);
    u->g[1] = sigmoid(u->g[1]);
    u->g[2] = tanh_(u->g[2]);
    u->g[3] = sigmoid(u->g[3]);
}

INLINE void lstm_forward(struct unit *u)
{
    u->c = vfma(u->g[1], u->c_prev, u->g[0] * u->g[2]);
    u->h = u->g[3] * tanh_(u->c);
}

INLINE void lstm_backward(struct unit *u)
{
    const vec i = u->g[0], f = u->g[1], g = u->g[2], o = u->g[3];
    const vec t = tanh_(vfma(f, u->c_prev, i * g)); /* computed again: what the tape has may be c only in part */

    /* forward: h = o t,  t = tanh(c) */
    const vec do_ = u->dh * t;
    const vec dc = vfma(u->dh * o, vnfma(t, t, splat(1)), u->dc);

    /* forward: c = f c_prev + i g, then the derivative of each gate through its value */
    u->g[0] = dc * g * (i * (R(1.0) - i));
    u->g[1] = dc * u->c_prev * (f * (R(1.0) - f));
    u->g[2] = dc * i * vnfma(g, g, splat(1));
    u->g[3] = do_ * (o * (R(1.0) - o));
    u->dc = dc * f;
    u->dh = (vec){0};
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cell_rnn.h - the plain recurrent cell (Elman 1990).
 *
 *     h = act(a),  a = W x + U h_prev + b         block 0: a, then h
 *     da = dh act'(a)                             act' written with h, so that a need not be kept
 */
#define RNN(name, activate, slope)                                                                                     \
    static point_fn *const rnn_##name##_gates = NULL;                                                                  \
    INLINE void            rnn_##name##_forward(struct unit *u) { u->h = u->g[0] = activate(u->g[0]); }                \
    INLINE void            rnn_##name##_backward(struct unit *u)                                                       \
    {                                                                                                                  \
        const vec h = u->g[0], zero = {0};                                                                             \
        (void)h;                                                                                                       \
        u->g[0] = u->dh * (slope);                                                                                     \
        u->dh = zero;                                                                                                  \
    }

RNN(tanh, tanh_, R(1.0) - h * h)
RNN(relu, relu, if_less(zero, h, splat(1), if_less(h, splat(1), zero, h)))
RNN(sigmoid, sigmoid, h *(R(1.0) - h))
RNN(selu, selu, if_less(zero, h, splat(SELU_LAMBDA), h + SELU_BOTTOM))
RNN(identity, , R(1.0))

# SPDX-License-Identifier: BSD-3-Clause
"""Input feeding: each step reads the attentional vector of the step before."""

from support.layers import assert_same_bits, attention_decoder, flat

T, S, N, E, M, A = 4, 5, 3, 3, 3, 5


def draw(decoder, rng, T=T, S=S, N=N):
    """x, a memory, dy and dweights, time-major."""
    shapes = (T, N, E), (S, N, M), (T, N, A), (T, N, S)
    return [rng.standard_normal(shape).astype(decoder.dtype) for shape in shapes]


def test_steps_one_by_one_are_all_at_once(kind, fed, rng):
    """The state holds everything that one call passes to the next."""
    decoder = attention_decoder(layer=kind, num_layers=2, input_feeding=fed)
    x, memory, *_ = draw(decoder, rng)
    y, state, weights = decoder(x, memory)
    now = None
    for t in range(T):
        y_t, now, weights_t = decoder(x[t : t + 1], memory, now)
        assert_same_bits(y_t[0], y[t])
        assert_same_bits(weights_t[0], weights[t])
    for a, b in zip(flat(now), flat(state), strict=True):
        assert_same_bits(a, b)

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * softmax.h - the exponentials of a row of logits, and their sum.
 *
 *     p[k] = e[k] / total,  e[k] = exp(z[k] - top),  top = max of z,  total = sum of e  in 1..V
 *
 * NaN or +inf anywhere, or -inf everywhere, makes the total NaN: nothing is tested for it. The total is summed in double
 * lane by lane, then over the lanes by halves, so its bits depend on the row alone. */
#include <math.h>

/* The first n <= VL logits, and -inf for the rest: a logit without a part in anything. */
INLINE vec load_logits(const real *z, fr_idx n)
{
    static const real lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    _Static_assert(VL <= sizeof lane / sizeof *lane, "a number for each lane");
    return n >= VL ? load(z) : if_less(load(lane), splat((real)n), load_part(z, n), splat(-(real)INFINITY));
}

/* The largest of V logits that are no NaN. Four vectors at a time, because a maximum waits for the one before it. */
static real largest_logit(const real *z, fr_idx V)
{
    vec    top[4];
    real   lane[VL];
    fr_idx i = 0;
    for (int k = 0; k < 4; k++)
        top[k] = splat(-(real)INFINITY);
    for (; i + 4 * VL <= V; i += 4 * VL)
        for (int k = 0; k < 4; k++) {
            const vec v = load(z + i + k * VL);
            top[k] = if_less(top[k], v, v, top[k]);
        }
    for (; i < V; i += VL) {
        const vec v = load_logits(z + i, V - i);
        top[0] = if_less(top[0], v, v, top[0]);
    }
    for (int k = 1; k < 4; k++)
        top[0] = if_less(top[0], top[k], top[k], top[0]);
    store(lane, top[0]);
    for (int half = VL / 2; half; half /= 2)
        for (int k = 0; k < half; k++)
            lane[k] = lane[k] < lane[k + half] ? lane[k + half] : lane[k];
    return lane[0];
}

/* Writes the exponentials of z from its maximum `top` to e, and returns their sum. */
static double exponentials(const real *z, real top, fr_idx V, real *e)
{
    struct wide total = {0};
    for (fr_idx i = 0; i < V; i += VL) {
        const vec part = exp_minus(splat(top) - load_logits(z + i, V - i));
        store_part(e + i, part, V - i);
        add_wide(&total, part);
    }
    return sum_of(&total);
}

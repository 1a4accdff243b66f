/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pool.h - the largest value of each feature over the steps of a row, and the first step that has it.
 *
 * NaN is larger than every number. Values are copied, not computed: denormals stay. One thread: every x is read once,
 * while the layer below did some H operations for it. */

/* a ? x : y for each element, whose bits are all 1 or all 0. */
INLINE ivec if_set(ivec a, ivec x, ivec y) { return (a & x) | (~a & y); }

static void max_pool(const fr_max_pool_args *a)
{
    const real *x = a->x;
    real       *y = a->y;
    for (fr_idx n = 0; n < a->N; n++) {
        const real *row = x + n * a->x_sn;
        for (fr_idx f = 0; f < a->F; f += VL) {
            const fr_idx features = a->F - f < VL ? a->F - f : VL;
            vec          largest = splat(0);
            ivec         step = {0};
            if (a->lengths[n] > 0)
                largest = load_part(row + a->first[0] + f, features);
            for (fr_idx t = 1; t < a->lengths[n]; t++) {
                const vec  v = load_part(row + a->first[t] + f, features);
                const ivec larger = ~(ivec)(v <= largest) & (ivec)(largest == largest);
                largest = (vec)if_set(larger, (ivec)v, (ivec)largest);
                step = if_set(larger, (real_bits)t - (ivec){0}, step);
            }
            store_part(y + n * a->F + f, largest, features);
            for (fr_idx i = 0; i < features; i++)
                a->steps[n * a->F + f + i] = step[i];
        }
    }
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * norm.h - the sum of squares of an array, in double: what the norm of a gradient is made of.
 *
 * Each lane of a vec has a sum of its own, and these are added by halves. One thread: a second would save less
 * than it costs below 10^6 elements, and the sum would be split. Denormals count. */
static double sum_of_squares(fr_idx n, const void *array)
{
    const real *x = array;
    struct wide sum = {0};
    for (fr_idx i = 0; i < n; i += VL) {
        const struct wide v = widen(load_part(x + i, n - i));
        for (int k = 0; k < WIDE_PARTS; k++)
            sum.part[k] += v.part[k] * v.part[k];
    }
    return sum_of(&sum);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * norm.h - the sum of squares of an array, in double: what the norm of a gradient is made of.
 *
 * Each lane of a vec has a sum of its own, and these are added in their order. One thread: a second would save less
 * than it costs below 10^6 elements, and the sum would be split. Denormals count. */
typedef double wide __attribute__((vector_size(VL * sizeof(double))));

static double sum_of_squares(fr_idx n, const void *array)
{
    const real *x = array;
    wide        sum = {0};
    double      total = 0;
    for (fr_idx i = 0; i < n; i += VL) {
        const wide v = __builtin_convertvector(load_part(x + i, n - i), wide);
        sum += v * v;
    }
    for (int lane = 0; lane < VL; lane++)
        total += sum[lane];
    return total;
}

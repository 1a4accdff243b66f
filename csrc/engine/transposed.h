/* SPDX-License-Identifier: BSD-3-Clause
 *
 * transposed.h - C += dgates W^T, the products of the backward loop with the weights.
 *
 * The rows of w (gates*H, n) are what gemm reads of B, so it can read w as it is: packing only brings the gates of a
 * stage together and the columns of a panel into neighbouring lines, which pays where they are read often. Every element
 * is the same chain of vfma either way. */

/* Rows of the tape up to which the weights are read as they are. Backward passes whose weights have just changed, LSTM of
 * 64 to 512 units, one thread of Zen 5 with AVX-512: 0.6 to 0.8 of the time of packed ones at 1 row, 0.86 to 0.92 at 32,
 * 0.92 to 1.05 at 64, up to 2 at 256 steps of one row. */
#define FEW_ROWS LIMIT(64, 3)

/* Columns behind the last whole vector are those of the next row, and there is no next row at the end. */
static int must_pack_backward(const fr_desc *d) { return d->H % VL || d->I % VL || first_of(d, d->T) > FEW_ROWS; }

/* The transposed weights of one stage that read `n` columns: packed, or as they are. */
struct transposed {
    const real *packed, *plain;
    const int  *gate;
    int         G;
    fr_idx      H, n;
};

/* How many gates from g on lie next to each other. */
INLINE int run_of_gates(const struct transposed *w, int g)
{
    int count = 1;
    while (g + count < w->G && w->gate[g + count] == w->gate[g] + count)
        count++;
    return count;
}

/* m rows of gates, which begin at a[i], times np panels of nv vectors: those from vector `inside` of panel p on */
static void multiply_transposed(const struct transposed *w, const real **a, fr_idx m, fr_idx p, fr_idx inside, int np,
                                int nv, struct panels_out c)
{
    const fr_idx K = w->G * w->H, column = (p * MAX_NV + inside) * VL;
    if (w->packed) {
        const int            width = panel_vectors(w->n, MAX_NV, p) * VL;
        const struct panels  b = {w->packed + p * K * MAX_NV * VL + inside * VL, width, K * MAX_NV * VL};
        const struct product product = {.k = K, .a = {a, 1}, .b = b, .c = c};
        gemm(m, np, nv, &product);
        return;
    }
    for (int g = 0, count; g < w->G; g += count) {
        count = run_of_gates(w, g);
        const struct panels  b = {w->plain + w->gate[g] * w->H * w->n + column, w->n, MAX_NV * VL};
        const struct product product = {.k = count * w->H, .a = {a, 1}, .b = b, .c = c};
        gemm(m, np, nv, &product);
        for (fr_idx i = 0; i < m; i++)
            a[i] += count * w->H;
    }
    for (fr_idx i = 0; i < m; i++)
        a[i] -= K;
}

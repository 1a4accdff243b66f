/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sparse.h - the recurrent product of a layer most of whose recurrent weights are 0, as those of a reservoir are.
 *
 * Of each row of w_hh, that is of each unit, the columns that are not 0 in ascending order; rows are filled up to K, the
 * largest number of any, with weights of 0 at a column that they read anyway, or at 0. Units lie as in a panel of gemm:
 *
 *     values, columns   [vector of units][K][VL]
 *
 * An element is one chain of vfma over its columns, in their order: that of gemm without the terms that are 0. So its
 * bits do not depend on which of the two loops below it is in:
 *
 *     few rows    a vector of units; each reads h at its own column, by loads of single numbers: a vector of them is put
 *                 together in less time than the gather instructions take (0.19 against 0.29 ns an element on a Zen 5)
 *     more rows   a vector of rows; a weight meets the h of all of them, which lie side by side in a transposed copy */
#include <stdint.h>

struct sparse {
    real    *values;
    int32_t *columns; /* fr_check: H is far below 2^31 */
    fr_idx   K, H;
    int      ub; /* vectors of units in a panel, 1 or 2 */
};

enum { SPARSE_LANES = VL < 8 ? VL : 8 }; /* chains at once: they hide the latency of vfma */

/* K weights of a unit take as long as so many columns of gemm, because each reads a number by itself: 0.19 ns in float32
 * and float64, with vectors of 4 to 16. A unit of a column takes 0.022 ns in gemm with vectors of 16 in L2, 0.043 with
 * vectors of 8, and no less than its bytes take with narrow ones, or in L3. (A Zen 5, one row; two to eight rows of float32
 * with AVX-512 are up to a third faster in gemm at the threshold, more are twice as fast here.) */
INLINE fr_idx dense_columns(fr_idx K) { return K * (VL > 8 ? 9 : VL > 4 ? 5 : 4); }

static int sparse_pays(fr_idx K, fr_idx H) { return dense_columns(K) <= H; }

/* The most weights of a row that are not 0, and at least 1. */
static fr_idx most_nonzero(const void *w_hh, fr_idx H)
{
    const real *w = w_hh;
    fr_idx      most = 1;
    for (fr_idx j = 0; j < H; j++, w += H) {
        fr_idx n = 0;
        for (fr_idx k = 0; k < H; k++)
            n += w[k] != 0;
        most = n > most ? n : most;
    }
    return most;
}

/* w (H, H) -> values and columns of the vectors of units `own`; units beyond H have weights of 0. */
static void pack_sparse(const real *w, fr_idx H, struct range own, struct sparse to)
{
    for (fr_idx j = own.lo * VL; j < own.hi * VL; j++) {
        const real *row = w + j * H;
        fr_idx      at = j / VL * to.K * VL + j % VL, end = at + to.K * VL;
        int32_t     last = 0;
        for (fr_idx k = 0; j < H && k < H; k++)
            if (row[k] != 0) {
                assert(at < end);
                to.values[at] = row[k], to.columns[at] = last = (int32_t)k;
                at += VL;
            }
        for (; at < end; at += VL)
            to.values[at] = 0, to.columns[at] = last;
    }
}

#define PICK_2(u) h[at[u]], h[at[(u) + 1]]
#define PICK_4(u) PICK_2(u), PICK_2((u) + 2)
#define PICK_8(u) PICK_4(u), PICK_4((u) + 4)
#define PICK_16(u) PICK_8(u), PICK_8((u) + 8)

/* h[at[0]], h[at[1]], .. */
INLINE vec pick(const real *h, const int32_t *at)
{
#if VECTOR_BYTES * 8 / FR_BITS == 16
    return (vec){PICK_16(0)};
#elif VECTOR_BYTES * 8 / FR_BITS == 8
    return (vec){PICK_8(0)};
#elif VECTOR_BYTES * 8 / FR_BITS == 4
    return (vec){PICK_4(0)};
#else
    return (vec){PICK_2(0)};
#endif
}

/* c += U h for nv vectors of units from the first on, of one row */
INLINE void sparse_row(const int nv, struct sparse w, fr_idx first, const real *h, real *c)
{
    const real    *value = w.values + first * w.K * VL;
    const int32_t *column = w.columns + first * w.K * VL;
    vec            acc[2];
    for (int v = 0; v < nv; v++)
        acc[v] = load(c + v * VL);
    for (fr_idx l = 0; l < w.K; l++)
        for (int v = 0; v < nv; v++) {
            const fr_idx at = (v * w.K + l) * VL;
            acc[v] = vfma(pick(h, column + at), load(value + at), acc[v]);
        }
    for (int v = 0; v < nv; v++)
        store(c + v * VL, acc[v]);
}

/* The same for n <= VL rows, whose c are c_row apart, and one vector of units. h is their transpose, (H, VL). */
INLINE void sparse_rows(struct sparse w, fr_idx first, const real *h, fr_idx n, fr_idx c_row, real *c)
{
    const real    *values = w.values + first * w.K * VL;
    const int32_t *columns = w.columns + first * w.K * VL;
    real           square[VL][VL] = {{0}}; /* c transposed: [unit][row] */
    for (fr_idx i = 0; i < n; i++)
        for (int u = 0; u < VL; u++)
            square[u][i] = c[i * c_row + u];
    for (int u = 0; u < VL; u += SPARSE_LANES) {
        vec acc[SPARSE_LANES];
#pragma GCC unroll 8
        for (int v = 0; v < SPARSE_LANES; v++)
            acc[v] = load(square[u + v]);
        for (fr_idx at = u; at < w.K * VL; at += VL)
#pragma GCC unroll 8
            for (int v = 0; v < SPARSE_LANES; v++)
                acc[v] = vfma(load(h + (fr_idx)columns[at + v] * VL), splat(values[at + v]), acc[v]);
#pragma GCC unroll 8
        for (int v = 0; v < SPARSE_LANES; v++)
            store(square[u + v], acc[v]);
    }
    for (fr_idx i = 0; i < n; i++)
        for (int u = 0; u < VL; u++)
            c[i * c_row + u] = square[u][i];
}

/* Rows in blocks of VL; of the last one, few are done one by one. */
INLINE fr_idx transposed_rows(fr_idx n) { return n % VL < SPARSE_ROWS ? n - n % VL : n; }

/* Numbers of the blocks of n rows and fewer. */
INLINE fr_idx transposed_numbers(fr_idx n, fr_idx H) { return n < SPARSE_ROWS && n < VL ? 0 : round_up(n, VL) * H; }

/* Rows h (n), each (H), -> blocks of VL rows, [block][H][VL]; 0 beyond n */
static void transpose_rows(const real *const *h, fr_idx n, fr_idx H, const real *zeros, real *to)
{
    for (fr_idx i = 0; i < transposed_rows(n); i += VL, to += H * VL) {
        const real *row[VL];
        for (int u = 0; u < VL; u++)
            row[u] = i + u < n ? h[i + u] : zeros;
        for (fr_idx k = 0; k < H; k++)
#pragma GCC unroll 16
            for (int u = 0; u < VL; u++)
                to[k * VL + u] = row[u][k];
    }
}

/* C += H_prev U^T for n rows and panel p. h_t: the rows h, transposed. */
static void sparse_product(struct sparse w, fr_idx p, const real *const *h, const real *h_t, fr_idx n, real *c)
{
    const fr_idx first = p * w.ub, together = transposed_rows(n);
    const int    nv = panel_vectors(w.H, w.ub, p);
    for (fr_idx i = 0; i < together; i += VL, h_t += w.H * VL)
        for (int v = 0; v < nv; v++)
            sparse_rows(w, first + v, h_t, n - i < VL ? n - i : VL, nv * VL, c + (i * nv + v) * VL);
    for (fr_idx i = together; i < n; i++)
        if (nv == 2)
            sparse_row(2, w, first, h[i], c + i * nv * VL);
        else
            sparse_row(1, w, first, h[i], c + i * nv * VL);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * gemm.h - C += A B, the only product of the engine.
 *
 *        k                    nv*VL                      nv*VL
 *     +--------+           +--------+                 +--------+
 *   m |   A    |         k |   B    |    added to   m |   C    |
 *     +--------+           +--------+                 +--------+
 *
 * A  by rows that lie anywhere: element (i, l) at row[i][l * step]. So a batch row of a strided, reversed or ragged
 *    sequence needs no copy, and a transposed A is a packed one with a step above 1.
 * B  packed panels: k rows of nv vectors each, which may be some vectors of a wider panel. Columns beyond the matrix
 *    are zeros, so C has whole vectors.
 * C  panels likewise, of m rows; it starts from what it holds.
 *
 * Every element of C is one chain of vfma over l = 0..k-1, in that order, whatever the tile. That is why a row has the
 * same bits alone and in any batch, and on any number of threads.
 *
 * k is not cut into slices that stay in L1. On Zen 5, whose L2 delivers a line a cycle, slices of 24 and 48 KB changed
 * training by -1 to 4 % and inference by -4 to 1 % (LSTM and GRU of 128 to 1024 units, one thread). Where L2 is slower
 * they may pay: C keeps the sums between two slices, so the bits would be the same. */

enum {
    MAX_NP = 4,                                      /* panels at once, at most */
    MAX_NV = 4,                                      /* vectors in a panel, at most */
    ACCUMULATORS = VECTOR_REGISTERS == 32 ? 24 : 12, /* what is left of the registers after B and one of A */
    MAX_ROWS = 8                                     /* rows in a tile, at most */
};

struct operand_rows {
    const real *const *at;
    fr_idx             step; /* from one element of a row to the next */
};

/* Neighbouring panels: reals from a row to the next, and from a panel to the next. */
struct panels {
    const real *at;
    fr_idx      row, panel;
};

struct panels_out {
    real  *at;
    fr_idx row, panel;
};

/* What every tile of a product has in common. By pointer: copies of the members of structs that have just been written,
 * two at a time, would wait for the store buffer (3 to 4 % of an LSTM with one row of 64 units). */
struct product {
    fr_idx              k;
    struct operand_rows a;
    struct panels       b;
    struct panels_out   c;
};

/* Rows of a full tile: as many as the accumulators hold. */
#define TILE_ROWS(nv) (ACCUMULATORS / (nv) < MAX_ROWS ? ACCUMULATORS / (nv) : MAX_ROWS)
INLINE int tile_rows(int nv)
{
    static const int rows[MAX_NV + 1] = {0, TILE_ROWS(1), TILE_ROWS(2), TILE_ROWS(3), TILE_ROWS(4)};
    return rows[nv];
}

/* One or two rows use few accumulators and wait for the weights: they take several panels at once, which hides the
 * latency of vfma and keeps two streams of weights coming. No more than that: the fewer go together, the more of them a
 * step can find in L1 again (forward.h). */
INLINE int panels_at_once(fr_idx m, int nv)
{
    if (m > 2)
        return 1;
    const int np = nv > 2 || m == 2 ? 2 : MAX_NP;
    return np * (int)m * nv > ACCUMULATORS ? np / 2 : np;
}

/* A tile of the product p that begins at a, b and c. */
INLINE void tile(const int rows, const int np, const int nv, const struct product *p, const real *const *a,
                 const real *b, real *c)
{
    const fr_idx k = p->k, a_step = p->a.step, b_row = p->b.row, b_panel = p->b.panel;
    const fr_idx c_row = p->c.row, c_panel = p->c.panel;
    vec          acc[MAX_ROWS][MAX_NP][MAX_NV];
    const real  *row[MAX_ROWS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        row[i] = a[i];
#pragma GCC unroll 4
        for (int q = 0; q < np; q++)
#pragma GCC unroll 4
            for (int v = 0; v < nv; v++)
                acc[i][q][v] = load(c + i * c_row + q * c_panel + v * VL);
    }
    for (fr_idx l = 0, at = 0; l < k; l++, at += a_step, b += b_row) {
        vec b_l[MAX_NP][MAX_NV];
#pragma GCC unroll 4
        for (int q = 0; q < np; q++)
#pragma GCC unroll 4
            for (int v = 0; v < nv; v++)
                b_l[q][v] = load(b + q * b_panel + v * VL);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            const vec a_il = splat(row[i][at]);
#pragma GCC unroll 4
            for (int q = 0; q < np; q++)
#pragma GCC unroll 4
                for (int v = 0; v < nv; v++)
                    acc[i][q][v] = vfma(a_il, b_l[q][v], acc[i][q][v]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int q = 0; q < np; q++)
#pragma GCC unroll 4
            for (int v = 0; v < nv; v++)
                store(c + i * c_row + q * c_panel + v * VL, acc[i][q][v]);
}

/* The tiles there are, (rows, panels, vectors): every number of rows up to tile_rows, and the wide ones. */
/* clang-format off */
#define TILES_ANY(X)                                                                                                   \
    X(1, 1, 1) X(2, 1, 1) X(3, 1, 1) X(4, 1, 1) X(5, 1, 1) X(6, 1, 1) X(7, 1, 1) X(8, 1, 1)                            \
    X(1, 1, 2) X(2, 1, 2) X(3, 1, 2) X(4, 1, 2) X(5, 1, 2) X(6, 1, 2)                                                  \
    X(1, 1, 3) X(2, 1, 3) X(3, 1, 3) X(4, 1, 3)                                                                        \
    X(1, 1, 4) X(2, 1, 4) X(3, 1, 4)                                                                                   \
    X(1, 2, 1) X(1, 4, 1) X(1, 2, 2) X(1, 4, 2) X(1, 2, 3) X(1, 2, 4) X(2, 2, 1) X(2, 2, 2) X(2, 2, 3)
#if VECTOR_REGISTERS == 32
#define TILES(X) TILES_ANY(X)                                                                                          \
    X(7, 1, 2) X(8, 1, 2)                                                                                              \
    X(5, 1, 3) X(6, 1, 3) X(7, 1, 3) X(8, 1, 3)                                                                        \
    X(4, 1, 4) X(5, 1, 4) X(6, 1, 4) X(2, 2, 4)
#else
#define TILES(X) TILES_ANY(X)
#endif
/* clang-format on */

#define TILE_FUNCTION(rows, np, nv)                                                                                    \
    static void tile_##rows##_##np##_##nv(const struct product *p, const real *const *a, const real *b, real *c)       \
    {                                                                                                                  \
        tile(rows, np, nv, p, a, b, c);                                                                                \
    }
TILES(TILE_FUNCTION)

typedef void tile_fn(const struct product *p, const real *const *a, const real *b, real *c);

#define TILE_ENTRY(rows, np, nv) [nv][np][rows] = tile_##rows##_##np##_##nv,
static tile_fn *const tile_of[MAX_NV + 1][MAX_NP + 1][MAX_ROWS + 1] = {TILES(TILE_ENTRY)};

/* m rows, np neighbouring panels of nv vectors each. TILES must hold every tile that tile_rows and panels_at_once lead
 * to: tests/test_gemm.py goes through all of them. */
static void gemm(fr_idx m, int np, int nv, const struct product *p)
{
    const fr_idx most = tile_rows(nv), blocks = m <= most ? m > 0 : (m + most - 1) / most;
    /* blocks as equal as can be: no thin remainder */
    int q = 0;
    for (int together = panels_at_once(m, nv); together; together /= 2)
        for (; np - q >= together; q += together)
            for (fr_idx i = 0, block = 0; block < blocks; block++) {
                const fr_idx end = blocks == 1 ? m : m * (block + 1) / blocks;
                assert(end - i <= MAX_ROWS && tile_of[nv][together][end - i]);
                tile_of[nv][together][end - i](p, p->a.at + i, p->b.at + q * p->b.panel,
                                               p->c.at + q * p->c.panel + i * p->c.row);
                i = end;
            }
}

/* Panels over n columns: full ones of nv vectors, the last as narrow as the remainder allows. */
INLINE fr_idx panel_count(fr_idx n, int nv)
{
    const fr_idx vectors = (n + VL - 1) / VL;
    return nv == 1 ? vectors : nv == 4 ? (vectors + 3) / 4 : (vectors + nv - 1) / nv;
}

INLINE int panel_vectors(fr_idx n, int nv, fr_idx p)
{
    const fr_idx left = n - p * nv * VL;
    return left >= nv * VL ? nv : (int)((left + VL - 1) / VL);
}

/* How many panels from p on, before `end`, go together: at most at_once, all of the same width. */
INLINE int panel_group(int at_once, fr_idx n, int nv, fr_idx p, fr_idx end)
{
    const int np = end - p < at_once ? (int)(end - p) : at_once;
    return np > 1 && panel_vectors(n, nv, p + np - 1) != panel_vectors(n, nv, p) ? np - 1 : np;
}

INLINE fr_idx round_up(fr_idx n, fr_idx to) { return (n + to - 1) / to * to; }

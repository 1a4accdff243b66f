/* SPDX-License-Identifier: BSD-3-Clause
 *
 * across.h - the gradients of weights as transposed products, where that is faster:
 *
 *     dW^T += x^T dgates,  dU^T += h_prev^T dgates
 *
 * Here dgates is B and read from the tape as it is; grads.h has it as A, transposed before. A column of x is a row of a
 * tile, not a vector of which it fills one lane. But the tape is read once for every few columns of x or h: that is
 * slower where its rows are long. Tiles are transposed when they are added. Every element is the same chain of vfma. */

/* Columns of an operand that go this way wherever rows of the tape are whole vectors; bytes of such a row up to which all
 * do; and from how many rows of the tape on the products are worth the transposing. LSTM, GRU and RNN of 16 to 256 units
 * in chunks of 1 to 512 rows, AVX-512, AVX2 and SSE2, one thread of Zen 5. */
enum {
    FEW_COLUMNS = VL / 2,
    SHORT_TAPE_ROW = LIMIT(VECTOR_BYTES == 64 ? 2048 : 1024, 512),
    MANY_TAPE_ROWS = LIMIT(16, 4)
};

/* Do n columns of x or h go this way, over k rows of the tape? */
INLINE int across(const struct backward_call *f, fr_idx n, fr_idx k)
{
    const fr_idx H = f->d->H, row_bytes = block_count(f->cell) * H * (fr_idx)sizeof(real);
    return H % VL == 0 && k >= MANY_TAPE_ROWS && (n <= FEW_COLUMNS || row_bytes <= SHORT_TAPE_ROW);
}

/* A window of G blocks of dgates, and what their gates multiply: n columns, in the panels of pack_operands. */
struct outer {
    const real *dgates, *operand;
    fr_idx      n;
    int         G;
    const int  *gate;
};

/* dw (gates*H, n) += the transpose of a tile of m rows and nv vectors: columns i.. of dw, units from `unit` of the window
 * on */
static void add_transposed(const struct outer *o, fr_idx H, fr_idx i, fr_idx m, fr_idx unit, int nv, const real *tile,
                           real *dw)
{
    for (int v = 0; v < nv; v++, unit += VL) {
        real *to = dw + (o->gate[unit / H] * H + unit % H) * o->n + i;
        for (fr_idx lo = 0; lo < m; lo += VL) {
            vec square[VL];
#pragma GCC unroll 16
            for (int l = 0; l < VL; l++)
                square[l] = lo + l < m ? load(tile + ((lo + l) * nv + v) * VL) : (vec){0};
            transpose(square);
#pragma GCC unroll 16
            for (int u = 0; u < VL; u++) {
                real *row = to + u * o->n + lo;
                store_part(row, load_part(row, m - lo) + square[u], m - lo);
            }
        }
    }
}

/* dw += dgates^T operand over k rows of the tape: this thread's vectors of units of the window */
static void add_outer(const struct backward_call *f, const struct outer *o, fr_idx k, real *dw)
{
    enum { WIDTH = MAX_NV * VL };
    const fr_idx       H = f->d->H, SH = block_count(f->cell) * H;
    const fr_idx       vectors = o->G * H / VL, most = vectors % MAX_NV && vectors % 3 == 0 ? 3 : MAX_NV;
    const struct range own = partition(vectors, f->rank, f->grid.rows * f->grid.cols);
    real              *tile = f->space.tile;
    for (fr_idx i = 0, m; i < o->n; i += m) {
        const fr_idx p = i / WIDTH, inside = i % WIDTH, width = panel_vectors(o->n, MAX_NV, p) * VL;
        const fr_idx left = (o->n - i < WIDTH - inside ? o->n - i : WIDTH - inside);
        const real  *a[DX_ROWS];
        m = left < DX_ROWS ? left : DX_ROWS;
        for (fr_idx l = 0; l < m; l++)
            a[l] = o->operand + p * GRAD_ROWS * WIDTH + inside + l;
        for (fr_idx v = own.lo, nv; v < own.hi; v += nv) {
            nv = own.hi - v < most ? own.hi - v : most;
            memset(tile, 0, (size_t)(m * nv * VL) * sizeof(real));
            const struct product product = {
                .k = k,
                .a = {a, width},
                .b = {o->dgates + v * VL, SH, 0},
                .c = {tile, nv * VL, 0},
            };
            gemm(m, 1, (int)nv, &product);
            add_transposed(o, H, i, m, v * VL, (int)nv, tile, dw);
        }
    }
}

/* dW, dU over tape rows r of the chunk, of the operands that go this way */
static void add_across(const struct backward_call *f, struct range r)
{
    const fr_idx H = f->d->H, I = f->d->I, k = r.hi - r.lo;
    const real  *rows = (const real *)f->a->gates + r.lo * block_count(f->cell) * H;
    for (int n = 0; n < stage_count(f->cell); n++) {
        const struct stage *t = &f->cell->stage[n];
        const struct outer  x = {rows + (t->block + t->x0) * H, f->space.x, I, t->Gx, t->gate_x};
        const struct outer  h = {rows + (t->block + t->h0) * H, f->space.h[n], H, t->Gh, t->gate_h};
        if (f->a->dw_ih && across(f, I, k))
            add_outer(f, &x, k, f->a->dw_ih);
        if (f->a->dw_hh && t->Gh && across(f, H, k))
            add_outer(f, &h, k, f->a->dw_hh);
    }
}

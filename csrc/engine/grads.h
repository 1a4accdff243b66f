/* SPDX-License-Identifier: BSD-3-Clause
 *
 * grads.h - what a chunk of time adds to the gradients, once the gradients of its gates are on the tape.
 *
 *     dx += dgates W^T                                   rows of the tape are divided among the threads
 *     dW += dgates^T x,  dU += dgates^T h_prev           rows of dW and dU are
 *     db += sum dgates                                   units are
 *
 * No sum is split: a thread owns whole elements. Each block of GRAD_ROWS tape rows is summed by itself and then added,
 * which keeps the rounding error of long sums small. */
enum { BIAS_VECTORS = 4 }; /* go together, so that rows of the tape are read in more than a line at a time */

/* The step that a tape row belongs to, searched from step s on. */
INLINE fr_idx step_of(const fr_desc *d, fr_idx tape, fr_idx s)
{
    if (!d->rows)
        return tape / d->N;
    while (first_of(d, s + 1) <= tape)
        s++;
    return s;
}

/* x and the operands of tape rows r.lo..r.hi-1 as panels, this thread's part of the rows */
static void pack_operands(const struct backward_call *f, struct range r, fr_idx s_lo)
{
    const fr_desc     *d = f->d;
    const fr_idx       H = d->H;
    const struct range own = partition(r.hi - r.lo, f->rank, f->grid.rows * f->grid.cols);
    fr_idx             s = s_lo;
    for (fr_idx l = own.lo; l < own.hi; l++) {
        const fr_idx tape = r.lo + l;
        s = step_of(d, tape, s);
        const fr_idx i = tape - first_of(d, s);
        if (f->a->dw_ih)
            pack_row(field_row(d, f->x, s, i), l, GRAD_ROWS, d->I, MAX_NV, f->space.x);
        for (int k = 0; k < stage_count(f->cell); k++) {
            const struct stage *t = &f->cell->stage[k];
            if (!t->Gh || !f->a->dw_hh)
                continue;
            const real *operand = t->operand == H_PREV
                                      ? state_before(d, f->y, f->a->h_0, f->space.zeros, s, i)
                                      : (real *)f->a->gates + (tape * block_count(f->cell) + t->operand) * H;
            if (d->masked)
                operand = masked_row(d, f->a->state_update.mask, i, operand, f->space.masked);
            pack_row(operand, l, GRAD_ROWS, H, MAX_NV, f->space.h[k]);
        }
    }
}

/* dw (rows of one gate, n columns) += a_t^T b, for m rows of it */
static void add_weight_rows(const struct backward_call *f, fr_idx m, fr_idx k, const real *b, fr_idx n, real *dw)
{
    enum { WIDTH = MAX_NV * VL };
    const fr_idx rows = tile_rows(MAX_NV);
    const real  *a[DX_ROWS];
    for (fr_idx i = 0; i < m; i++)
        a[i] = f->space.a_t + i / rows * rows * GRAD_ROWS + i % rows;
    for (fr_idx p = 0; p < panel_count(n, MAX_NV); p++) {
        const int nv = panel_vectors(n, MAX_NV, p);
        real     *tile = f->space.tile;
        memset(tile, 0, (size_t)m * WIDTH * sizeof(real));
        const struct product product = {
            .k = k,
            .a = {a, rows},
            .b = {b + p * GRAD_ROWS * WIDTH, nv * VL, 0},
            .c = {tile, WIDTH, 0},
        };
        gemm(m, 1, nv, &product);
        for (fr_idx i = 0; i < m; i++)
            for (int v = 0; v < nv; v++) {
                const fr_idx j = p * WIDTH + v * VL;
                real        *to = dw + i * n + j;
                store_part(to, load_part(to, n - j) + load(tile + i * WIDTH + v * VL), n - j);
            }
    }
}

/* The gate of w_ih, of w_hh that feeds a block of a stage, or -1. */
INLINE int gate_of_x(const struct stage *t, int block)
{
    return block >= t->x0 && block < t->x0 + t->Gx ? t->gate_x[block - t->x0] : -1;
}

INLINE int gate_of_h(const struct stage *t, int block)
{
    return block >= t->h0 && block < t->h0 + t->Gh ? t->gate_h[block - t->h0] : -1;
}

/* m columns of dgates over k tape rows, as A^T: tiles of tile_rows(MAX_NV) columns. A few tape rows at a time, so that a
 * tile is written in whole lines, although what is read and where tiles begin are often apart by a multiple of 4 KB. */
static void transpose_gates(const struct backward_call *f, const real *dgates, fr_idx m, fr_idx k)
{
    enum { TOGETHER = 8 };
    const fr_idx SH = block_count(f->cell) * f->d->H, rows = tile_rows(MAX_NV);
    for (fr_idx lo = 0; lo < k; lo += TOGETHER) {
        const fr_idx end = lo + TOGETHER < k ? lo + TOGETHER : k;
        for (fr_idx j = 0; j < m; j += rows) {
            const real *from = dgates + j;
            real       *to = f->space.a_t + j * GRAD_ROWS;
            if (j + rows <= m)
                for (fr_idx l = lo; l < end; l++) /* of a constant size, so without a call */
                    memcpy(to + l * rows, from + l * SH, (size_t)rows * sizeof(real));
            else
                for (fr_idx l = lo; l < end; l++)
                    for (fr_idx i = 0; i < m - j; i++)
                        to[l * rows + i] = from[l * SH + i];
        }
    }
}

/* dW, dU over tape rows r of the chunk, but what across.h adds: this thread's part of the tiles of tile_rows(MAX_NV)
 * units of a block. Tiles of a block go together, so that a panel of x or h is read for all of them one after another,
 * and the tape in whole lines: 2 to 4 % of training with 256 and 512 units (one thread of Zen 5). */
static void add_weights(const struct backward_call *f, struct range r)
{
    const fr_idx       H = f->d->H, I = f->d->I, S = block_count(f->cell), k = r.hi - r.lo, rows = tile_rows(MAX_NV);
    const fr_idx       tiles = (H + rows - 1) / rows;
    const struct range own = partition(S * tiles, f->rank, f->grid.rows * f->grid.cols);
    real *const dw_ih = across(f, I, k) ? NULL : f->a->dw_ih, *const dw_hh = across(f, H, k) ? NULL : f->a->dw_hh;
    for (fr_idx n = own.lo, end; n < own.hi; n = end) {
        const int block = (int)(n / tiles), stage = stage_count(f->cell) > 1 && block >= f->cell->stage[1].block;
        const struct stage *t = &f->cell->stage[stage];
        const int           gx = gate_of_x(t, block - t->block), gh = gate_of_h(t, block - t->block);
        const fr_idx        j = n % tiles * rows;
        end = n + DX_ROWS / rows < own.hi ? n + DX_ROWS / rows : own.hi;
        end = end < (block + 1) * tiles ? end : (block + 1) * tiles;
        const fr_idx m = (end - n) * rows < H - j ? (end - n) * rows : H - j;
        if ((gx < 0 || !dw_ih) && (gh < 0 || !dw_hh))
            continue;
        transpose_gates(f, (const real *)f->a->gates + (r.lo * S + block) * H + j, m, k);
        if (gx >= 0 && dw_ih)
            add_weight_rows(f, m, k, f->space.x, I, dw_ih + (gx * H + j) * I);
        if (gh >= 0 && dw_hh)
            add_weight_rows(f, m, k, f->space.h[stage], H, dw_hh + (gh * H + j) * H);
    }
}

/* db += the sum over tape rows r of `count` vectors of units, from unit j of a block on */
INLINE void add_bias_vectors(const int count, const struct backward_call *f, struct range r, int block, fr_idx j)
{
    const fr_idx        H = f->d->H, S = block_count(f->cell);
    const int           stage = stage_count(f->cell) > 1 && block >= f->cell->stage[1].block;
    const struct stage *t = &f->cell->stage[stage];
    const int           gx = gate_of_x(t, block - t->block), gh = gate_of_h(t, block - t->block);
    real *const         db_ih = gx >= 0 && f->a->db_ih ? (real *)f->a->db_ih + gx * H : NULL;
    real *const         db_hh = gh >= 0 && f->a->db_hh ? (real *)f->a->db_hh + gh * H : NULL;
    vec                 sum[BIAS_VECTORS] = {{0}};
    if (!db_ih && !db_hh)
        return;
    for (fr_idx tape = r.lo; tape < r.hi; tape++)
#pragma GCC unroll 4
        for (int v = 0; v < count; v++)
            sum[v] += load_part((const real *)f->a->gates + (tape * S + block) * H + j + v * VL, H - j - v * VL);
    for (fr_idx v = 0, at = j; v < count; v++, at += VL) {
        if (db_ih)
            store_part(db_ih + at, load_part(db_ih + at, H - at) + sum[v], H - at);
        if (db_hh)
            store_part(db_hh + at, load_part(db_hh + at, H - at) + sum[v], H - at);
    }
}

/* db over tape rows r: this thread's part of the vectors of units of all blocks */
static void add_biases(const struct backward_call *f, struct range r)
{
    const fr_idx       H = f->d->H, S = block_count(f->cell), vectors = (H + VL - 1) / VL;
    const struct range own = partition(S * vectors, f->rank, f->grid.rows * f->grid.cols);
    for (fr_idx n = own.lo; n < own.hi;) {
        const int    block = (int)(n / vectors);
        const fr_idx first = n % vectors;
        if (n + BIAS_VECTORS <= own.hi && first + BIAS_VECTORS <= vectors) {
            add_bias_vectors(BIAS_VECTORS, f, r, block, first * VL);
            n += BIAS_VECTORS;
        } else if (n + 2 <= own.hi && first + 2 <= vectors) {
            add_bias_vectors(2, f, r, block, first * VL);
            n += 2;
        } else {
            add_bias_vectors(1, f, r, block, first * VL);
            n++;
        }
    }
}

/* dx += dgates W^T over the tape rows of a chunk, this thread's part of them */
static void add_inputs(const struct backward_call *f, struct range chunk, fr_idx s_lo)
{
    enum { WIDTH = MAX_NV * VL };
    const fr_desc     *d = f->d;
    const fr_idx       H = d->H, I = d->I, S = block_count(f->cell);
    const struct range own = partition(chunk.hi - chunk.lo, f->rank, f->grid.rows * f->grid.cols);
    fr_idx             s = s_lo;
    real              *tile = f->space.tile;
    for (fr_idx r = chunk.lo + own.lo, m; r < chunk.lo + own.hi; r += m) {
        real *to[DX_ROWS];
        m = chunk.lo + own.hi - r < DX_ROWS ? chunk.lo + own.hi - r : DX_ROWS;
        for (fr_idx l = 0; l < m; l++) {
            s = step_of(d, r + l, s);
            to[l] = field_row(d, f->dx, s, r + l - first_of(d, s));
        }
        for (fr_idx p = 0; p < panel_count(I, MAX_NV); p++) {
            const int nv = panel_vectors(I, MAX_NV, p);
            memset(tile, 0, (size_t)m * WIDTH * sizeof(real));
            for (int k = 0; k < stage_count(f->cell); k++) {
                const struct stage *t = &f->cell->stage[k];
                for (fr_idx l = 0; l < m; l++)
                    f->space.a[l] = (const real *)f->a->gates + ((r + l) * S + t->block + t->x0) * H;
                const struct transposed w = {f->a->pack ? f->pack[k].wx_t : NULL, f->a->w_ih, t->gate_x, t->Gx, H, I};
                multiply_transposed(&w, f->space.a, m, p, 0, 1, nv, (struct panels_out){tile, WIDTH, 0});
            }
            for (fr_idx l = 0; l < m; l++)
                for (int v = 0; v < nv; v++) {
                    const fr_idx j = p * WIDTH + v * VL;
                    store_part(to[l] + j, load_part(to[l] + j, I - j) + load(tile + l * WIDTH + v * VL), I - j);
                }
        }
    }
}

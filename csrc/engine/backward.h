/* SPDX-License-Identifier: BSD-3-Clause
 *
 * backward.h - the backward time loop, of every cell: back-propagation through time.
 *
 *     for each chunk of steps, from the end:
 *       for each step, from the end:   dh      += dy
 *                                      dgates, dh, dc = cell'(gates, dh, dc)      on the tape, in place
 *                                      dh      += dgates U^T
 *       then for the whole chunk:      dx      += dgates W^T
 *                                      dW += dgates^T x,  dU += dgates^T h_prev,  db += sum dgates
 *
 * Threads divide rows and units as in forward.h. The sums over time and batch are never split: a thread owns whole elements
 * of dW, and the chunks depend on the sizes alone, so the bits do not depend on the number of threads. Each block of
 * GRAD_ROWS rows is summed by itself and then added, which also keeps the rounding error of long sums small. */
enum {
    CHUNK_ROWS = 512, /* tape rows after which the gradients of the weights are taken: dgates are still in L2 or L3 */
    GRAD_ROWS = 256,  /* k of their products: panels of x and h of this many rows fit L2 */
    DX_ROWS = 48      /* rows of dx at a time, a multiple of every tile */
};

struct backward_space {
    struct barrier  *meet;         /* one for each row group, and one for all */
    real            *zeros;        /* (H) */
    real            *dh, *dc, *dq; /* (N, Hv): by position */
    real            *x, *h[2];     /* (panel, GRAD_ROWS, MAX_NV VL): x and each stage's operand, as B of dW and dU */
    struct back_step rows;         /* arrays of ROW_BLOCK, this thread's */
    const real     **a;            /* (ROW_BLOCK) rows of A */
    real            *a_t;          /* (GRAD_ROWS, tile rows): a piece of dgates, as A^T */
    real            *tile;         /* (DX_ROWS, MAX_NV VL) */
};

static char *backward_layout(const fr_desc *d, struct grid grid, int rank, char *base, struct backward_space *out)
{
    const struct cell *cell = &cells[d->cell];
    const fr_idx       Hv = round_up(d->H, VL), Iv = round_up(d->I, VL);
    struct arena       a = {base};
    /* dh, dc, dq live from one piece of a call to the next, so they come first: their place must not depend on the grid */
    out->dh = take(&a, d->N * Hv, sizeof(real));
    out->dc = take(&a, cell->has_c ? d->N * Hv : 0, sizeof(real));
    out->dq = take(&a, cell->stages > 1 ? d->N * Hv : 0, sizeof(real));
    out->zeros = take(&a, d->H, sizeof(real));
    out->meet = take(&a, grid.rows + 1, sizeof *out->meet);
    out->x = take(&a, GRAD_ROWS * Iv, sizeof(real));
    for (int k = 0; k < cell->stages; k++)
        out->h[k] = take(&a, cell->stage[k].Gh ? GRAD_ROWS * Hv : 0, sizeof(real));
    a.at += rank * ((fr_idx)sizeof(real) * (GRAD_ROWS * MAX_ROWS + DX_ROWS * MAX_NV * VL) +
                    6 * (fr_idx)round_up(ROW_BLOCK * sizeof(real *), 64));
    out->a_t = take(&a, GRAD_ROWS * MAX_ROWS, sizeof(real));
    out->tile = take(&a, DX_ROWS * MAX_NV * VL, sizeof(real));
    out->rows.h_prev = take(&a, ROW_BLOCK, sizeof(real *));
    out->rows.c_prev = take(&a, ROW_BLOCK, sizeof(real *));
    out->rows.c = take(&a, ROW_BLOCK, sizeof(real *));
    out->rows.dy = take(&a, ROW_BLOCK, sizeof(real *));
    out->rows.gates = take(&a, ROW_BLOCK, sizeof(real *));
    out->a = take(&a, ROW_BLOCK, sizeof(real *));
    return a.at;
}

struct backward_call {
    const fr_desc          *d;
    const fr_backward_args *a;
    const struct cell      *cell;
    struct stage_pack       pack[2];
    struct backward_space   space;
    struct grid             grid;
    int                     rank;
    struct group            rows;          /* what this thread owns: rows, */
    struct range            panels, units; /* panels of H, and the units in them */
    struct field            x, y, dx, dy;
};

/* Steps of the chunk that ends at s_hi. */
static fr_idx chunk_start(const fr_desc *d, fr_idx s_lo, fr_idx s_hi)
{
    fr_idx s = s_hi - 1;
    while (s > s_lo && first_of(d, s_hi) - first_of(d, s) < CHUNK_ROWS)
        s--;
    return s;
}

static struct back_step back_rows(const struct backward_call *f, fr_idx s, fr_idx lo, fr_idx n)
{
    const fr_desc   *d = f->d;
    const fr_idx     H = d->H, Hv = round_up(H, VL);
    struct back_step rows = f->space.rows;
    real *const      gates = f->a->gates;
    const real      *c = f->a->c, *c_0 = f->a->c_0;
    const fr_idx     at = position(f->rows, lo) * Hv;
    rows.n = n, rows.ld = f->rows.stride * Hv;
    rows.dh = f->space.dh + at, rows.dc = f->space.dc + at, rows.dq = f->space.dq + at;
    for (fr_idx j = 0; j < n; j++) {
        const fr_idx i = position(f->rows, lo + j), tape = first_of(d, s) + i;
        rows.gates[j] = gates + tape * f->cell->S * H;
        rows.h_prev[j] = state_before(d, f->y, f->a->h_0, f->space.zeros, s, i);
        if (f->a->dy)
            rows.dy[j] = field_row(d, f->dy, s, i);
        if (f->cell->has_c) {
            rows.c[j] = c + tape * H;
            rows.c_prev[j] = s ? c + (first_of(d, s - 1) + i) * H : c_0 ? c_0 + row_at(d, i) * H : f->space.zeros;
        }
    }
    if (!f->a->dy)
        rows.dy = NULL;
    return rows;
}

/* to (dh or dq) += dgates U^T in this thread's panels of units */
static void through_product(const struct backward_call *f, int k, const struct back_step *rows, real *to)
{
    const struct stage *t = &f->cell->stage[k];
    const fr_idx        H = f->d->H, K = t->Gh * H, b_panel = K * MAX_NV * VL, c_panel = MAX_NV * VL;
    for (fr_idx j = 0; j < rows->n; j++)
        f->space.a[j] = rows->gates[j] + (t->block + t->h0) * H;
    for (fr_idx p = f->panels.lo; p < f->panels.hi;) {
        const int nv = panel_vectors(H, MAX_NV, p);
        int       np = panels_at_once(rows->n);
        if (p + np > f->panels.hi || panel_vectors(H, MAX_NV, p + np - 1) != nv)
            np = 1;
        gemm(rows->n, np, nv, K, f->space.a, 1, f->pack[k].wh_t + p * b_panel, b_panel, to + p * c_panel, rows->ld,
             c_panel);
        p += np;
    }
}

static void step_back(const struct backward_call *f, fr_idx s, fr_idx lo, fr_idx hi)
{
    const struct range     all = {0, running(f->d, s, f->rows, lo, hi)};
    const struct back_step rows = back_rows(f, s, lo, all.hi);
    for (int k = f->cell->stages - 1; k >= 0; k--) {
        const struct stage *t = &f->cell->stage[k];
        real               *to = t->operand == H_PREV ? rows.dh : rows.dq;
        t->backward(&rows, all, f->units, f->d->H);
        wait_for(&f->space.meet[f->rank / f->grid.cols], f->grid.cols); /* the product needs the gates of every unit */
        if (to == rows.dq)
            for (fr_idx j = 0; j < rows.n; j++)
                memset(to + j * rows.ld + f->units.lo, 0, (size_t)(f->units.hi - f->units.lo) * sizeof(real));
        if (t->Gh)
            through_product(f, k, &rows, to);
    }
}

/* The step that a tape row belongs to, given one not after it. */
INLINE fr_idx step_of(const fr_desc *d, fr_idx tape, fr_idx s)
{
    if (!d->rows)
        return tape / d->N;
    while (first_of(d, s + 1) <= tape)
        s++;
    return s;
}

/* x and the operands of tape rows r.lo..r.hi-1 as panels, this thread's share of the rows */
static void pack_operands(const struct backward_call *f, struct range r, fr_idx s_lo)
{
    const fr_desc     *d = f->d;
    const fr_idx       H = d->H;
    const struct range own = share(r.hi - r.lo, f->rank, f->grid.rows * f->grid.cols);
    fr_idx             s = s_lo;
    for (fr_idx l = own.lo; l < own.hi; l++) {
        const fr_idx tape = r.lo + l;
        s = step_of(d, tape, s);
        const fr_idx i = tape - first_of(d, s);
        pack_row(field_row(d, f->x, s, i), l, GRAD_ROWS, d->I, f->space.x);
        for (int k = 0; k < f->cell->stages; k++) {
            const struct stage *t = &f->cell->stage[k];
            if (!t->Gh)
                continue;
            const real *operand = t->operand == H_PREV ? state_before(d, f->y, f->a->h_0, f->space.zeros, s, i)
                                                       : (real *)f->a->gates + (tape * f->cell->S + t->operand) * H;
            pack_row(operand, l, GRAD_ROWS, H, f->space.h[k]);
        }
    }
}

/* dw (rows of one gate, n columns) += a_t^T b, for m rows of it */
static void add_weight_tile(const struct backward_call *f, fr_idx m, fr_idx k, const real *b, fr_idx n, real *dw)
{
    enum { WIDTH = MAX_NV * VL };
    const real *a[MAX_ROWS];
    for (fr_idx i = 0; i < m; i++)
        a[i] = f->space.a_t + i;
    for (fr_idx p = 0; p < panel_count(n, MAX_NV); p++) {
        const int nv = panel_vectors(n, MAX_NV, p);
        real     *tile = f->space.tile;
        memset(tile, 0, (size_t)m * WIDTH * sizeof(real));
        gemm(m, 1, nv, k, a, tile_rows(MAX_NV), b + p * GRAD_ROWS * WIDTH, 0, tile, WIDTH, 0);
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

/* dW, dU over tape rows r of the chunk: this thread's share of tiles of tile_rows(MAX_NV) units of a block */
static void add_weights(const struct backward_call *f, struct range r)
{
    const fr_idx       H = f->d->H, I = f->d->I, S = f->cell->S, k = r.hi - r.lo, rows = tile_rows(MAX_NV);
    const fr_idx       tiles = (H + rows - 1) / rows;
    const struct range own = share(S * tiles, f->rank, f->grid.rows * f->grid.cols);
    real *const dw_ih = f->a->dw_ih, *const dw_hh = f->a->dw_hh;
    for (fr_idx n = own.lo; n < own.hi; n++) {
        const int           block = (int)(n / tiles), stage = f->cell->stages > 1 && block >= f->cell->stage[1].block;
        const struct stage *t = &f->cell->stage[stage];
        const int           gx = gate_of_x(t, block - t->block), gh = gate_of_h(t, block - t->block);
        const fr_idx        j = n % tiles * rows, m = H - j < rows ? H - j : rows;
        const real         *dgates = (const real *)f->a->gates + (r.lo * S + block) * H + j;
        if (gx < 0 && gh < 0)
            continue;
        for (fr_idx l = 0; l < k; l++)
            for (fr_idx i = 0; i < m; i++)
                f->space.a_t[l * rows + i] = dgates[l * S * H + i];
        if (gx >= 0)
            add_weight_tile(f, m, k, f->space.x, I, dw_ih + (gx * H + j) * I);
        if (gh >= 0)
            add_weight_tile(f, m, k, f->space.h[stage], H, dw_hh + (gh * H + j) * H);
    }
}

/* db over tape rows r: this thread's share of the vectors of units of all blocks */
static void add_biases(const struct backward_call *f, struct range r)
{
    const fr_idx       H = f->d->H, S = f->cell->S, vectors = (H + VL - 1) / VL;
    const struct range own = share(S * vectors, f->rank, f->grid.rows * f->grid.cols);
    real *const db_ih = f->a->db_ih, *const db_hh = f->a->db_hh;
    if (!db_ih)
        return;
    for (fr_idx n = own.lo; n < own.hi; n++) {
        const int           block = (int)(n / vectors), stage = f->cell->stages > 1 && block >= f->cell->stage[1].block;
        const struct stage *t = &f->cell->stage[stage];
        const int           gx = gate_of_x(t, block - t->block), gh = gate_of_h(t, block - t->block);
        const fr_idx        j = n % vectors * VL, width = H - j;
        if (gx < 0 && gh < 0)
            continue;
        vec sum = {0};
        for (fr_idx tape = r.lo; tape < r.hi; tape++)
            sum += load_part((const real *)f->a->gates + (tape * S + block) * H + j, width);
        if (gx >= 0)
            store_part(db_ih + gx * H + j, load_part(db_ih + gx * H + j, width) + sum, width);
        if (gh >= 0 && db_hh)
            store_part(db_hh + gh * H + j, load_part(db_hh + gh * H + j, width) + sum, width);
    }
}

/* dx += dgates W^T over the tape rows of a chunk, this thread's share */
static void add_inputs(const struct backward_call *f, struct range chunk, fr_idx s_lo)
{
    enum { WIDTH = MAX_NV * VL };
    const fr_desc     *d = f->d;
    const fr_idx       H = d->H, I = d->I, S = f->cell->S;
    const struct range own = share(chunk.hi - chunk.lo, f->rank, f->grid.rows * f->grid.cols);
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
            for (int k = 0; k < f->cell->stages; k++) {
                const struct stage *t = &f->cell->stage[k];
                for (fr_idx l = 0; l < m; l++)
                    f->space.a[l] = (const real *)f->a->gates + ((r + l) * S + t->block + t->x0) * H;
                gemm(m, 1, nv, t->Gx * H, f->space.a, 1, f->pack[k].wx_t + p * t->Gx * H * WIDTH, 0, tile, WIDTH, 0);
            }
            for (fr_idx l = 0; l < m; l++)
                for (int v = 0; v < nv; v++) {
                    const fr_idx j = p * WIDTH + v * VL;
                    store_part(to[l] + j, load_part(to[l] + j, I - j) + load(tile + l * WIDTH + v * VL), I - j);
                }
        }
    }
}

/* dh, dc of all positions from (N, H) arrays of rows, or zero */
static void set_state_grad(const fr_desc *d, struct range rows, const real *from, real *to)
{
    const fr_idx H = d->H, Hv = round_up(H, VL);
    for (fr_idx i = rows.lo; i < rows.hi; i++) {
        memset(to + i * Hv, 0, (size_t)Hv * sizeof(real));
        if (from)
            memcpy(to + i * Hv, from + row_at(d, i) * H, (size_t)H * sizeof(real));
    }
}

static void get_state_grad(const fr_desc *d, struct range rows, const real *from, real *to)
{
    for (fr_idx i = rows.lo; to && i < rows.hi; i++)
        memcpy(to + row_at(d, i) * d->H, from + i * round_up(d->H, VL), (size_t)d->H * sizeof(real));
}

struct backward_job {
    const fr_desc          *d;
    const fr_backward_args *a;
};

static void backward_prepare(const void *job, struct grid grid)
{
    const struct backward_job *j = job;
    struct backward_space      shared;
    backward_layout(j->d, grid, 0, j->a->workspace, &shared);
    memset(shared.meet, 0, (size_t)(grid.rows + 1) * sizeof *shared.meet);
    memset(shared.zeros, 0, (size_t)j->d->H * sizeof(real));
    if (j->a->s_hi == j->d->T) {
        const struct range all = {0, j->d->N};
        set_state_grad(j->d, all, j->a->dh_n, shared.dh);
        if (cells[j->d->cell].has_c)
            set_state_grad(j->d, all, j->a->dc_n, shared.dc);
    }
}

static void backward_thread(const void *job, struct grid grid, int rank)
{
    const fr_desc          *d = ((const struct backward_job *)job)->d;
    const fr_backward_args *a = ((const struct backward_job *)job)->a;
    struct backward_call    f = {.d = d, .a = a, .cell = &cells[d->cell], .grid = grid, .rank = rank};
    const int               team = grid.rows * grid.cols;
    f.x = (struct field){(real *)a->x, a->x_st, a->x_sn};
    f.y = (struct field){(real *)a->y, a->y_st, a->y_sn};
    f.dx = (struct field){a->dx, a->dx_st, a->dx_sn};
    f.dy = (struct field){(real *)a->dy, a->dy_st, a->dy_sn};
    pack_layout(d, FR_BACKWARD, (real *)a->pack, f.pack);
    backward_layout(d, grid, rank, a->workspace, &f.space);
    struct barrier *all = &f.space.meet[grid.rows];
    f.rows = row_group(d, rank / grid.cols, grid.rows);
    f.panels = share(panel_count(d->H, MAX_NV), rank % grid.cols, grid.cols);
    f.units = (struct range){f.panels.lo * MAX_NV * VL, f.panels.hi * MAX_NV * VL};
    if (f.units.hi > round_up(d->H, VL))
        f.units.hi = round_up(d->H, VL);

    for (fr_idx s_hi = a->s_hi, s_lo; s_hi > a->s_lo; s_hi = s_lo) {
        s_lo = chunk_start(d, a->s_lo, s_hi);
        for (fr_idx s = s_hi - 1; s >= s_lo; s--)
            for (fr_idx lo = 0; lo < f.rows.count; lo += ROW_BLOCK)
                step_back(&f, s, lo, lo + ROW_BLOCK < f.rows.count ? lo + ROW_BLOCK : f.rows.count);
        wait_for(all, team); /* the gradients of the chunk's gates are complete */
        const struct range chunk = {first_of(d, s_lo), first_of(d, s_hi)};
        for (struct range r = {chunk.lo, 0}; r.lo < chunk.hi; r.lo = r.hi) {
            r.hi = r.lo + GRAD_ROWS < chunk.hi ? r.lo + GRAD_ROWS : chunk.hi;
            pack_operands(&f, r, s_lo);
            wait_for(all, team);
            add_weights(&f, r);
            add_biases(&f, r);
            wait_for(all, team); /* the panels are free again */
        }
        if (a->dx)
            add_inputs(&f, chunk, s_lo);
    }
    if (a->s_lo == 0 && rank == 0) {
        const struct range every = {0, d->N};
        get_state_grad(d, every, f.space.dh, a->dh_0);
        get_state_grad(d, every, f.space.dc, a->dc_0);
    }
}

static size_t backward_bytes(const fr_desc *d, struct grid grid)
{
    struct backward_space none;
    return (size_t)(backward_layout(d, grid, grid.rows * grid.cols - 1, NULL, &none) - (char *)NULL);
}

static void backward(const fr_desc *d, const fr_backward_args *a)
{
    const struct backward_job job = {d, a};
    run_team(plan(d, d->n_threads), backward_prepare, backward_thread, &job);
}

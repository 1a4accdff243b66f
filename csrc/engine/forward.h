/* SPDX-License-Identifier: BSD-3-Clause
 *
 * forward.h - the forward time loop, of every cell.
 *
 *     for each chunk of steps:   tile  = b + x W            one product for all steps of the chunk
 *       for each step:           tile += h_prev U           small products, one panel of units at a time
 *                                h, c  = cell(tile)         while the tile is in L1
 *
 * A thread owns some rows of the batch and some panels of units (team.h) and computes just the tiles that it will need,
 * so they wait only for h: once per step, where the units are split. Tiles: [panel][row of the chunk][S][ub][VL]. With
 * a mask, each thread masks the operands of its own products. */
/* What the product of a stage reads of the rows lo.. of the group: h_prev or q, through the mask. */
static const real *const *operand_rows(const struct forward_call *f, const struct stage *t, const struct step *s,
                                       fr_idx lo)
{
    const fr_idx H = f->d->H;
    if (t->operand == H_PREV && !f->d->masked)
        return s->h_prev;
    for (fr_idx i = 0; i < s->n; i++) {
        const real *row = t->operand == H_PREV ? s->h_prev[i] : s->gates[i] + t->operand * H;
        f->space.operand[i] = row;
        if (f->d->masked)
            f->space.operand[i] =
                masked_row(f->d, f->a->state_update.mask, position(f->group, lo + i), row, f->space.masked + i * H);
    }
    return f->space.operand;
}

/* tile += (h_prev or q) U, then the cell, panel by panel. The step's tiles begin at row r of the m of its chunk. Every
 * other step goes through the panels backwards and finds the last weights of the step before still in L1: 8 to 16 %
 * less time for one row of 64 to 256 units. Calls of one step do so by turns, if the caller says which is which. */
INLINE void step_stage(const int packed, const struct forward_call *f, int k, const struct step *s, fr_idx lo,
                       real *tiles, fr_idx r, fr_idx m)
{
    const struct stage *t = &f->cell->stage[k];
    const struct range  own = own_panels(f->d, t, f->grid, f->rank);
    const fr_idx        H = f->d->H, u_panel = H * t->Gh * t->ub * VL, c_panel = m * t->S * t->ub * VL;
    const real *const  *operand = operand_rows(f, t, s, lo);
    const int           at_once = panels_at_once(s->n, t->Gh * t->ub);
    const fr_idx        groups = (own.hi - own.lo + at_once - 1) / at_once;
    if (f->d->nonzeros)
        transpose_rows(operand, s->n, H, f->space.zeros, f->space.h_t);
    for (fr_idx g = 0; g < groups; g++) {
        const fr_idx first = own.lo + (s->back ? groups - 1 - g : g) * at_once;
        const fr_idx end = first + at_once < own.hi ? first + at_once : own.hi;
        for (fr_idx p = first; p < end;) {
            const int ub = panel_vectors(H, t->ub, p), width = t->S * ub * VL;
            const int np = panel_group(at_once, H, t->ub, p, end);
            real     *tile = tiles + (p - own.lo) * c_panel + r * width;
            if (f->d->nonzeros)
                for (int q = 0; q < np; q++)
                    sparse_product(f->pack[k].sparse, p + q, operand, f->space.h_t, s->n, tile + q * c_panel);
            else if (t->Gh) {
                const real          *panels = packed ? f->pack[k].wh + p * u_panel : recurrent_panels(f, t, p, np);
                const struct product product = {
                    .k = H,
                    .a = {operand, 1},
                    .b = {panels, t->Gh * ub * VL, u_panel},
                    .c = {tile + t->h0 * ub * VL, width, c_panel},
                };
                gemm(s->n, np, t->Gh * ub, &product);
            }
            for (int q = 0; q < np; q++)
                t->forward(s, tile + q * c_panel, ub, (p + q) * t->ub * VL, H);
            p += np;
        }
    }
}

/* Where rows lo..lo+n-1 of the group find their state at step s. */
static struct step step_rows(const struct forward_call *f, fr_idx s, fr_idx lo, fr_idx n)
{
    const fr_desc *d = f->d;
    const fr_idx   H = d->H, S = block_count(f->cell);
    struct step    step = f->space.step;
    real *const gates = f->a->gates, *const c = f->a->c, *const c_n = f->a->c_n;
    const real *c_0 = f->a->c_0;
    step.n = n, step.back = (int)(s & 1) != (f->a->back != 0);
    for (fr_idx j = 0; j < n; j++) {
        const fr_idx i = position(f->group, lo + j), tape = first_of(d, s) + i, row = row_at(d, i);
        step.h[j] = field_row(d, f->y, s, i);
        step.h_prev[j] = state_before(d, f->y, f->a->h_0, f->space.zeros, s, i);
        if (f->fraction_h.at)
            step.fraction_h[j] = field_row(d, f->fraction_h, s, i);
        if (f->fraction_c.at)
            step.fraction_c[j] = field_row(d, f->fraction_c, s, i);
        if (gates)
            step.gates[j] = gates + tape * S * H;
        else if (stage_count(f->cell) > 1)
            step.gates[j] = f->space.scratch + (f->rank / f->grid.cols * f->space.block + j) * S * H;
        if (f->cell->has_c) {
            step.c[j] = c ? c + tape * H : c_n + row * H;
            if (s == 0)
                step.c_prev[j] = c_0 ? c_0 + row * H : f->space.zeros;
            else
                step.c_prev[j] = c ? c + (first_of(d, s - 1) + i) * H : c_n + row * H;
        }
    }
    if (!gates && stage_count(f->cell) == 1)
        step.gates = NULL;
    if (!f->fraction_h.at)
        step.fraction_h = NULL;
    if (!f->fraction_c.at)
        step.fraction_c = NULL;
    return step;
}

/* The rest of its group has left: this thread continues with all panels, and with the memory of the group, which lies
 * together from its own on. Other groups go on as before. */
static void go_on_alone(struct forward_call *f)
{
    const struct grid   team = f->grid, alone = {team.rows, 1};
    const struct region own = forward_region(f->d, team, f->rank);
    const fr_idx        chunk = chunk_rows(f->d, alone);
    struct arena        a = {f->piece->workspace, own.lo};
    f->space.chunk_rows = chunk < f->space.chunk_rows ? chunk : f->space.chunk_rows;
    forward_rank_layout(f->d, tile_width(f->d, alone), &a, &f->space);
    assert(a.used <= forward_region(f->d, team, f->rank + team.cols - 1).hi);
    f->grid = alone, f->rank /= team.cols;
}

/* Rows lo..hi-1 of the group through steps s_lo..s_hi-1. Returns 0 if this thread leaves its part to the first one. */
INLINE int run_rows(const int packed, struct forward_call *f, fr_idx lo, fr_idx hi)
{
    const fr_desc *d = f->d;
    const fr_idx   s_hi = f->piece->s_hi;
    fr_idx         s = f->piece->s_lo, n;
    while (s < s_hi && (n = running(d, s, f->group, lo, hi)) > 0) {
        if (f->grid.cols > 1 && crowded(&f->space.meet[f->rank / f->grid.cols])) {
            if (f->rank % f->grid.cols)
                return 0;
            go_on_alone(f);
        }
        fr_idx end = s, m = 0;
        for (; end < s_hi && (n = running(d, end, f->group, lo, hi)) > 0 && m + n <= f->space.chunk_rows; end++)
            for (fr_idx i = 0; i < n; i++)
                f->space.x[m++] = field_row(d, f->x, end, position(f->group, lo + i));
        project(packed, f, m);
        for (fr_idx r = 0; s < end; s++, r += n) {
            n = running(d, s, f->group, lo, hi);
            const struct step step = step_rows(f, s, lo, n);
            real             *tiles = f->space.tiles;
            for (int k = 0; k < stage_count(f->cell); k++) {
                const struct stage *t = &f->cell->stage[k];
                const struct range  own = own_panels(d, t, f->grid, f->rank);
                step_stage(packed, f, k, &step, lo, tiles, r, m);
                tiles += (own.hi - own.lo) * m * t->S * t->ub * VL;
                wait_for(&f->space.meet[f->rank / f->grid.cols], f->grid.cols, f->rank % f->grid.cols);
            }
        }
    }
    return 1;
}

/* After the last step: the state of each row at its own end, and zeros beyond it if the row is a whole one. */
static void finish_rows(const struct forward_call *f)
{
    const fr_desc *d = f->d;
    const real    *h_0 = f->a->h_0, *c_0 = f->a->c_0, *c = f->a->c;
    const fr_idx   H = d->H;
    for (fr_idx j = 0; j < f->group.count; j++) {
        const fr_idx i = position(f->group, j), row = row_at(d, i), length = length_at(d, i), last = length - 1;
        const real  *h_end = length ? field_row(d, f->y, last, i) : h_0 ? h_0 + row * H : NULL;
        if (f->a->h_n)
            copy_row((real *)f->a->h_n + row * H, h_end, H);
        if (f->cell->has_c && (c || !length)) /* without a tape the running cell is c_n itself */
            copy_row((real *)f->a->c_n + row * H,
                     length ? c + (first_of(d, last) + i) * H
                     : c_0  ? c_0 + row * H
                            : NULL,
                     H);
        for (fr_idx t = length; !d->source && !f->piece->y_packed && t < d->T; t++)
            memset(f->y.at + t * f->y.st + row * f->y.sn, 0, (size_t)H * sizeof(real));
    }
}

static int run_packed(struct forward_call *f, fr_idx lo, fr_idx hi) { return run_rows(1, f, lo, hi); }

static int run_unpacked(struct forward_call *f, fr_idx lo, fr_idx hi) { return run_rows(0, f, lo, hi); }

static void forward_prepare(const void *job, struct grid grid)
{
    const struct forward_job *j = job;
    struct forward_space      shared;
    assert(j->a->pack || reads_once(j->d));
    assert((uintptr_t)j->piece->workspace % 64 == 0 && regions_are_apart(j->d, FR_FORWARD, grid, forward_region));
    forward_shared_layout(j->d, grid, j->piece->workspace, &shared);
    memset(shared.meet, 0, (size_t)grid.rows * sizeof *shared.meet);
    memset(shared.zeros, 0, (size_t)j->d->H * sizeof(real));
    for (int k = 0; !j->a->pack && k < stage_count(&cells[j->d->cell]); k++)
        pack_bias(&cells[j->d->cell].stage[k], j->d->H, j->a->b_ih, j->a->b_hh, shared.bias[k]);
}

static void forward_thread(const void *job, struct grid grid, int rank)
{
    const fr_desc         *d = ((const struct forward_job *)job)->d;
    const fr_forward_args *a = ((const struct forward_job *)job)->a;
    const struct fr_piece *piece = ((const struct forward_job *)job)->piece;
    struct forward_call    f; /* without {..}: zeros, of its memory's description, too, took 5 % of a small step */
    f.d = d, f.a = a, f.piece = piece, f.cell = &cells[d->cell], f.grid = grid, f.rank = rank;
    f.x = read_field(a->x, a->x_st, a->x_sn, piece->x_packed);
    f.y = (struct field){a->y, a->y_st, a->y_sn, piece->y_packed};
    f.fraction_h =
        read_field(a->state_update.fraction_h, a->state_update.fraction_h_st, a->state_update.fraction_h_sn, 0);
    f.fraction_c =
        read_field(a->state_update.fraction_c, a->state_update.fraction_c_st, a->state_update.fraction_c_sn, 0);
    pack_layout(d, FR_FORWARD, (void *)a->pack, f.pack);
    forward_layout(d, grid, rank, piece->workspace, &f.space);
    for (int k = 0; !a->pack && k < stage_count(f.cell); k++)
        f.pack[k].bias = f.space.bias[k];
    f.group = row_group(d, rank / grid.cols, grid.rows);
    int (*const run)(struct forward_call *, fr_idx, fr_idx) = a->pack ? run_packed : run_unpacked;
    for (fr_idx lo = 0; lo < f.group.count; lo += ROW_BLOCK)
        if (!run(&f, lo, lo + ROW_BLOCK < f.group.count ? lo + ROW_BLOCK : f.group.count))
            return;
    if (piece->s_hi == d->T && rank % grid.cols == 0)
        finish_rows(&f);
}

static void forward(const fr_desc *d, const fr_forward_args *a, const struct fr_piece *piece)
{
    const struct forward_job job = {d, a, piece};
    run_team(plan(d, FR_FORWARD, d->n_threads), d->n_threads, forward_prepare, forward_thread, &job);
}

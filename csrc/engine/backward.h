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
 * Threads divide rows and units as in forward.h for the steps, and as in grads.h for the chunk. The chunks depend on
 * the sizes alone, so the bits do not depend on the number of threads. */

/* Steps of the chunk that ends at s_hi. */
static fr_idx chunk_start(const fr_desc *d, fr_idx s_lo, fr_idx s_hi)
{
    fr_idx s = d->N ? s_hi - 1 : s_lo;
    while (s > s_lo && first_of(d, s_hi) - first_of(d, s) < CHUNK_ROWS)
        s--;
    return s;
}

static struct back_step back_rows(const struct backward_call *f, fr_idx s, fr_idx lo, fr_idx n)
{
    const fr_desc   *d = f->d;
    const fr_idx     H = d->H, Hv = round_up(H, VL);
    struct back_step step = f->space.step;
    real *const      gates = f->a->gates;
    const real      *c = f->a->c, *c_0 = f->a->c_0;
    const fr_idx     at = position(f->group, lo) * Hv;
    step.n = n, step.ld = f->group.stride * Hv;
    step.dh = f->space.dh + at, step.dc = f->space.dc + at, step.dq = f->space.dq + at, step.dm = f->space.dm + at;
    for (fr_idx j = 0; j < n; j++) {
        const fr_idx i = position(f->group, lo + j), tape = first_of(d, s) + i;
        step.gates[j] = gates + tape * block_count(f->cell) * H;
        step.h_prev[j] = state_before(d, f->y, f->a->h_0, f->space.zeros, s, i);
        if (f->a->dy)
            step.dy[j] = field_row(d, f->dy, s, i);
        if (f->fraction_h.at)
            step.fraction_h[j] = field_row(d, f->fraction_h, s, i);
        if (f->fraction_c.at)
            step.fraction_c[j] = field_row(d, f->fraction_c, s, i);
        if (f->cell->has_c) {
            step.c_prev[j] = s ? c + (first_of(d, s - 1) + i) * H : c_0 ? c_0 + row_at(d, i) * H : f->space.zeros;
        }
    }
    if (!f->a->dy)
        step.dy = NULL;
    if (!f->fraction_h.at)
        step.fraction_h = NULL;
    if (!f->fraction_c.at)
        step.fraction_c = NULL;
    return step;
}

/* to (dh, dq or dm) += dgates U^T in this thread's units, which may begin and end inside a panel */
static void through_product(const struct backward_call *f, int k, const struct back_step *step, real *to)
{
    const struct stage     *t = &f->cell->stage[k];
    const fr_idx            H = f->d->H;
    const struct transposed w = {f->a->pack ? f->pack[k].wh_t : NULL, f->a->w_hh, t->gate_h, t->Gh, H, H};
    for (fr_idx j = 0; j < step->n; j++)
        f->space.a[j] = step->gates[j] + (t->block + t->h0) * H;
    for (fr_idx v = f->units.lo / VL, end = f->units.hi / VL; v < end;) {
        const fr_idx p = v / MAX_NV, inside = v % MAX_NV;
        const int    panel = panel_vectors(H, MAX_NV, p),
                     nv = end - v < panel - inside ? (int)(end - v) : (int)(panel - inside);
        const int    np = nv < MAX_NV ? 1 : panel_group(panels_at_once(step->n, nv), H, MAX_NV, p, end / MAX_NV);
        const struct panels_out c = {to + v * VL, step->ld, MAX_NV * VL};
        multiply_transposed(&w, f->space.a, step->n, p, inside, np, nv, c);
        v += np * nv;
    }
}

/* The gradients of this stage's pre-activations in this thread's units, kept within +-clip; NaN stays. */
static void clip_gates(const struct backward_call *f, const struct stage *t, const struct back_step *step)
{
    const vec    most = splat((real)f->a->state_update.clip), least = -most;
    const fr_idx H = f->d->H;
    const int    end_x = t->x0 + t->Gx, end_h = t->h0 + t->Gh, end = end_x > end_h ? end_x : end_h;
    for (fr_idx i = 0; i < step->n; i++)
        for (int b = t->block; b < t->block + end; b++)
            for (fr_idx j = f->units.lo; j < f->units.hi; j += VL) {
                real     *at = step->gates[i] + b * H + j;
                const vec v = load_part(at, H - j);
                store_part(at, if_less(most, v, most, if_less(v, least, least, v)), H - j);
            }
}

static void zero_units(const struct backward_call *f, const struct back_step *step, real *to)
{
    for (fr_idx i = 0; i < step->n; i++)
        memset(to + i * step->ld + f->units.lo, 0, (size_t)(f->units.hi - f->units.lo) * sizeof(real));
}

/* to (dh or dq) += mask dm in this thread's units */
static void through_mask(const struct backward_call *f, const struct back_step *step, fr_idx lo, real *to)
{
    const fr_idx H = f->d->H;
    for (fr_idx i = 0; i < step->n; i++) {
        const real *mask = (const real *)f->a->state_update.mask + source_at(f->d, position(f->group, lo + i)) * H;
        for (fr_idx j = f->units.lo; j < f->units.hi; j += VL) {
            const fr_idx at = i * step->ld + j;
            store(to + at, vfma(load(step->dm + at), load_part(mask + j, H - j), load(to + at)));
        }
    }
}

static void step_back(const struct backward_call *f, fr_idx s, fr_idx lo, fr_idx hi)
{
    const struct range     all = {0, running(f->d, s, f->group, lo, hi)};
    const struct back_step step = back_rows(f, s, lo, all.hi);
    for (int k = stage_count(f->cell) - 1; k >= 0; k--) {
        const struct stage *t = &f->cell->stage[k];
        real *const         to = t->operand == H_PREV ? step.dh : step.dq;
        real *const         product = f->d->masked ? step.dm : to;
        t->backward(&step, all, f->units, f->d->H);
        if (f->a->state_update.clip > 0)
            clip_gates(f, t, &step);
        /* the product needs the gates of every unit */
        wait_for(&f->space.meet[f->rank / f->grid.cols], f->grid.cols, f->rank % f->grid.cols);
        if (to == step.dq)
            zero_units(f, &step, to);
        if (product != to)
            zero_units(f, &step, product);
        if (t->Gh)
            through_product(f, k, &step, product);
        if (product != to)
            through_mask(f, &step, lo, to);
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

static void backward_prepare(const void *job, struct grid grid)
{
    const struct backward_job *j = job;
    struct backward_space      shared;
    assert((uintptr_t)j->piece->workspace % 64 == 0 && regions_are_apart(j->d, FR_BACKWARD, grid, backward_region));
    backward_layout(j->d, grid, 0, j->piece->workspace, &shared);
    memset(shared.meet, 0, (size_t)(grid.rows + 1) * sizeof *shared.meet);
    memset(shared.zeros, 0, (size_t)j->d->H * sizeof(real));
    if (j->piece->s_hi == j->d->T && !j->a->gates_done) {
        const struct range all = {0, j->d->N};
        set_state_grad(j->d, all, j->a->dh_n, shared.dh);
        if (cells[j->d->cell].has_c)
            set_state_grad(j->d, all, j->a->dc_n, shared.dc);
    }
}

/* What the tape rows of a chunk, whose gates' gradients are complete, add to dx and the parameters' gradients. */
static void add_chunk(const struct backward_call *f, struct barrier *all, struct range chunk, fr_idx s_lo)
{
    const int team = f->grid.rows * f->grid.cols;
    const int wanted = f->a->dw_ih || f->a->dw_hh || f->a->db_ih || f->a->db_hh;
    for (fr_idx lo = chunk.lo; wanted && lo < chunk.hi; lo += GRAD_ROWS) {
        const struct range r = {lo, lo + GRAD_ROWS < chunk.hi ? lo + GRAD_ROWS : chunk.hi};
        pack_operands(f, r, s_lo);
        wait_for(all, team, f->rank);
        add_across(f, r);
        add_weights(f, r);
        add_biases(f, r);
        wait_for(all, team, f->rank); /* the panels are free again */
    }
    if (f->a->dx)
        add_inputs(f, chunk, s_lo);
}

static struct backward_call backward_call(const struct backward_job *job, struct grid grid, int rank)
{
    const fr_desc          *d = job->d;
    const fr_backward_args *a = job->a;
    const struct range      vectors = partition(panel_count(d->H, 1), rank % grid.cols, grid.cols);
    const struct fr_piece  *piece = job->piece;
    struct backward_call    f = {.d = d, .a = a, .piece = piece, .cell = &cells[d->cell], .grid = grid, .rank = rank};
    f.x = read_field(a->x, a->x_st, a->x_sn, piece->x_packed);
    f.y = read_field(a->y, a->y_st, a->y_sn, piece->y_packed);
    f.dx = (struct field){a->dx, a->dx_st, a->dx_sn, piece->dx_packed};
    f.dy = read_field(a->dy, a->dy_st, a->dy_sn, piece->dy_packed);
    f.fraction_h =
        read_field(a->state_update.fraction_h, a->state_update.fraction_h_st, a->state_update.fraction_h_sn, 0);
    f.fraction_c =
        read_field(a->state_update.fraction_c, a->state_update.fraction_c_st, a->state_update.fraction_c_sn, 0);
    pack_layout(d, FR_BACKWARD, (void *)a->pack, f.pack);
    backward_layout(d, grid, rank, piece->workspace, &f.space);
    f.group = row_group(d, rank / grid.cols, grid.rows);
    f.units = (struct range){vectors.lo * VL, vectors.hi * VL};
    return f;
}

static void backward_thread(const void *job, struct grid grid, int rank)
{
    struct backward_call    f = backward_call(job, grid, rank);
    const fr_desc          *d = f.d;
    const fr_backward_args *a = f.a;
    const fr_idx            begin = f.piece->s_lo;
    struct barrier         *all = &f.space.meet[grid.rows];
    for (fr_idx s_hi = f.piece->s_hi, s_lo; s_hi > begin; s_hi = s_lo) {
        s_lo = chunk_start(d, begin, s_hi);
        for (fr_idx s = s_hi - 1; s >= s_lo && !a->gates_done; s--)
            for (fr_idx lo = 0; lo < f.group.count; lo += ROW_BLOCK)
                step_back(&f, s, lo, lo + ROW_BLOCK < f.group.count ? lo + ROW_BLOCK : f.group.count);
        wait_for(all, f.grid.rows * f.grid.cols, rank);
        add_chunk(&f, all, (struct range){first_of(d, s_lo), first_of(d, s_hi)}, s_lo);
        /* The first thread continues alone, with its own memory. Whoever asks a barrier must be bound to meet there
         * before it changes again: of several groups, only the one for all does that. */
        if (f.grid.cols > 1 && crowded(f.grid.rows > 1 ? all : f.space.meet)) {
            if (rank)
                return;
            f.grid = (struct grid){1, 1};
            f.group = row_group(d, 0, 1);
            f.units = (struct range){0, round_up(d->H, VL)};
        }
    }
    if (begin == 0 && rank == 0 && !a->gates_done) {
        const struct range every = {0, d->N};
        get_state_grad(d, every, f.space.dh, a->dh_0);
        get_state_grad(d, every, f.space.dc, a->dc_0);
    }
}

static void backward(const fr_desc *d, const fr_backward_args *a, const struct fr_piece *piece)
{
    const struct backward_job job = {d, a, piece};
    run_team(plan(d, FR_BACKWARD, d->n_threads), d->n_threads, backward_prepare, backward_thread, &job);
}

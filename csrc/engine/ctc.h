/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ctc.h - connectionist temporal classification and its gradient, one row of the batch at a time.
 *
 *     loss = -log P,  dz = scale (softmax(z) - share)     share[k]: of P, through the states of class k; lattice.h
 *
 * A step of a row with 32 labels and 64 classes takes 0.2 us with AVX-512, 0.7 with vectors of 128 bits (AMD Zen 5): two
 * thirds of it are the lattice's, a third softmax's. */

/* The probabilities of the classes of the states at each step; dz becomes the exponentials of the logits. */
static void class_probabilities(const fr_ctc_args *a, const struct ctc_row *r)
{
    const fr_idx U = r->U, end = (U / DL + 1) * DL;
    for (fr_idx t = 0; t < r->T; t++) {
        const real       *z = r->z + t * a->z_st;
        const real        top = largest_logit(z, a->V);
        const double      total = exponentials(z, top, a->V, r->dz + t * a->dz_st);
        const struct line p = p_at(r, t);
        for (fr_idx u = 0; u < U; u++) /* behind them the blank */
            p.m[u] = (double)z[r->labels[u]] - (double)top;
        for (fr_idx u = U; u < end; u++)
            p.m[u] = (double)z[a->blank] - (double)top;
        for (fr_idx u = 0; u < end; u += DL) {
            struct scaled x = exp_scaled(dload(p.m + u));
            x.m /= total;
            put(p, u, x);
        }
        r->space.blank[2 * t] = p.m[U], r->space.blank[2 * t + 1] = p.e[U];
        for (fr_idx u = U; u < end; u++)
            put_one(p, u, 0, FAR);
        r->space.total[t] = total;
    }
}

/* dz = scale (softmax - share), of exponentials. A class may have several states. */
static void run_gradient(const fr_ctc_args *a, const struct ctc_row *r, struct scaled P, double scale)
{
    const fr_idx        W = r->space.width;
    const struct states beta = states_at(r->space.beta, W), next = states_at(r->space.next, W);
    clear(r->space.beta, 2, W);
    clear(r->space.next, 2, W);
    put_one(beta.blank, r->U, 1, 0);
    if (r->U)
        put_one(beta.label, r->U - 1, 1, 0);
    for (fr_idx t = r->T - 1; t >= 0; t--) {
        real *dz = r->dz + t * a->dz_st;
        finish_gradient(dz, a->V, (real)(scale / r->space.total[t]), 0, NULL);
        dz[a->blank] -= (real)(scale * run_shares(r, t, P, beta, next));
        for (fr_idx u = 0; u < r->U; u++)
            dz[r->labels[u]] -= (real)(scale * r->space.share[u]);
        run_beta(r, beta, next);
    }
}

static void fill_steps(const fr_ctc_args *a, const struct ctc_row *r, fr_idx lo, fr_idx hi, real value)
{
    for (fr_idx t = lo; t < hi; t++)
        for (fr_idx v = 0; v < a->V; v++)
            r->dz[t * a->dz_st + v] = value;
}

static void ctc_row(const fr_ctc_args *a, const struct ctc_space *space, fr_idx n)
{
    struct ctc_row r = {.T = a->steps[n], .U = a->counts[n], .labels = a->labels + n * a->S, .space = *space};
    r.z = (const real *)a->z + n * a->z_sn;
    r.dz = (real *)a->dz + n * a->dz_sn;
    r.jump = line_at(space->jump, space->width);
    clear(space->jump, 1, space->width);
    for (fr_idx u = 1; u < r.U; u++)
        if (r.labels[u] != r.labels[u - 1])
            put_one(r.jump, u, 1, 0);
    class_probabilities(a, &r);
    run_alpha(&r);
    const struct scaled P = all_paths(&r);
    const double        m = P.m[0];
    const int           forbidden = m == 0 && a->zero_infinity;
    a->losses[n] = forbidden ? 0 : m == 0 ? (double)INFINITY : -(log(m) + P.e[0] * 0.69314718055994530942);
    if (m > 0)
        run_gradient(a, &r, P, a->scale[n]);
    else /* log 0 has no derivative */
        fill_steps(a, &r, 0, r.T, forbidden ? 0 : (real)NAN);
    fill_steps(a, &r, r.T, a->T, 0);
}

/* Rows differ in their lengths, so threads take them as they come to them. */
struct ctc_job {
    const fr_ctc_args *a;
    _Atomic fr_idx    *next;
};

static void ctc_prepare(const void *job, struct grid grid) { (void)job, (void)grid; }

static void ctc_thread(const void *job, struct grid grid, int rank)
{
    const struct ctc_job *j = job;
    struct ctc_space      space;
    (void)grid;
    ctc_layout(j->a, (char *)j->a->workspace + (size_t)rank * ctc_layout(j->a, NULL, &space), &space);
    for (;;) {
        const fr_idx n = atomic_fetch_add_explicit(j->next, 1, memory_order_relaxed);
        if (n >= j->a->hi)
            return;
        ctc_row(j->a, &space, n);
    }
}

static void ctc(const fr_ctc_args *a)
{
    _Atomic fr_idx       next = a->lo;
    const struct ctc_job job = {a, &next};
    const fr_idx         rows = a->hi - a->lo, most = rows < a->n_threads ? rows : a->n_threads;
    const double         work = (double)rows * (double)a->T * (double)(a->V + STATE_LOGITS * (2 * a->S + 1));
    const struct grid    grid = {1, team_for(work / SOFTMAX_SHARE, (int)(most < 1 ? 1 : most))};
    run_team(grid, a->n_threads, ctc_prepare, ctc_thread, &job);
}

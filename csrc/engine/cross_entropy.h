/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cross_entropy.h - the cross-entropy of softmax and its gradient, while a row of logits is in the cache.
 *
 * With the numbers of fr_cross_entropy_args, p = softmax(z) and Q = sum of q, for each row that counts
 *
 *     loss = -sum_k q[k] log p[k] = Q log(total) - sum_k q[k] (z[k] - top)      terms with q[k] = 0 are 0
 *     dz   = scale (Q p - q)
 *
 * dz may be z: all that a target takes of its logits is summed before the exponentials replace them.
 *
 * A row reads z from memory once and writes dz once; between them, e and dz are in L1 or L2. In NumPy the same takes
 * seven passes over memory and 4.1 to 5.1 times as long as one thread here, at 10,000 and 30,000 classes (AMD Zen 5,
 * `make bench-kernels`). */

/* What the target of a row makes of its logits. */
struct target_sums {
    double Q, q_dot_z; /* the sum of q, and of q[k] (z[k] - top) */
};

static struct target_sums target_sums(const real *z, real top, fr_idx V, fr_idx target, double peak, const real *spread)
{
    struct target_sums sums = {peak, peak > 0 ? peak * (double)(real)(z[target] - top) : 0};
    struct wide        Q = {0}, q_dot_z = {0};
    if (!spread)
        return sums;
    for (fr_idx i = 0; i < V; i += VL) {
        const vec q = load_part(spread + i, V - i), zero = {0};
        add_wide(&Q, q);
        add_wide(&q_dot_z, if_less(zero, q, q * (load_part(z + i, V - i) - top), zero));
    }
    sums.Q += sum_of(&Q);
    sums.q_dot_z += sum_of(&q_dot_z);
    return sums;
}

/* dz holds the exponentials; it becomes factor e - scale q. */
static void finish_gradient(real *dz, fr_idx V, real factor, real scale, const real *spread)
{
    for (fr_idx i = 0; i < V; i += VL) {
        vec v = load_part(dz + i, V - i) * factor;
        if (spread)
            v -= load_part(spread + i, V - i) * scale;
        store_part(dz + i, v, V - i);
    }
}

static void cross_entropy_row(const fr_cross_entropy_args *a, fr_idx row)
{
    const fr_idx V = a->V, target = a->target[row];
    const real  *z = (const real *)a->z + row * V;
    real        *dz = (real *)a->dz + row * V;
    if (target < 0) {
        memset(dz, 0, (size_t)V * sizeof(real));
        a->losses[row] = 0;
        return;
    }
    const real              *spread = a->spread ? (const real *)a->spread + row * a->spread_s : NULL;
    const double             peak = a->peak[row], scale = a->scale[row];
    const real               top = largest_logit(z, V);
    const struct target_sums sums = target_sums(z, top, V, target, peak, spread);
    const double             total = exponentials(z, top, V, dz);
    a->losses[row] = sums.Q * log(total) - sums.q_dot_z;
    finish_gradient(dz, V, (real)(scale * sums.Q / total), (real)scale, spread);
    dz[target] -= (real)(scale * peak);
}

/* Rows that do not count take no time, and may lie together, so threads take rows as they come to them. */
struct cross_entropy_job {
    const fr_cross_entropy_args *a;
    fr_idx                       taken; /* rows at a time */
    _Atomic fr_idx              *next;
};

static void cross_entropy_prepare(const void *job, struct grid grid) { (void)job, (void)grid; }

static void cross_entropy_thread(const void *job, struct grid grid, int rank)
{
    const struct cross_entropy_job *j = job;
    const fr_idx                    end = j->a->hi;
    (void)grid, (void)rank;
    for (;;) {
        const fr_idx lo = atomic_fetch_add_explicit(j->next, j->taken, memory_order_relaxed);
        if (lo >= end)
            return;
        for (fr_idx row = lo; row < lo + j->taken && row < end; row++)
            cross_entropy_row(j->a, row);
    }
}

static void cross_entropy(const fr_cross_entropy_args *a)
{
    _Atomic fr_idx                 next = a->lo;
    const struct cross_entropy_job job = {a, 1 + SOFTMAX_TAKEN / a->V, &next};
    const double                   logits = (double)(a->hi - a->lo) * (double)a->V;
    const struct grid              grid = {1, team_for(logits / SOFTMAX_SHARE, a->n_threads)};
    run_team(grid, a->n_threads, cross_entropy_prepare, cross_entropy_thread, &job);
}

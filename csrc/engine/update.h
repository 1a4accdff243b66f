/* SPDX-License-Identifier: BSD-3-Clause
 *
 * update.h - one step of an optimizer: all parameters in one call, each with its moments in one pass over memory.
 *
 * For every element, with the numbers of fr_update_args, first weight decay and a direction u by the rule
 *
 *     g = g + decay p,  p = keep p
 *
 *     plain               u = g
 *     adagrad             s = s + g^2                                      u = g / (sqrt(s) + eps)
 *     rmsprop             s = beta2 s + (1 - beta2) g^2                    u = g / (sqrt(s) + eps)
 *     rmsprop centered    s as there, m = beta1 m + (1 - beta1) g          u = g / (sqrt(max(s - m^2, 0)) + eps)
 *     adam                s and m as there                                 u = m / (sqrt(s) / root + eps)
 *
 * then, if there is a velocity, v = momentum v + u and u = v, or with nesterov u = momentum v + u; and p = p - rate u.
 *
 * A call divides the vectors of all parameters of one number type among the threads of its first.
 *
 * Adam reads and writes seven arrays for some fifteen operations, so memory bounds it. The same lines in NumPy give the
 * same bits (tests/test_update.py) in ten passes over memory, and take 3.5 to 4.3 times as long as one thread does
 * here, 4.3 to 5.7 times as long as two (4,096 to 4,194,304 elements of float32, `make bench-kernels`). */
struct moments {
    vec m, s;
};

struct numbers { /* of fr_update_args, in the type of the engine, as NumPy rounds them */
    vec rate, keep, decay, beta1, beta2, rest1, rest2, root, eps, momentum;
};

INLINE vec plain(struct moments *at, vec g, const struct numbers *k)
{
    (void)at, (void)k;
    return g;
}

INLINE vec adagrad(struct moments *at, vec g, const struct numbers *k)
{
    at->s += g * g;
    return g / (vsqrt(at->s) + k->eps);
}

INLINE vec mean_of_squares(struct moments *at, vec g, const struct numbers *k)
{
    at->s = at->s * k->beta2 + g * g * k->rest2;
    return at->s;
}

INLINE vec mean(struct moments *at, vec g, const struct numbers *k)
{
    at->m = at->m * k->beta1 + g * k->rest1;
    return at->m;
}

INLINE vec rmsprop(struct moments *at, vec g, const struct numbers *k)
{
    return g / (vsqrt(mean_of_squares(at, g, k)) + k->eps);
}

INLINE vec rmsprop_centered(struct moments *at, vec g, const struct numbers *k)
{
    const vec s = mean_of_squares(at, g, k), m = mean(at, g, k);
    return g / (vsqrt(relu(s - m * m)) + k->eps); /* rounding may make a variance negative */
}

INLINE vec adam(struct moments *at, vec g, const struct numbers *k)
{
    const vec s = mean_of_squares(at, g, k);
    return mean(at, g, k) / (vsqrt(s) / k->root + k->eps);
}

/* Elements at..at+VL of everything, of which n exist. `rule`, `has_m` and `has_s` are constants after inlining. */
INLINE void update_vector(vec (*rule)(struct moments *, vec, const struct numbers *), int has_m, int has_s,
                          const fr_update_args *a, const struct numbers *k, fr_idx at, fr_idx n)
{
    const vec      p = load_part((real *)a->p + at, n), g = load_part((const real *)a->g + at, n) + p * k->decay;
    struct moments moments = {has_m ? load_part((real *)a->m + at, n) : g, has_s ? load_part((real *)a->s + at, n) : g};
    vec            u = rule(&moments, g, k);
    if (has_m)
        store_part((real *)a->m + at, moments.m, n);
    if (has_s)
        store_part((real *)a->s + at, moments.s, n);
    if (a->v) {
        const vec v = load_part((real *)a->v + at, n) * k->momentum + u;
        u = a->nesterov ? v * k->momentum + u : v;
        store_part((real *)a->v + at, v, n);
    }
    store_part((real *)a->p + at, p * k->keep - u * k->rate, n);
}

#define UPDATE(name, has_m, has_s)                                                                                     \
    static void update_##name(const fr_update_args *a, const struct numbers *k, struct range vectors)                  \
    {                                                                                                                  \
        for (fr_idx i = vectors.lo * VL; i < vectors.hi * VL; i += VL)                                                 \
            update_vector(name, has_m, has_s, a, k, i, a->n - i);                                                      \
    }
UPDATE(plain, 0, 0)
UPDATE(adagrad, 0, 1)
UPDATE(rmsprop, 0, 1)
UPDATE(rmsprop_centered, 1, 1)
UPDATE(adam, 1, 1)

static void (*const rules[FR_N_RULES])(const fr_update_args *, const struct numbers *, struct range) = {
    [FR_PLAIN] = update_plain,     [FR_ADAGRAD] = update_adagrad,
    [FR_RMSPROP] = update_rmsprop, [FR_RMSPROP_CENTERED] = update_rmsprop_centered,
    [FR_ADAM] = update_adam,
};

struct updates { /* what a team does: the vectors of all parameters, one after another */
    fr_idx                count;
    const fr_update_args *args;
};

INLINE fr_idx update_vectors(const fr_update_args *a) { return (a->n + VL - 1) / VL; }

static struct numbers update_numbers(const fr_update_args *a)
{
    return (struct numbers){
        .rate = splat((real)a->rate),
        .keep = splat((real)a->keep),
        .decay = splat((real)a->decay),
        .beta1 = splat((real)a->beta1),
        .beta2 = splat((real)a->beta2),
        .rest1 = splat((real)(1 - a->beta1)),
        .rest2 = splat((real)(1 - a->beta2)),
        .root = splat((real)a->root),
        .eps = splat((real)a->eps),
        .momentum = splat((real)a->momentum),
    };
}

static void update_prepare(const void *job, struct grid grid) { (void)job, (void)grid; }

static void update_thread(const void *job, struct grid grid, int rank)
{
    const struct updates *all = job;
    fr_idx                total = 0, start = 0;
    for (fr_idx i = 0; i < all->count; i++)
        total += update_vectors(all->args + i);
    const struct range own = partition(total, rank, grid.cols);
    for (fr_idx i = 0; i < all->count && start < own.hi; i++) {
        const fr_update_args *a = all->args + i;
        const fr_idx          vectors = update_vectors(a), lo = own.lo - start, hi = own.hi - start;
        const struct range    part = {lo > 0 ? lo : 0, hi < vectors ? hi : vectors};
        if (part.lo < part.hi) {
            const struct numbers k = update_numbers(a);
            rules[a->rule](a, &k, part);
        }
        start += vectors;
    }
}

static void update(fr_idx count, const fr_update_args *args)
{
    const struct updates all = {count, args};
    double               elements = 0;
    for (fr_idx i = 0; i < count; i++)
        elements += (double)args[i].n;
    const struct grid grid = {1, team_for(elements / UPDATE_SHARE, args->n_threads)};
    run_team(grid, args->n_threads, update_prepare, update_thread, &all);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plan.h - how a call is divided: among threads, with the memory of each, and into pieces of time. */
struct planned {
    struct grid grid;
    double      seconds;
};

/* The smallest number of parts of n, above `parts`, whose largest is smaller. */
INLINE fr_idx fewest_parts(fr_idx n, fr_idx parts)
{
    const fr_idx largest = ceil_div(n, parts);
    return largest > 1 ? ceil_div(n, largest - 1) : n + 1;
}

/* Is `a`, on so many threads, better than `b`? Twice the threads have to be 2^(1/4), a fifth, faster: cores that bring
 * less are left to others. */
INLINE int pays(double a, int a_threads, double b, int b_threads)
{
    return a * a * a * a * a_threads < b * b * b * b * b_threads;
}

/* The grid of at most n_threads that is best by the model (cost.h). Every grid gives the same bits; this one is about
 * time. The grids of fewer threads are among those of more, and one of more threads is chosen for less time only: so the
 * time never rises with the number of threads asked for.
 *
 * More rows or columns are tried only where the largest share of a thread becomes smaller, and none where joining alone
 * takes longer than the best so far: a call too small for a second thread costs one evaluation. */
static struct planned plan_on(const fr_desc *d, fr_pass pass, int n_threads, const fr_caches *caches)
{
    double (*const seconds)(const struct model *, struct grid) =
        pass == FR_FORWARD ? forward_seconds : backward_seconds;
    const struct cell *cell = &cells[d->cell];
    struct planned     best = {{1, 1}, 0};
    if (d->T == 0 || d->N == 0 || first_of(d, d->T) == 0)
        return best;
    const double weights =
        gate_count(cell) * (double)d->H * ((cell->stage[0].Gh ? recurrent_columns(d) : 0) + (double)d->I);
    const struct model m = {d, cell, caches, (double)first_of(d, d->T) / (double)d->T, weights * sizeof(real)};
    const fr_idx       units = panel_count(d->H, pass == FR_FORWARD ? cell->stage[0].ub : 1);
    const fr_idx       most = n_threads < FR_MAX_THREADS ? n_threads : FR_MAX_THREADS;
    best.seconds = seconds(&m, best.grid);
    for (fr_idx rows = 1; rows <= most && rows <= d->N; rows = fewest_parts(d->N, rows))
        for (fr_idx cols = rows > 1 ? 1 : fewest_parts(units, 1); rows * cols <= most && cols <= units;
             cols = fewest_parts(units, cols)) {
            const struct grid grid = {(int)rows, (int)cols};
            const int         threads = grid.rows * grid.cols;
            if (join_seconds(threads) >= best.seconds)
                break;
            const double time = seconds(&m, grid);
            if (pays(time, threads, best.seconds, best.grid.rows * best.grid.cols))
                best = (struct planned){grid, time};
        }
    return best;
}

/* Of this machine; small ones where small calls are to take every way. */
static fr_caches own_caches(void)
{
#if defined FR_SMALL_LIMITS
    return (fr_caches){1 << 11, 1 << 14, 1 << 17};
#else
    return fr_machine_caches();
#endif
}

static struct grid plan(const fr_desc *d, fr_pass pass, int n_threads)
{
    const fr_caches caches = own_caches();
    return n_threads == 1 ? (struct grid){1, 1} : plan_on(d, pass, n_threads, &caches).grid;
}

/* The part of a workspace that one thread has for itself, in bytes from the beginning. A pass lays out what all threads
 * share and then, one after another, the regions of threads 0 to rank: none of these offsets is counted by hand. */
struct region {
    size_t lo, hi;
};
typedef struct region region_fn(const fr_desc *d, struct grid grid, int rank);

/* Bytes for either grid that a call may run on: the plan's, or one thread if the runtime grants fewer (run_team). */
static size_t region_bytes(const fr_desc *d, fr_pass pass, region_fn *region_of)
{
    const struct grid grid = plan(d, pass, d->n_threads), one = {1, 1};
    const int         threads = grid.rows * grid.cols;
    const size_t      alone = region_of(d, one, 0).hi, all = threads > 1 ? region_of(d, grid, threads - 1).hi : 0;
    return all > alone ? all : alone;
}

/* For asserts: does each thread have whole cache lines of its own, inside the workspace whose size was reported? */
INLINE int regions_are_apart(const fr_desc *d, fr_pass pass, struct grid grid, region_fn *region_of)
{
    size_t end = 0;
    for (int rank = 0; rank < grid.rows * grid.cols; rank++) {
        const struct region own = region_of(d, grid, rank);
        if (own.lo < end || own.lo % 64 || own.hi < own.lo)
            return 0;
        end = own.hi;
    }
    return end <= region_bytes(d, pass, region_of);
}

/* Steps of a piece, between two checks for Ctrl-C. */
static fr_idx piece_steps(const fr_desc *d, fr_pass pass)
{
    const int    products = pass == FR_FORWARD ? 1 : 2; /* with the weights */
    const double step = products * 2.0 * gate_count(&cells[d->cell]) * (double)d->N * (double)d->H *
                        (recurrent_columns(d) + (double)d->I);
    return d->N ? (fr_idx)(PIECE_FLOP / (step + STEP_FLOP)) + 1 : d->T + 1;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plan.h - how a call is divided: among threads, with the memory of each, and into pieces of time. */
/* How to divide a call among at most `n_threads`. Every division gives the same bits; this one is about time.
 *
 * Splitting rows needs no barrier, but every thread reads all of W_hh at every step: good while that fits a core's own
 * L2, or with enough rows to use each weight often. Splitting units among two halves what a core reads, at one barrier
 * per step: good when a step is longer than that. */
static struct grid plan(const fr_desc *d, int n_threads)
{
    const struct cell *cell = &cells[d->cell];
    const double       rows = d->T ? (double)first_of(d, d->T) / (double)d->T : 0; /* in a mean step */
    const double       step = rows * 2.0 * gate_count(cell) * (double)d->H * (double)d->H;
    const double       total = 2.0 * gate_count(cell) * (double)d->H * (double)(d->H + d->I) * rows * (double)d->T;
    const fr_idx       panels = d->H / (2 * VL);
    const int          threads = team_for(2 * total / SERIAL_FLOP, n_threads);
    if (threads == 1)
        return (struct grid){1, 1};
    if (!cell->stage[0].Gh)
        return (struct grid){d->N < threads ? (int)d->N : threads, 1};
    const int fits = (double)gate_count(cell) * (double)d->H * (double)d->H * sizeof(real) <= L2_BYTES;
    const int split_rows = rows >= (fits ? 4 : 64) * threads;
    if (!split_rows && panels >= threads && step / threads >= BARRIER_FLOP)
        return (struct grid){1, threads};
    if (rows >= 2)
        return (struct grid){d->N < threads ? (int)d->N : threads, 1};
    return (struct grid){1, 1};
}

/* The part of a workspace that one thread has for itself, in bytes from the beginning. A pass lays out what all threads
 * share and then, one after another, the regions of threads 0 to rank: none of these offsets is counted by hand. */
struct region {
    size_t lo, hi;
};
typedef struct region region_fn(const fr_desc *d, struct grid grid, int rank);

/* Bytes for either grid that a call may run on: the plan's, or one thread if the runtime grants fewer (run_team). */
static size_t region_bytes(const fr_desc *d, region_fn *region_of)
{
    const struct grid grid = plan(d, d->n_threads), one = {1, 1};
    const int         threads = grid.rows * grid.cols;
    const size_t      alone = region_of(d, one, 0).hi, all = threads > 1 ? region_of(d, grid, threads - 1).hi : 0;
    return all > alone ? all : alone;
}

/* For asserts: does each thread have whole cache lines of its own, inside the workspace whose size was reported? */
INLINE int regions_are_apart(const fr_desc *d, struct grid grid, region_fn *region_of)
{
    size_t end = 0;
    for (int rank = 0; rank < grid.rows * grid.cols; rank++) {
        const struct region own = region_of(d, grid, rank);
        if (own.lo < end || own.lo % 64 || own.hi < own.lo)
            return 0;
        end = own.hi;
    }
    return end <= region_bytes(d, region_of);
}

/* Steps of a piece, between two checks for Ctrl-C. */
static fr_idx piece_steps(const fr_desc *d, fr_pass pass)
{
    const int    products = pass == FR_FORWARD ? 1 : 2; /* with the weights */
    const double step =
        products * 2.0 * gate_count(&cells[d->cell]) * (double)d->N * (double)d->H * (double)(d->H + d->I);
    return d->N ? (fr_idx)(PIECE_FLOP / (step + STEP_FLOP)) + 1 : d->T + 1;
}

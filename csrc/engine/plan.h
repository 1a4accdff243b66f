/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plan.h - how a call is divided: among threads, and into pieces of time. */
/* How to divide a call among at most `threads`. Every division gives the same bits; this one is about time.
 *
 * Splitting rows needs no barrier, but every thread reads all of W_hh at every step: good while that fits a core's own
 * L2, or with enough rows to use each weight often. Splitting units among two halves what a core reads, at one barrier
 * per step: good when a step is longer than that. */
static struct grid plan(const fr_desc *d, int threads)
{
    const struct cell *cell = &cells[d->cell];
    const double       rows = d->T ? (double)first_of(d, d->T) / (double)d->T : 0; /* in a mean step */
    const double       step = rows * 2.0 * gate_count(cell) * (double)d->H * (double)d->H;
    const double       total = 2.0 * gate_count(cell) * (double)d->H * (double)(d->H + d->I) * rows * (double)d->T;
    const fr_idx       panels = d->H / (2 * VL);
    if (threads == 1 || total < SERIAL_FLOP)
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

/* Steps of a piece, between two checks for Ctrl-C. */
static fr_idx piece_steps(const fr_desc *d, int passes) /* products with the weights: 1 forward, 2 backward */
{
    const double step =
        passes * 2.0 * gate_count(&cells[d->cell]) * (double)d->N * (double)d->H * (double)(d->H + d->I);
    return d->N ? (fr_idx)(PIECE_FLOP / (step + STEP_FLOP)) + 1 : d->T + 1;
}

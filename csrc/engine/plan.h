/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plan.h - how a call is divided: among threads, and into pieces of time. */
/* How to divide a call among at most `threads`. Every division gives the same bits; this one is about time.
 *
 * Splitting rows needs no barrier, but every thread reads all of W_hh at every step: good while that fits a core's own
 * L2, or with enough rows to use each weight often. Splitting units among two halves what a core reads, at one barrier
 * per step (about 0.2 us): good when a step is longer than that. Below SERIAL_FLOP, waking a team costs more than the
 * work. */
enum { SERIAL_FLOP = 2000000, BARRIER_FLOP = 60000, L2_BYTES = 1 << 20 };

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

/* Steps of a piece. The caller checks for Ctrl-C between pieces, so one should take a tenth of a second on the slowest
 * machine that runs this engine, at some 2.5e9 operations a second for each element of a vector; and not much less,
 * because starting a team costs time where cores are shared with other processes. Besides its products a step takes as
 * long as STEP_FLOP operations. */
#define PIECE_FLOP (2.5e8 * VL)
#define STEP_FLOP 1500.0

static fr_idx piece_steps(const fr_desc *d, int passes) /* products with the weights: 1 forward, 2 backward */
{
    const double step =
        passes * 2.0 * gate_count(&cells[d->cell]) * (double)d->N * (double)d->H * (double)(d->H + d->I);
    return d->N ? (fr_idx)(PIECE_FLOP / (step + STEP_FLOP)) + 1 : d->T + 1;
}

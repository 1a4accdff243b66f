/* SPDX-License-Identifier: BSD-3-Clause
 *
 * rows.h - which rows run at a step, where they lie, and how threads divide them.
 *
 * A batch row runs for as many steps as it is long. The description lists the rows longest first, so those that run at a
 * step are the first ones, and the tape is compact: step s holds tape rows first[s] .. first[s+1]-1, nothing for a row that
 * has ended. Position i is a row's place in that order. */
INLINE fr_idx row_at(const fr_desc *d, fr_idx i) { return d->rows ? d->rows[i] : i; }

INLINE fr_idx length_at(const fr_desc *d, fr_idx i) { return d->rows ? d->lengths[i] : d->T; }

INLINE fr_idx first_of(const fr_desc *d, fr_idx s) { return d->rows ? d->first[s] : s * d->N; }

/* The time that position i reads at step s. */
INLINE fr_idx time_at(const fr_desc *d, fr_idx s, fr_idx i) { return d->reverse ? length_at(d, i) - 1 - s : s; }

/* The positions of one row group: base, base + stride, ... Ragged rows are dealt out like cards, so that every group has
 * nearly as much to do at every step; full ones stay neighbours, which keeps what a thread writes together. */
struct group {
    fr_idx base, stride, count;
};

INLINE struct group row_group(const fr_desc *d, fr_idx part, fr_idx parts)
{
    const struct range r = partition(d->N, part, parts);
    if (!d->rows)
        return (struct group){r.lo, 1, r.hi - r.lo};
    return (struct group){part, parts, (d->N - part + parts - 1) / parts};
}

INLINE fr_idx position(struct group g, fr_idx j) { return g.base + j * g.stride; }

/* How many of the group's positions lo..hi-1 run at step s: the first so many. */
INLINE fr_idx running(const fr_desc *d, fr_idx s, struct group g, fr_idx lo, fr_idx hi)
{
    const fr_idx all = first_of(d, s + 1) - first_of(d, s);
    const fr_idx n = all <= g.base ? 0 : (all - g.base + g.stride - 1) / g.stride;
    return n < lo ? 0 : n < hi ? n - lo : hi - lo;
}

/* An array by time and row, as the caller laid it out. */
struct field {
    real  *at;
    fr_idx st, sn;
};

INLINE real *field_row(const fr_desc *d, struct field f, fr_idx s, fr_idx i)
{
    return f.at + time_at(d, s, i) * f.st + row_at(d, i) * f.sn;
}

/* The same of an array that is only read. */
INLINE struct field read_field(const void *at, fr_idx st, fr_idx sn) { return (struct field){(real *)at, st, sn}; }

/* The state before step s: the output of the step before, or the initial state. */
INLINE const real *state_before(const fr_desc *d, struct field y, const real *h_0, const real *zeros, fr_idx s,
                                fr_idx i)
{
    if (s)
        return field_row(d, y, s - 1, i);
    return h_0 ? h_0 + row_at(d, i) * d->H : zeros;
}

/* to = from times the mask (N, H) of position i */
INLINE const real *masked_row(const fr_desc *d, const real *mask, fr_idx i, const real *from, real *to)
{
    mask += row_at(d, i) * d->H;
    for (fr_idx j = 0; j < d->H; j++)
        to[j] = from[j] * mask[j];
    return to;
}

/* How to divide a call among at most `threads`. Any answer gives the same bits; this one is about time.
 *
 * Rows need no waiting, but every thread reads all of W_hh at every step: good while that fits a core's own L2, or when there
 * are rows enough to use each weight often. Units halve what a core reads, at one barrier per step (about 0.2 us): good when
 * a step is longer than that. Below SERIAL_FLOP, waking a team costs more than the work. */
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

/* Steps of a piece: the caller looks at Ctrl-C between pieces, so that one should take a tenth of a second on the slowest
 * machine that runs this engine, some 2.5e9 operations a second and element of a vector; and not much less, because threads
 * that come and go cost time when they must share a core with other processes. A step costs STEP_FLOP besides its products,
 * as many operations as take that time. */
#define PIECE_FLOP (2.5e8 * VL)
#define STEP_FLOP 1500.0

static fr_idx piece_steps(const fr_desc *d, int passes) /* products with the weights: 1 forward, 2 backward */
{
    const double step =
        passes * 2.0 * gate_count(&cells[d->cell]) * (double)d->N * (double)d->H * (double)(d->H + d->I);
    return d->N ? (fr_idx)(PIECE_FLOP / (step + STEP_FLOP)) + 1 : d->T + 1;
}

/* Cuts a caller's workspace into pieces of whole cache lines; without a base it only measures. */
struct arena {
    char  *base;
    size_t used;
};

INLINE void *reserve(struct arena *arena, fr_idx count, size_t size)
{
    void *p = arena->base ? arena->base + arena->used : NULL;
    arena->used += ((size_t)count * size + 63) / 64 * 64;
    return p;
}

/* A thread's own part of a workspace, in bytes from its beginning. The regions follow what the threads share, one after
 * another: a pass lays out what they share, and then the region of every thread up to the one it wants. */
struct region {
    size_t lo, hi;
};
typedef struct region region_fn(const fr_desc *d, struct grid grid, int rank);

/* Bytes for whichever grid a call gets: the plan's, or one thread where the runtime gives fewer (run_team). */
static size_t region_bytes(const fr_desc *d, region_fn *region_of)
{
    const struct grid grid = plan(d, d->n_threads), one = {1, 1};
    const size_t      all = region_of(d, grid, grid.rows * grid.cols - 1).hi, alone = region_of(d, one, 0).hi;
    return all > alone ? all : alone;
}

/* For asserts: are the threads' regions whole cache lines of their own, inside the workspace that was asked for? */
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

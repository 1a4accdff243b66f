/* SPDX-License-Identifier: BSD-3-Clause
 *
 * arena.h - a caller's workspace, cut into pieces of whole cache lines. Without a base an arena only measures. */
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

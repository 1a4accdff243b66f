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

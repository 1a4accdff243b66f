/* SPDX-License-Identifier: BSD-3-Clause
 *
 * arena.h - a caller's memory, cut into pieces of whole cache lines. Without a base an arena only measures. */
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

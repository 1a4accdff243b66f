/* SPDX-License-Identifier: BSD-3-Clause
 *
 * forward_call.h - what the threads of a forward call work with: its arguments, its memory, and what each owns. */
struct forward_space {
    struct barrier *meet;       /* one for each row group */
    real           *zeros;      /* (H): the state of rows that have no initial one */
    real           *bias[2];    /* of each stage, as packed, where weights are not */
    fr_idx          block;      /* rows of a block, at most */
    real           *scratch;    /* (row groups, block, S, H): blocks between the stages where there is no tape */
    real           *tiles;      /* this thread's */
    fr_idx          chunk_rows; /* rows of a chunk, at most */
    const real    **x;          /* (chunk_rows) */
    struct step     step;       /* arrays of ROW_BLOCK */
    const real    **operand;
    real           *masked; /* (block, H): what a product reads, through the mask */
    real           *h_t;    /* (block, H) in blocks of VL rows, transposed: what a sparse product reads */
    real           *panels; /* of weights that the next product reads, where weights are not packed */
};

/* Does each group of rows read every weight once? Then weights need not be packed before a call (products.h). */
INLINE int reads_once(const fr_desc *d) { return d->T <= 1 && d->N <= ROW_BLOCK && !d->nonzeros; }

enum { PRODUCT_VECTORS = 2 * MAX_NV }; /* in panels that go together through a product, at most: see panels_at_once */

INLINE struct range own_panels(const fr_desc *d, const struct stage *t, struct grid grid, int rank)
{
    return partition(panel_count(d->H, t->ub), grid.cols == 1 ? 0 : rank % grid.cols, grid.cols);
}

/* What one thread has for itself; out->block and out->chunk_rows are known. */
static void forward_rank_layout(const fr_desc *d, fr_idx width, struct arena *a, struct forward_space *out)
{
    const fr_idx block = out->block;
    out->tiles = reserve(a, out->chunk_rows * width, sizeof(real));
    out->x = reserve(a, out->chunk_rows, sizeof *out->x);
    out->step.h_prev = reserve(a, block, sizeof(real *));
    out->step.c_prev = reserve(a, block, sizeof(real *));
    out->step.h = reserve(a, block, sizeof(real *));
    out->step.c = reserve(a, block, sizeof(real *));
    out->step.gates = reserve(a, block, sizeof(real *));
    out->step.fraction_h = reserve(a, block, sizeof(real *));
    out->step.fraction_c = reserve(a, block, sizeof(real *));
    out->operand = reserve(a, block, sizeof(real *));
    out->masked = reserve(a, d->masked ? block * d->H : 0, sizeof(real));
    out->h_t = reserve(a, d->nonzeros ? transposed_numbers(block, d->H) : 0, sizeof(real));
    out->panels = reserve(a, reads_once(d) ? PRODUCT_VECTORS * VL * (d->I > d->H ? d->I : d->H) : 0, sizeof(real));
}

/* What all threads share. */
static struct arena forward_shared_layout(const fr_desc *d, struct grid grid, char *base, struct forward_space *out)
{
    const struct cell *cell = &cells[d->cell];
    const fr_idx       block = block_rows(d, grid);
    struct arena       a = {base, 0};
    out->block = block;
    out->meet = reserve(&a, grid.rows, sizeof *out->meet);
    out->zeros = reserve(&a, d->H, sizeof(real));
    for (int k = 0; k < stage_count(cell); k++)
        out->bias[k] = reserve(&a, reads_once(d) ? cell->stage[k].S * round_up(d->H, VL) : 0, sizeof(real));
    out->scratch = reserve(&a, stage_count(cell) > 1 ? grid.rows * block * block_count(cell) * d->H : 0, sizeof(real));
    return a;
}

/* The workspace of thread `rank`: what all share, and its region. */
static struct region forward_layout(const fr_desc *d, struct grid grid, int rank, char *base, struct forward_space *out)
{
    struct arena  a = forward_shared_layout(d, grid, base, out);
    struct region own = {0};
    out->chunk_rows = chunk_rows(d, grid);
    for (int r = 0; r <= rank; r++) {
        own.lo = a.used;
        forward_rank_layout(d, tile_width(d, grid), &a, out);
        own.hi = a.used;
    }
    return own;
}

static struct region forward_region(const fr_desc *d, struct grid grid, int rank)
{
    struct forward_space none;
    return forward_layout(d, grid, rank, NULL, &none);
}

struct forward_call {
    const fr_desc         *d;
    const fr_forward_args *a;
    const struct fr_piece *piece;
    const struct cell     *cell;
    struct stage_pack      pack[2];
    struct forward_space   space;
    struct grid            grid;
    int                    rank;
    struct group           group; /* this thread's */
    struct field           x, y, fraction_h, fraction_c;
};

struct forward_job {
    const fr_desc         *d;
    const fr_forward_args *a;
    const struct fr_piece *piece;
};

/* from NULL is zero */
INLINE void copy_row(real *to, const real *from, fr_idx n)
{
    if (!from)
        memset(to, 0, (size_t)n * sizeof(real));
    else if (to != from)
        memcpy(to, from, (size_t)n * sizeof(real));
}

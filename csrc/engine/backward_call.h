/* SPDX-License-Identifier: BSD-3-Clause
 *
 * backward_call.h - what the threads of a backward call work with: its arguments, its memory, and what each owns. */
struct backward_space {
    struct barrier  *meet;              /* one for each row group, and one for all */
    real            *zeros;             /* (H) */
    real            *dh, *dc, *dq, *dm; /* (N, Hv): by position */
    real            *x, *h[2]; /* (panel, GRAD_ROWS, MAX_NV VL): x and each stage's operand, as B of dW and dU */
    struct back_step step;     /* arrays of ROW_BLOCK, this thread's */
    const real     **a;        /* (ROW_BLOCK) rows of A */
    real            *a_t;      /* (DX_ROWS, GRAD_ROWS): a piece of dgates, as A^T in tiles */
    real            *tile;     /* (DX_ROWS, MAX_NV VL) */
    real            *masked;   /* (Hv): an operand through the mask */
};

/* What one thread has for itself. */
static void backward_rank_layout(const fr_desc *d, struct arena *a, struct backward_space *out)
{
    out->a_t = reserve(a, GRAD_ROWS * DX_ROWS, sizeof(real));
    out->tile = reserve(a, DX_ROWS * MAX_NV * VL, sizeof(real));
    out->step.h_prev = reserve(a, ROW_BLOCK, sizeof(real *));
    out->step.c_prev = reserve(a, ROW_BLOCK, sizeof(real *));
    out->step.dy = reserve(a, ROW_BLOCK, sizeof(real *));
    out->step.gates = reserve(a, ROW_BLOCK, sizeof(real *));
    out->step.fraction_h = reserve(a, ROW_BLOCK, sizeof(real *));
    out->step.fraction_c = reserve(a, ROW_BLOCK, sizeof(real *));
    out->a = reserve(a, ROW_BLOCK, sizeof(real *));
    out->masked = reserve(a, d->masked ? round_up(d->H, VL) : 0, sizeof(real));
}

/* The workspace of thread `rank`: what all share, and its region. */
static struct region backward_layout(const fr_desc *d, struct grid grid, int rank, char *base,
                                     struct backward_space *out)
{
    const struct cell *cell = &cells[d->cell];
    const fr_idx       Hv = round_up(d->H, VL), Iv = round_up(d->I, VL);
    struct arena       a = {base, 0};
    struct region      own = {0};
    /* dh, dc, dq live from one piece of a call to the next, so they come first: their place must not depend on grid */
    out->dh = reserve(&a, d->N * Hv, sizeof(real));
    out->dc = reserve(&a, cell->has_c ? d->N * Hv : 0, sizeof(real));
    out->dq = reserve(&a, stage_count(cell) > 1 ? d->N * Hv : 0, sizeof(real));
    out->dm = reserve(&a, d->masked ? d->N * Hv : 0, sizeof(real));
    out->zeros = reserve(&a, d->H, sizeof(real));
    out->meet = reserve(&a, grid.rows + 1, sizeof *out->meet);
    out->x = reserve(&a, GRAD_ROWS * Iv, sizeof(real));
    for (int k = 0; k < stage_count(cell); k++)
        out->h[k] = reserve(&a, cell->stage[k].Gh ? GRAD_ROWS * Hv : 0, sizeof(real));
    for (int r = 0; r <= rank; r++) {
        own.lo = a.used;
        backward_rank_layout(d, &a, out);
        own.hi = a.used;
    }
    return own;
}

static struct region backward_region(const fr_desc *d, struct grid grid, int rank)
{
    struct backward_space none;
    return backward_layout(d, grid, rank, NULL, &none);
}

struct backward_call {
    const fr_desc          *d;
    const fr_backward_args *a;
    const struct fr_piece  *piece;
    const struct cell      *cell;
    struct stage_pack       pack[2];
    struct backward_space   space;
    struct grid             grid;
    int                     rank;
    struct group            group; /* what this thread owns: rows, */
    struct range            units; /* and units, whole vectors */
    struct field            x, y, dx, dy, fraction_h, fraction_c;
};

struct backward_job {
    const fr_desc          *d;
    const fr_backward_args *a;
    const struct fr_piece  *piece;
};

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cell.h - what a cell is: a row of cells.h and two pointwise functions.
 *
 * The pre-activations of one step and row are S blocks of H values. Input weights feed a window of neighbouring blocks,
 * recurrent weights feed a window of neighbouring blocks, and one rule covers every cell: start from the bias, add x W
 * in the x-window, add h U in the h-window, let the cell activate the blocks in place.
 *
 *     cell              blocks    x-window   h-window
 *     RNN               h         h          h
 *     LSTM              i f g o   i f g o    i f g o
 *     GRU               n r z m   n r z      r z m        m = U_n h + b_hn, which r multiplies
 *     GRU reset before  r z q     r z        r z          stage 1; q = r h_prev
 *                       n         n          n            stage 2, whose product takes q in the place of h
 *     linear            y         y          -
 *
 * A cell that needs a second product inside the step is a cell of two stages. */

/* One vector of units of one row, as the pointwise functions see it. */
struct unit {
    vec g[4]; /* forward: pre-activations in, activations out. backward: activations in, their gradients out */
    vec h_prev, c_prev; /* the state before the step */
    vec h, c;           /* forward: out */
    vec dh, dc; /* backward: in, the gradients of h and c; out, their parts of h_prev and c_prev without a product */
    vec dq;     /* backward of a first stage: the gradient of its block q */
};

/* The rows of a step: pointers to H values each, in the order of the batch. gates is the tape, or NULL; fraction_h and
 * fraction_c (see fr_state_update) may be NULL. */
struct step {
    fr_idx       n;
    int          back; /* go through the panels from the last to the first */
    const real **h_prev, **c_prev, **fraction_h, **fraction_c;
    real       **h, **c, **gates;
};

/* gemm's tile of one panel -> h, c, gates of units j..j+ub*VL. Tile row: [block][vector of units]. */
typedef void forward_rows_fn(const struct step *s, real *tile, int ub, fr_idx j, fr_idx H);

/* What a backward step has per row. dh, dc, dq, dm rows are ld apart. dy, fraction_h, fraction_c may be NULL. */
struct back_step {
    fr_idx       n, ld;
    const real **h_prev, **c_prev, **dy, **fraction_h, **fraction_c;
    real       **gates;
    real        *dh, *dc, *dq, *dm; /* dm: the gradient of what a product read, before the mask */
};
typedef void backward_rows_fn(const struct back_step *s, struct range rows, struct range units, fr_idx H);

typedef void point_fn(struct unit *u);

/* The forward functions of a cell are two: NAME_gates activates what waits for no other gate, and may be NULL; NAME_forward
 * does the rest. */
#include "cell_gru.h"
#include "cell_lstm.h"
#include "cell_rnn.h"

enum { H_PREV = -1 }; /* the operand of a recurrent product that is not a block */

struct stage {
    int S, block;          /* blocks of this stage; the first of them within the cell's */
    int x0, Gx, gate_x[4]; /* x-window: first block of the stage, blocks, the gate of w_ih that feeds each */
    int h0, Gh, gate_h[4]; /* h-window, likewise for w_hh */
    int ub;                /* vectors of units in a panel: max(Gx, Gh) * ub <= MAX_NV */
    int operand;           /* what U multiplies: H_PREV, or a block of an earlier stage */
    forward_rows_fn  *forward;
    backward_rows_fn *backward;
};

struct cell {
    const char  *name, *activation, *gates; /* as in fr_cell_info */
    int          has_c;
    struct stage stage[2];
};

static const struct cell cells[FR_N_CELLS]; /* defined below, from cells.h */

INLINE int stage_count(const struct cell *cell) { return cell->stage[1].S ? 2 : 1; }

/* Gates that own weights. */
INLINE int gate_count(const struct cell *cell) { return cell->stage[0].Gx + cell->stage[1].Gx; }

/* Blocks of a tape row. */
INLINE int block_count(const struct cell *cell) { return cell->stage[0].S + cell->stage[1].S; }

/* Vectors of a full panel: the wider window decides. */
INLINE int stage_nv(const struct stage *t) { return (t->Gx > t->Gh ? t->Gx : t->Gh) * t->ub; }

/* fraction new + (1 - fraction) old: exact where fraction is 0 or 1 */
INLINE vec blend(vec fraction, vec new, vec old) { return vfma(fraction, new, (R(1.0) - fraction) * old); }

/* The loops over rows and units around the pointwise functions of stage k, expanded for each cell so that the functions
 * are inlined and what the cell says is constant. Blocks before the stage's own were saved by an earlier stage; blocks
 * behind them are not touched backward, because other threads may still be reading their gradients in the product of the
 * later stage. Only the last stage has the new h.
 *
 * A forward loop is expanded once more where it is `plain`, for whole vectors of units without fractions, with a tape and
 * without: it then has no branch in a vector. */
struct forward_loop {
    point_fn          *gates, *rest; /* gates may be NULL: rest is all */
    const struct cell *cell;
    int                k, plain, taped;
};

/* The gates of n rows of a tile, in place. */
INLINE void activate_gates(const struct forward_loop loop, fr_idx n, real *tile, int ub)
{
    const int S = loop.cell->stage[loop.k].S, block = loop.cell->stage[loop.k].block;
    for (fr_idx i = 0; i < n; i++, tile += S * ub * VL)
        for (int v = 0; v < ub; v++) {
            struct unit u = {0};
            for (int b = 0; b < S; b++)
                u.g[block + b] = load(tile + (b * ub + v) * VL);
            loop.gates(&u);
            for (int b = 0; b < S; b++)
                store(tile + (b * ub + v) * VL, u.g[block + b]);
        }
}

/* Rows of a tile, of which the first is `tile`; `activated`: their gates are done. */
INLINE void forward_units(const struct forward_loop loop, int activated, const struct step *s, struct range rows,
                          const real *tile, int ub, fr_idx j0, fr_idx H)
{
    const int S = loop.cell->stage[loop.k].S, block = loop.cell->stage[loop.k].block, has_c = loop.cell->has_c,
              last = loop.k + 1 == stage_count(loop.cell);
    for (fr_idx i = rows.lo; i < rows.hi; i++, tile += S * ub * VL)
        for (int v = 0; v < ub; v++) {
            const fr_idx j = j0 + v * VL, width = loop.plain ? VL : H - j;
            struct unit  u = {0};
            for (int b = 0; b < block; b++)
                u.g[b] = load_part(s->gates[i] + b * H + j, width);
            for (int b = 0; b < S; b++)
                u.g[block + b] = load(tile + (b * ub + v) * VL);
            u.h_prev = load_part(s->h_prev[i] + j, width);
            if (has_c)
                u.c_prev = load_part(s->c_prev[i] + j, width);
            if (loop.gates && !activated)
                loop.gates(&u);
            loop.rest(&u);
            if (!loop.plain && last && s->fraction_h)
                u.h = blend(load_part(s->fraction_h[i] + j, width), u.h, u.h_prev);
            if (!loop.plain && has_c && s->fraction_c)
                u.c = blend(load_part(s->fraction_c[i] + j, width), u.c, u.c_prev);
            if (last)
                store_part(s->h[i] + j, u.h, width);
            if (has_c)
                store_part(s->c[i] + j, u.c, width);
            if (loop.taped)
                for (int b = block; b < block + S; b++)
                    store_part(s->gates[i] + b * H + j, u.g[b], width);
        }
}

/* The gates of some rows, then the rest of the cell, which waits for them: a core that looks some 200 instructions ahead
 * sees two rows of a whole cell, and many of each half. No more rows than that, because the halves that write to the tape
 * should alternate with those that do not. One to three rows are whole: they would wait for their own stores. */
INLINE void forward_by_halves(const struct forward_loop loop, const struct step *s, real *tile, int ub, fr_idx j0,
                              fr_idx H)
{
    const fr_idx row = loop.cell->stage[loop.k].S * ub * VL;
    if (!loop.gates || s->n < FEW_HALVES)
        forward_units(loop, 0, s, (struct range){0, s->n}, tile, ub, j0, H);
    else
        for (fr_idx lo = 0, hi; lo < s->n; lo = hi) {
            hi = lo + HALF_ROWS < s->n ? lo + HALF_ROWS : s->n;
            activate_gates(loop, hi - lo, tile + lo * row, ub);
            forward_units(loop, 1, s, (struct range){lo, hi}, tile + lo * row, ub, j0, H);
        }
}

INLINE void forward_rows(struct forward_loop loop, const struct step *s, real *tile, int ub, fr_idx j0, fr_idx H)
{
    const int width = loop.cell->stage[loop.k].ub == 1 ? 1 : ub; /* a constant for most cells */
    loop.taped = s->gates != NULL;
    loop.plain = j0 + width * VL <= H && !s->fraction_h && !s->fraction_c;
    if (!loop.plain)
        forward_by_halves(loop, s, tile, width, j0, H);
    else if (loop.taped)
        loop.plain = loop.taped = 1, forward_by_halves(loop, s, tile, width, j0, H);
    else
        loop.plain = 1, loop.taped = 0, forward_by_halves(loop, s, tile, width, j0, H);
}

INLINE void backward_rows(void (*const point)(struct unit *), const struct cell *cell, const int k,
                          const struct back_step *s, struct range rows, struct range units, fr_idx H)
{
    const int end = cell->stage[k].block + cell->stage[k].S, has_c = cell->has_c, first = k == 0,
              last = k + 1 == stage_count(cell);
    for (fr_idx i = rows.lo; i < rows.hi; i++)
        for (fr_idx j = units.lo; j < units.hi; j += VL) {
            const fr_idx width = H - j;
            struct unit  u = {0};
            for (int b = 0; b < end; b++)
                u.g[b] = load_part(s->gates[i] + b * H + j, width);
            u.h_prev = load_part(s->h_prev[i] + j, width);
            u.dh = load(s->dh + i * s->ld + j);
            if (last && s->dy)
                u.dh += load_part(s->dy[i] + j, width);
            if (has_c) {
                u.c_prev = load_part(s->c_prev[i] + j, width);
                u.dc = load(s->dc + i * s->ld + j);
            }
            if (first && !last)
                u.dq = load(s->dq + i * s->ld + j);
            vec past_dh = {0}, past_dc = {0}; /* the part that bypasses the cell, to the state before */
            if (last && s->fraction_h) {
                const vec fraction = load_part(s->fraction_h[i] + j, width);
                past_dh = (R(1.0) - fraction) * u.dh, u.dh *= fraction;
            }
            if (has_c && s->fraction_c) {
                const vec fraction = load_part(s->fraction_c[i] + j, width);
                past_dc = (R(1.0) - fraction) * u.dc, u.dc *= fraction;
            }
            point(&u);
            if (last && s->fraction_h)
                u.dh += past_dh;
            if (has_c && s->fraction_c)
                u.dc += past_dc;
            for (int b = 0; b < end; b++)
                store_part(s->gates[i] + b * H + j, u.g[b], width);
            store(s->dh + i * s->ld + j, u.dh);
            if (has_c)
                store(s->dc + i * s->ld + j, u.dc);
        }
}

#define CELL(code, name, activation, gates, has_c, stages) stages
#define STAGE(code, k, functions, ...)                                                                                 \
    static void forward_##code##_##k(const struct step *s, real *tile, int ub, fr_idx j, fr_idx H)                     \
    {                                                                                                                  \
        const struct forward_loop loop = {functions##_gates, functions##_forward, &cells[FR_##code], k, 0, 0};         \
        forward_rows(loop, s, tile, ub, j, H);                                                                         \
    }                                                                                                                  \
    static void backward_##code##_##k(const struct back_step *s, struct range rows, struct range units, fr_idx H)      \
    {                                                                                                                  \
        backward_rows(functions##_backward, &cells[FR_##code], k, s, rows, units, H);                                  \
    }
#include "../cells.h"
#undef CELL
#undef STAGE

#define CELL(code, name, activation, gates, has_c, stages) [FR_##code] = {name, activation, gates, has_c, {stages}},
#define STAGE(code, k, functions, ...)                                                                                 \
    {.forward = forward_##code##_##k, .backward = backward_##code##_##k, __VA_ARGS__},
static const struct cell cells[FR_N_CELLS] = {
#include "../cells.h"
};
#undef CELL
#undef STAGE

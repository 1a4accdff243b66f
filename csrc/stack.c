/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stack.c - the loop over layers and directions.
 *
 *     forward     for each layer, from the first:  for each direction:  y = layer(x)
 *                                                  x = y, or y kept scale
 *     backward    for each layer, from the last:   for each direction:  dx += layer'(dy)
 *                                                  dy = dx, or dx kept scale
 *
 * What passes between two layers and is not the caller's lies in the workspace, packed: (R, D*H) in the order of the
 * tape. So padding takes no memory, and a part of a row is a row like any other. */
#include <stdint.h>
#include <string.h>

#include "engine.h"
#include "pieces.h"

/* A pass: the stack, its engine and its memory. */
struct pass {
    const fr_stack         *stack;
    const struct fr_engine *engine;
    char                   *workspace; /* what is between layers, in two places if there are more, */
    char                   *own;       /* then the engine's */
    size_t                  between_bytes;
    struct stop             stop;
};

static fr_desc layer_desc(const fr_stack *s, int k, fr_pass pass)
{
    fr_desc d = s->desc;
    d.cell = s->layers[k].cell;
    d.masked = s->layers[k].masked;
    d.I = s->layers[k].I;
    d.H = s->layers[k].H;
    d.nonzeros = pass == FR_FORWARD ? s->layers[k].nonzeros : 0;
    d.reverse = (s->desc.reverse != 0) != k % s->n_directions;
    return d;
}

static fr_idx tape_rows(const fr_desc *d) { return d->rows ? d->first[d->T] : d->T * d->N; }

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Fills in the engine and the size of what is between layers, unless the layers do not fit on one another. */
static int prepare(const fr_stack *s, struct pass *p)
{
    const int D = s->n_directions;
    fr_idx    widest = 0;
    *p = (struct pass){.stack = s};
    if (s->n_layers < 1 || D < 1 || D > 2)
        return FR_ESIZE;
    for (int k = 0; k < s->n_layers * D; k++) {
        const fr_desc   d = layer_desc(s, k, FR_FORWARD);
        const fr_layer *first = &s->layers[k - k % D];
        const int       rc = fr_check(&d, &p->engine);
        if (rc != FR_OK)
            return rc;
        if (d.H != first->H || d.I != (k < D ? s->layers[0].I : D * first[-1].H))
            return FR_ESIZE;
        if (k < (s->n_layers - 1) * D)
            widest = D * d.H > widest ? D * d.H : widest;
    }
    p->between_bytes = whole_lines((size_t)tape_rows(&s->desc) * (size_t)widest * (s->desc.dtype == FR_F32 ? 4 : 8));
    return FR_OK;
}

static size_t all_between(const struct pass *p)
{
    const int L = p->stack->n_layers;
    return (size_t)(L > 2 ? 2 : L - 1) * p->between_bytes;
}

static int begin(const fr_stack *s, void *workspace, fr_stop_fn *stop, void *context, struct pass *p)
{
    const int rc = prepare(s, p);
    p->workspace = workspace, p->own = p->workspace + all_between(p), p->stop = (struct stop){stop, context, 0};
    return rc;
}

static void *columns(const struct pass *p, void *at, fr_idx column)
{
    return (char *)at + column * (p->stack->desc.dtype == FR_F32 ? 4 : 8);
}

/* What is between layer l and the next one: of two that are next to each other, each has its own. */
static struct fr_sequence between_layers(const struct pass *p, int l)
{
    const int D = p->stack->n_directions;
    return (struct fr_sequence){p->workspace + (size_t)(l % 2) * p->between_bytes, 0, D * p->stack->layers[l * D].H, 1};
}

static struct fr_sequence callers(const struct pass *p, const void *at, fr_idx st, fr_idx sn)
{
    return (struct fr_sequence){(void *)at, st, sn, p->stack->desc.packed};
}

/* to = from through dropout, or where that is NULL to += from, in the rows of a sequence */
static void move_rows(const struct pass *p, const fr_dropout *through, struct fr_sequence from, struct fr_sequence to,
                      fr_idx width)
{
    struct fr_rows_job a = {.from = from, .to = to, .width = width};
    if (through)
        a.kept = callers(p, through->kept, through->st, through->sn), a.scale = through->scale;
    p->engine->move_rows(&p->stack->desc, &a);
}

/* What a layer above another reads. */
static struct fr_sequence layer_input(const struct pass *p, const fr_dropout *behind, struct fr_sequence y)
{
    return behind->kept ? callers(p, behind->result, behind->st, behind->sn) : y;
}

static int forward_layers(struct pass *p, const fr_forward_args *args)
{
    const fr_stack    *s = p->stack;
    const int          L = s->n_layers, D = s->n_directions;
    struct fr_sequence x = callers(p, args->x, args->x_st, args->x_sn);
    for (int l = 0; l < L; l++) {
        const fr_forward_args *const layer = args + l * D;
        const int                    given = layer->y || l + 1 == L;
        const struct fr_sequence     y = given ? callers(p, layer->y, layer->y_st, layer->y_sn) : between_layers(p, l);
        for (int k = 0; k < D; k++) {
            const fr_desc   d = layer_desc(s, l * D + k, FR_FORWARD);
            struct fr_piece piece = {.workspace = p->own, .x_packed = x.packed, .y_packed = y.packed};
            fr_forward_args a = layer[k];
            a.x = x.at, a.x_st = x.st, a.x_sn = x.sn;
            if (!given)
                a.y = columns(p, y.at, k * d.H), a.y_st = y.st, a.y_sn = y.sn;
            const int rc = run_forward(p->engine, &d, &a, &piece, &p->stop);
            if (rc != FR_OK)
                return rc;
        }
        if (l + 1 == L)
            break;
        x = layer_input(p, &layer->dropout, y);
        if (layer->dropout.kept)
            move_rows(p, &layer->dropout, y, x, D * s->layers[l * D].H);
    }
    return FR_OK;
}

/* The gradient of the outputs of a layer below another, `width` wide, given that of what the other reads. */
static void finish_between(const struct pass *p, const fr_backward_args *layer, struct fr_sequence dx, fr_idx width)
{
    if (layer->dropout.kept)
        move_rows(p, &layer->dropout, dx, dx, width);
    if (layer->dy)
        move_rows(p, NULL, callers(p, layer->dy, layer->dy_st, layer->dy_sn), dx, width);
}

static int backward_layers(struct pass *p, const fr_backward_args *args)
{
    const fr_stack    *s = p->stack;
    const int          L = s->n_layers, D = s->n_directions;
    struct fr_sequence dy = callers(p, args[(L - 1) * D].dy, args[(L - 1) * D].dy_st, args[(L - 1) * D].dy_sn);
    for (int l = L - 1; l >= 0; l--) {
        const fr_backward_args *const layer = args + l * D, *const below = l ? layer - D : NULL;
        struct fr_sequence x = callers(p, args->x, args->x_st, args->x_sn);
        struct fr_sequence dx = callers(p, args->dx, args->dx_st, args->dx_sn);
        if (below) {
            x = layer_input(p, &below->dropout, callers(p, below->y, below->y_st, below->y_sn));
            dx = between_layers(p, l - 1);
            memset(dx.at, 0, p->between_bytes);
        }
        for (int k = 0; k < D; k++) {
            const fr_desc   d = layer_desc(s, l * D + k, FR_BACKWARD);
            struct fr_piece piece = {.workspace = p->own, .x_packed = x.packed, .y_packed = s->desc.packed};
            piece.dx_packed = dx.packed, piece.dy_packed = dy.packed;
            fr_backward_args a = layer[k];
            a.x = x.at, a.x_st = x.st, a.x_sn = x.sn;
            a.dx = dx.at, a.dx_st = dx.st, a.dx_sn = dx.sn;
            if (dy.at)
                a.dy = columns(p, dy.at, k * d.H), a.dy_st = dy.st, a.dy_sn = dy.sn;
            const int rc = run_backward(p->engine, &d, &a, &piece, &p->stop);
            if (rc != FR_OK)
                return rc;
        }
        if (below)
            finish_between(p, below, dx, D * s->layers[(l - 1) * D].H);
        dy = dx;
    }
    return FR_OK;
}

int fr_stack_workspace_bytes(const fr_stack *s, fr_pass which, size_t *bytes)
{
    struct pass p;
    const int   rc = prepare(s, &p);
    size_t      most = 0;
    for (int k = 0; rc == FR_OK && k < s->n_layers * s->n_directions; k++) {
        const fr_desc d = layer_desc(s, k, which);
        const size_t  own = p.engine->workspace_bytes(&d, which);
        most = own > most ? own : most;
    }
    if (rc == FR_OK)
        *bytes = all_between(&p) + most;
    return rc;
}

int fr_stack_threads_pay(const fr_stack *s)
{
    struct pass p;
    if (prepare(s, &p) != FR_OK)
        return 0;
    for (int k = 0; k < s->n_layers * s->n_directions; k++) {
        const fr_desc d = layer_desc(s, k, FR_FORWARD);
        if (p.engine->threads_pay(&d))
            return 1;
    }
    return 0;
}

int fr_stack_forward(const fr_stack *s, const fr_forward_args *args, void *workspace, fr_stop_fn *stop, void *context)
{
    struct pass p;
    const int   rc = begin(s, workspace, stop, context, &p);
    return rc == FR_OK ? forward_layers(&p, args) : rc;
}

int fr_stack_backward(const fr_stack *s, const fr_backward_args *args, void *workspace, fr_stop_fn *stop, void *context)
{
    struct pass p;
    const int   rc = begin(s, workspace, stop, context, &p);
    return rc == FR_OK ? backward_layers(&p, args) : rc;
}

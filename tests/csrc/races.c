/* SPDX-License-Identifier: BSD-3-Clause
 *
 * races.c - every way in which the engine divides a call among threads, to be run under ThreadSanitizer by find_races.py.
 *
 * Compiled with FR_SMALL_LIMITS, so that these few rows and steps are divided, blocked and cut into pieces. With the
 * argument "planted" it makes a race on purpose: two threads run one call on the same arrays. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/fastrnn.h"

static const struct {
    fr_idx T, N, I, H;
} shapes[] = {
    {9, 2, 5, 67},  /* units are divided; several chunks of the gradients */
    {7, 41, 3, 6},  /* rows are, in several blocks */
    {40, 7, 9, 35}, /* either, or both, by the number of threads; several pieces of time */
};

enum { RAGGED = 1, REVERSE = 2, MASKED = 4, FRACTIONS = 8, CLIPPED = 16, WAYS = 32 };

static void require(int code)
{
    if (code != FR_OK) {
        fprintf(stderr, "%s\n", fr_strerror(code));
        exit(2);
    }
}

/* Memory of its own for each array: TSan then knows where one ends. Freed together at the end of a case. */
static void *arrays[64];
static int   array_count, cases, on_both; /* of them, divided by rows and units at once */

static void *memory(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!p || array_count == (int)(sizeof arrays / sizeof *arrays))
        exit(2);
    memset(p, 0, bytes);
    return arrays[array_count++] = p;
}

static void *numbers(fr_dtype dtype, fr_idx n)
{
    static unsigned seed = 1;
    void           *p = memory((size_t)n * (dtype == FR_F32 ? sizeof(float) : sizeof(double)));
    for (fr_idx i = 0; i < n; i++) {
        const double value = (double)((seed = seed * 1664525u + 1013904223u) >> 8) / (1 << 24) - 0.5;
        if (dtype == FR_F32)
            ((float *)p)[i] = (float)value;
        else
            ((double *)p)[i] = value;
    }
    return p;
}

/* Rows T, T-1, .. steps long, in another order than they lie; the last one is empty. */
static void make_ragged(fr_desc *d)
{
    fr_idx *rows = memory((size_t)d->N * sizeof *rows), *lengths = memory((size_t)d->N * sizeof *lengths);
    fr_idx *first = memory((size_t)(d->T + 1) * sizeof *first);
    for (fr_idx i = 0; i < d->N; i++) {
        rows[i] = (i + 1) % d->N;
        lengths[i] = i + 1 == d->N ? 0 : d->T > i ? d->T - i : 1;
    }
    for (fr_idx s = 0; s < d->T; s++) {
        first[s + 1] = first[s];
        for (fr_idx i = 0; i < d->N; i++)
            first[s + 1] += lengths[i] > s;
    }
    d->rows = rows, d->lengths = lengths, d->first = first;
}

/* A stack of one layer. */
static fr_stack stack_of(const fr_desc *d, fr_layer *layer)
{
    *layer = (fr_layer){.cell = d->cell, .masked = d->masked, .I = d->I, .H = d->H};
    return (fr_stack){.desc = *d, .n_layers = 1, .n_directions = 1, .layers = layer};
}

static void *workspace(const fr_stack *s, fr_pass pass)
{
    size_t bytes;
    require(fr_stack_workspace_bytes(s, pass, &bytes));
    return memory(bytes);
}

static void *packed(const fr_desc *d, fr_pass pass, const void *const weights[4])
{
    size_t bytes;
    require(fr_pack_bytes(d, pass, &bytes));
    void *pack = memory(bytes);
    require(fr_pack(d, pass, weights[0], weights[1], weights[2], weights[3], pack));
    return pack;
}

static void run_forward(const fr_desc *d, const fr_forward_args *a, void *at)
{
    fr_layer       layer;
    const fr_stack s = stack_of(d, &layer);
    require(fr_stack_forward(&s, a, at, NULL, NULL));
}

static void run_backward(const fr_desc *d, const fr_cell_info *info, const fr_forward_args *f, const void *const w[4])
{
    const fr_idx     GH = info->G * d->H, NH = d->N * d->H;
    const fr_dtype   t = d->dtype;
    fr_backward_args b = {.x = f->x, .x_st = f->x_st, .x_sn = f->x_sn, .y = f->y, .y_st = f->y_st, .y_sn = f->y_sn};
    b.h_0 = f->h_0, b.c_0 = f->c_0, b.gates = f->gates, b.c = f->c, b.state_update = f->state_update;
    b.dy = numbers(t, d->T * NH), b.dy_st = NH, b.dy_sn = d->H;
    b.dx = numbers(t, d->T * d->N * d->I), b.dx_st = d->N * d->I, b.dx_sn = d->I;
    b.dh_n = numbers(t, NH), b.dc_n = numbers(t, NH), b.dh_0 = numbers(t, NH);
    b.dc_0 = info->has_c ? numbers(t, NH) : NULL;
    b.dw_ih = numbers(t, GH * d->I), b.dw_hh = numbers(t, GH * d->H);
    b.db_ih = numbers(t, GH), b.db_hh = numbers(t, GH);
    b.pack = packed(d, FR_BACKWARD, w);
    fr_layer       layer;
    const fr_stack s = stack_of(d, &layer);
    require(fr_stack_backward(&s, &b, workspace(&s, FR_BACKWARD), NULL, NULL));
}

static fr_forward_args inputs(const fr_desc *d, const fr_cell_info *info, int way)
{
    const fr_idx    NH = d->N * d->H;
    const fr_dtype  t = d->dtype;
    fr_forward_args f = {.x = numbers(t, d->T * d->N * d->I), .x_st = d->N * d->I, .x_sn = d->I};
    f.y = numbers(t, d->T * NH), f.y_st = NH, f.y_sn = d->H;
    f.h_0 = numbers(t, NH), f.c_0 = numbers(t, NH), f.h_n = numbers(t, NH), f.c_n = numbers(t, NH);
    if (way & MASKED)
        f.state_update.mask = numbers(t, NH);
    if (way & FRACTIONS) {
        f.state_update.fraction_h = numbers(t, d->T * NH);
        f.state_update.fraction_h_st = NH, f.state_update.fraction_h_sn = d->H;
        if (info->has_c)
            f.state_update.fraction_c = numbers(t, d->H);
    }
    f.state_update.clip = way & CLIPPED ? 0.01 : 0;
    return f;
}

static void run_case(fr_desc d, int way)
{
    fr_cell_info info;
    require(fr_get_cell_info(d.cell, &info));
    if (way && info.activation && d.cell != FR_RNN_TANH) /* plain cells differ in their pointwise functions alone */
        return;
    if (way & (MASKED | FRACTIONS | CLIPPED) && !info.recurrent)
        return;
    int    grid[2];
    double seconds;
    require(fr_test_plan(&d, FR_BACKWARD, NULL, grid, &seconds));
    cases++, on_both += grid[0] > 1 && grid[1] > 1;
    d.reverse = (way & REVERSE) != 0, d.masked = (way & MASKED) != 0;
    if (way & RAGGED)
        make_ragged(&d);
    const fr_idx      GH = info.G * d.H, R = d.T * d.N;
    const void *const weights[4] = {numbers(d.dtype, GH * d.I), numbers(d.dtype, GH * d.H), numbers(d.dtype, GH),
                                    numbers(d.dtype, GH)};
    fr_forward_args   f = inputs(&d, &info, way);
    fr_layer          layer;
    const fr_stack    s = stack_of(&d, &layer);
    void *const       at = workspace(&s, FR_FORWARD);
    f.pack = packed(&d, FR_FORWARD, weights);
    run_forward(&d, &f, at); /* inference */
    f.gates = numbers(d.dtype, R * info.S * d.H);
    f.c = info.has_c ? numbers(d.dtype, R * d.H) : NULL;
    run_forward(&d, &f, at);
    run_backward(&d, &info, &f, weights);
    while (array_count)
        free(arrays[--array_count]);
}

static void run_update(fr_rule rule, fr_dtype dtype, int threads)
{
    const fr_idx   n = 1003;
    fr_update_args a = {.rule = rule, .dtype = dtype, .isa = 0, .n_threads = threads, .n = n, .rate = 0.1, .keep = 1};
    a.beta1 = a.beta2 = 0.5, a.root = 1, a.eps = 1, a.momentum = 0.5;
    a.p = numbers(dtype, n), a.g = numbers(dtype, n), a.v = numbers(dtype, n);
    a.m = memory((size_t)n * sizeof(double)), a.s = memory((size_t)n * sizeof(double));
    require(fr_update(&a));
    cases++;
    while (array_count)
        free(arrays[--array_count]);
}

#include "race_losses.h"

struct planted {
    fr_forward_args f;
    void           *workspace;
};

static void *forward_again(void *job)
{
    const fr_desc         d = {.cell = FR_LSTM, .n_threads = 1, .T = 9, .N = 2, .I = 5, .H = 67};
    const struct planted *p = job; /* the same arrays */
    run_forward(&d, &p->f, p->workspace);
    return NULL;
}

static void plant_a_race(void)
{
    const fr_desc     d = {.cell = FR_LSTM, .n_threads = 1, .T = 9, .N = 2, .I = 5, .H = 67};
    const void *const weights[4] = {numbers(FR_F32, 4 * 67 * 5), numbers(FR_F32, 4 * 67 * 67)};
    fr_cell_info      info;
    pthread_t         other;
    require(fr_get_cell_info(d.cell, &info));
    fr_layer       layer;
    const fr_stack s = stack_of(&d, &layer);
    struct planted p = {inputs(&d, &info, 0), workspace(&s, FR_FORWARD)};
    p.f.pack = packed(&d, FR_FORWARD, weights);
    if (pthread_create(&other, NULL, forward_again, &p))
        exit(2);
    forward_again(&p);
    pthread_join(other, NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "planted")) {
        plant_a_race();
        return 0;
    }
    static const int counts[] = {2, 3, 6}; /* 3: more than arrive at one node of a barrier; 6: 2 groups of 3 */
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (int dtype = FR_F32; dtype <= FR_F64; dtype++) {
            for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
                for (int cell = 0; cell < FR_N_CELLS; cell++)
                    for (int way = 0; way < WAYS; way++)
                        run_case((fr_desc){.cell = (fr_cell)cell,
                                           .dtype = (fr_dtype)dtype,
                                           .n_threads = counts[c],
                                           .T = shapes[s].T,
                                           .N = shapes[s].N,
                                           .I = shapes[s].I,
                                           .H = shapes[s].H},
                                 way);
            for (int rule = 0; rule < FR_N_RULES; rule++)
                run_update((fr_rule)rule, (fr_dtype)dtype, counts[c]);
            run_losses((fr_dtype)dtype, counts[c]);
        }
    printf("%d calls on 2, 3 and 6 threads, %d of them divided by rows and units at once\n", cases, on_both);
    return 0;
}

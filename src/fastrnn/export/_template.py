# SPDX-License-Identifier: BSD-3-Clause
"""Templates of the C code around the weights of a model."""

HEADER = """\
/* Written by fastrnn.export: the model
 *
$model
 *
 * one step per call, for a program that links fastrnn (https://github.com/fastrnn/fastrnn). A model is in one piece of
 * memory, which the caller provides; nothing else is allocated. It serves N sequences at a time, and a program may have
 * any number of them. One thread at a time may use one. */
#ifndef ${guard}
#define ${guard}

#include <stddef.h>

#if defined __cplusplus
extern "C" {
#endif

enum { ${name}_INPUTS = $inputs, ${name}_OUTPUTS = $outputs };
typedef $type ${name}_number;

/* The bytes that a model for N sequences takes; 0 if that cannot be. isa: the engine, -1: the best of this machine. */
size_t ${name}_bytes(int isa, ptrdiff_t N);

/* Make a model in memory of any alignment, which stays where it is. Returns FR_OK or another code of fastrnn.h. */
int ${name}_init(void *memory, int isa, ptrdiff_t N);

/* Read the next step of each sequence. Returns FR_OK or another code of fastrnn.h. */
int ${name}_step(void *memory, const ${name}_number *x, /* (N, ${name}_INPUTS) */
        ${name}_number *y                                /* (N, ${name}_OUTPUTS), memory of its own */
);

/* Begin all sequences anew, as ${name}_init does. */
void ${name}_reset(void *memory);

#if defined __cplusplus
}
#endif

#endif
"""

SOURCE = """\
/* Written by fastrnn.export: see ${name}.h. */
#include "${name}.h"

#include <fastrnn.h>
#include <stdint.h>
#include <string.h>

typedef ${name}_number number;

enum { COUNT = $count, ALIGNMENT = 64 };

/* ---- the weights, exactly ---- */

$arrays
static const struct stage {
    fr_cell       cell;
    fr_idx        I, H;
    const number *w_ih, *w_hh, *b_ih, *b_hh; /* as fr_pack takes them */
    const number *fraction_h, *fraction_c;   /* (H) as fr_state_update has them */
    const number *h_0, *c_0;                 /* (H) where a sequence begins; NULL: at zero */
} stages[COUNT] = {
$stages
};

/* ---- one model ---- */

struct model { /* and behind it, at these distances from its start: */
    fr_stack        stack;
    fr_layer        layers[COUNT];
    fr_forward_args args[COUNT];
    size_t          pack[COUNT], h[COUNT], c[COUNT], workspace, end;
};

static struct model *model_in(void *memory)
{
    return (struct model *)(((uintptr_t)memory + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static size_t reserve(struct model *m, size_t bytes)
{
    const size_t at = m->end;
    m->end += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return at;
}

/* What packing depends on. */
static fr_desc describe(const struct model *m, int k)
{
    fr_desc d = m->stack.desc;
    d.cell = m->layers[k].cell;
    d.I = m->layers[k].I;
    d.H = m->layers[k].H;
    return d;
}

/* Describe a model, and divide its memory. */
static int plan(struct model *m, int isa, fr_idx N)
{
    size_t bytes;
    int    code;
    if (isa < 0)
        for (isa = 0; isa < fr_isa_count() - 1 && !fr_isa_usable(isa);)
            isa++;
    memset(m, 0, sizeof *m);
    m->stack.desc.dtype = sizeof(number) == sizeof(float) ? FR_F32 : FR_F64;
    m->stack.desc.isa = isa;
    m->stack.desc.n_threads = 1;
    m->stack.desc.T = 1;
    m->stack.desc.N = N;
    m->stack.n_layers = COUNT;
    m->stack.n_directions = 1;
    m->stack.layers = m->layers;
    reserve(m, sizeof *m);
    for (int k = 0; k < COUNT; k++) {
        m->layers[k].cell = stages[k].cell;
        m->layers[k].I = stages[k].I;
        m->layers[k].H = stages[k].H;
        const fr_desc d = describe(m, k);
        if ((code = fr_pack_bytes(&d, FR_FORWARD, &bytes)) != FR_OK)
            return code;
        m->pack[k] = reserve(m, bytes);
        m->h[k] = reserve(m, (size_t)(N * d.H) * sizeof(number));
        m->c[k] = reserve(m, (size_t)(N * d.H) * sizeof(number));
    }
    if ((code = fr_stack_workspace_bytes(&m->stack, FR_FORWARD, &bytes)) != FR_OK)
        return code;
    m->workspace = reserve(m, bytes);
    return FR_OK;
}

size_t ${name}_bytes(int isa, ptrdiff_t N)
{
    struct model m;
    return N > 0 && plan(&m, isa, N) == FR_OK ? m.end + ALIGNMENT - 1 : 0;
}

int ${name}_init(void *memory, int isa, ptrdiff_t N)
{
    struct model *m = model_in(memory);
    char         *at = (char *)m;
    int           code = N > 0 ? plan(m, isa, N) : FR_ESIZE;
    for (int k = 0; k < COUNT && code == FR_OK; k++) {
        const struct stage *s = &stages[k];
        fr_forward_args    *a = &m->args[k];
        const fr_desc       d = describe(m, k);
        fr_cell_info        info;
        code = fr_get_cell_info(s->cell, &info);
        if (code == FR_OK)
            code = fr_pack(&d, FR_FORWARD, s->w_ih, s->w_hh, s->b_ih, s->b_hh, at + m->pack[k]);
        a->pack = at + m->pack[k];
        if (code == FR_OK && info.recurrent)
            a->h_0 = a->h_n = at + m->h[k];
        if (code == FR_OK && info.has_c)
            a->c_0 = a->c_n = at + m->c[k];
        a->state_update.fraction_h = s->fraction_h;
        a->state_update.fraction_c = s->fraction_c;
    }
    m->args[0].x_sn = ${name}_INPUTS;
    m->args[0].x_st = N * ${name}_INPUTS;
    m->args[COUNT - 1].y_sn = ${name}_OUTPUTS;
    m->args[COUNT - 1].y_st = N * ${name}_OUTPUTS;
    if (code == FR_OK)
        ${name}_reset(memory);
    return code;
}

static void begin(char *state, const number *row, fr_idx N, fr_idx H)
{
    const size_t bytes = (size_t)H * sizeof(number);
    for (fr_idx n = 0; n < N; n++, state += bytes)
        row ? memcpy(state, row, bytes) : memset(state, 0, bytes);
}

void ${name}_reset(void *memory)
{
    struct model *m = model_in(memory);
    for (int k = 0; k < COUNT; k++) {
        begin((char *)m + m->h[k], stages[k].h_0, m->stack.desc.N, stages[k].H);
        begin((char *)m + m->c[k], stages[k].c_0, m->stack.desc.N, stages[k].H);
    }
}

int ${name}_step(void *memory, const ${name}_number *x, ${name}_number *y)
{
    struct model *m = model_in(memory);
    m->args[0].x = x;
    m->args[COUNT - 1].y = y;
    return fr_stack_forward(&m->stack, m->args, (char *)m + m->workspace, NULL, NULL);
}
"""

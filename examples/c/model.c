/* SPDX-License-Identifier: BSD-3-Clause */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "fail.h"

static void require(int code)
{
    if (code != FR_OK)
        fail("fastrnn: %s", fr_strerror(code));
}

/* Set aside `bytes` at a multiple of 64 from the start of the memory; returns where. */
static size_t reserve(size_t *total, size_t bytes)
{
    const size_t at = *total;
    *total += (bytes + 63) / 64 * 64;
    return at;
}

/* The sizes of one layer and what is the same for all: what packing depends on. */
static fr_desc describe(const struct model *m, int k)
{
    fr_desc d = m->stack.desc;
    d.cell = m->layers[k].cell;
    d.I = m->layers[k].I;
    d.H = m->layers[k].H;
    return d;
}

/* Where everything lies in the memory. `at` has the offsets for each layer: of its packed weights, h and c. */
static size_t divide(struct model *m, size_t (*at)[3])
{
    size_t total = 0, bytes;
    for (int k = 0; k < m->stack.n_layers; k++) {
        const fr_desc d = describe(m, k);
        require(fr_pack_bytes(&d, FR_FORWARD, &bytes));
        at[k][0] = reserve(&total, bytes);
    }
    m->states = total;
    for (int k = 0; k < m->stack.n_layers; k++) {
        bytes = (size_t)m->layers[k].H * (m->stack.desc.dtype == FR_F32 ? sizeof(float) : sizeof(double));
        at[k][1] = reserve(&total, bytes);
        at[k][2] = reserve(&total, bytes);
    }
    m->states_end = total;
    require(fr_stack_workspace_bytes(&m->stack, FR_FORWARD, &bytes));
    m->workspace = reserve(&total, bytes);
    return total;
}

/* Pack the weights of a layer, and point its arguments to them and to its state. */
static void place_layer(struct model *m, int k, const struct layer *layer, const size_t *at)
{
    const fr_desc    d = describe(m, k);
    fr_forward_args *args = &m->args[k];
    fr_cell_info     info;
    require(fr_pack(&d, FR_FORWARD, layer->w_ih, layer->w_hh, layer->b_ih, layer->b_hh, m->memory + at[0]));
    require(fr_get_cell_info(layer->cell, &info));
    args->pack = m->memory + at[0];
    args->h_0 = args->h_n = info.recurrent ? m->memory + at[1] : NULL; /* read before they are written */
    args->c_0 = args->c_n = info.has_c ? m->memory + at[2] : NULL;
}

void model_create(struct model *m, const struct architecture *a, int isa)
{
    const size_t count = (size_t)a->count;
    size_t (*at)[3] = calloc(count, sizeof *at);
    *m = (struct model){.layers = calloc(count, sizeof *m->layers), .args = calloc(count, sizeof *m->args)};
    if (!at || !m->layers || !m->args)
        fail("not enough memory");
    for (int k = 0; k < a->count; k++)
        m->layers[k] = (fr_layer){.cell = a->layers[k].cell, .I = a->layers[k].I, .H = a->layers[k].H};
    m->I = a->layers[0].I;
    m->O = a->layers[count - 1].H;
    m->stack = (fr_stack){.desc = {.dtype = a->dtype, .isa = isa, .n_threads = 1, .T = 1, .N = 1},
                          .n_layers = a->count,
                          .n_directions = 1,
                          .layers = m->layers};
    m->memory = aligned_alloc(64, divide(m, at));
    if (!m->memory)
        fail("not enough memory");
    for (int k = 0; k < a->count; k++)
        place_layer(m, k, &a->layers[k], at[k]);
    free(at);
    m->args[0].x_st = m->args[0].x_sn = m->I;
    m->args[count - 1].y_st = m->args[count - 1].y_sn = m->O;
    model_reset(m);
}

void model_free(struct model *m)
{
    free(m->layers);
    free(m->args);
    free(m->memory);
}

void model_reset(struct model *m) { memset(m->memory + m->states, 0, m->states_end - m->states); }

void model_step(struct model *m, const void *x, void *y)
{
    m->args[0].x = x;
    m->args[m->stack.n_layers - 1].y = y;
    for (int k = 0; k < m->stack.n_layers; k++)
        m->args[k].back = !m->args[k].back; /* the last weights of a step are in L1 at the next */
    require(fr_stack_forward(&m->stack, m->args, m->memory + m->workspace, NULL, NULL));
}

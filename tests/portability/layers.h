/* SPDX-License-Identifier: BSD-3-Clause
 *
 * layers.h - one layer in one direction: its description, weights and inputs. */

enum { PLAIN, LEAKY, FRACTIONS, MASKED, EVERYTHING, N_UPDATES };
static const char *const update_name[] = {"plain", "leaky", "fractions", "masked", "everything"};

enum { Y, H_N, C_N, TAPE_C, DGATES, DX, DH_0, DC_0, DW_IH, DW_HH, DB_IH, DB_HH, N_OUTPUTS };
static const char *const output_name[] = {"y",    "h_n",  "c_n",   "c",     "dgates", "dx",
                                          "dh_0", "dc_0", "dw_ih", "dw_hh", "db_ih",  "db_hh"};

struct layer {
    fr_desc         d;
    fr_cell_info    info;
    fr_idx          R; /* tape rows */
    fr_idx          rows[64], lengths[64], first[64];
    fr_state_update update;
    int             batch_first; /* x and y lie as (N, T, ...) */
    void           *w_ih, *w_hh, *b_ih, *b_hh, *x, *h_0, *c_0, *dy, *dh_n, *dc_n;
    void           *pack[2];
    fr_idx          n[N_OUTPUTS];
};

/* Random lengths; the rows with the longest first, and the tape row at which each step begins. */
static void order_rows(struct layer *l)
{
    fr_desc *d = &l->d;
    fr_idx   of[64], at = 0;
    for (fr_idx n = 0; n < d->N; n++)
        of[n] = n ? below((int)d->T + 1) : d->T;
    for (fr_idx length = d->T; length >= 0; length--)
        for (fr_idx n = 0; n < d->N; n++)
            if (of[n] == length)
                l->rows[at] = n, l->lengths[at++] = length;
    l->first[0] = 0;
    for (fr_idx s = 0; s < d->T; s++) {
        l->first[s + 1] = l->first[s];
        for (fr_idx n = 0; n < d->N; n++)
            l->first[s + 1] += of[n] > s;
    }
    d->rows = l->rows, d->lengths = l->lengths, d->first = l->first;
    l->R = l->first[d->T];
}

/* Fractions of the new value, in [0, 1): for each unit, or for each step, row and unit. */
static void *fractions(const fr_desc *d, fr_idx n)
{
    void *at = numbers(d->dtype, n, 0.5, NULL);
    for (fr_idx i = 0; i < n; i++)
        if (d->dtype == FR_F32)
            ((float *)at)[i] += 0.5f;
        else
            ((double *)at)[i] += 0.5;
    return at;
}

static void choose_update(struct layer *l, int which)
{
    const fr_desc  *d = &l->d;
    const fr_idx    N = d->N, H = d->H;
    fr_state_update u = {0};
    if (which == LEAKY) {
        u.fraction_h = fractions(d, H);
    } else if (which == FRACTIONS || which == EVERYTHING) {
        u.fraction_h = fractions(d, d->T * N * H), u.fraction_h_st = N * H, u.fraction_h_sn = H;
        if (l->info.has_c)
            u.fraction_c = fractions(d, d->T * N * H), u.fraction_c_st = N * H, u.fraction_c_sn = H;
    }
    if (which == MASKED || which == EVERYTHING)
        u.mask = numbers(d->dtype, N * H, 2, NULL);
    if (which == EVERYTHING)
        u.clip = 0.0625;
    l->update = u;
    l->d.masked = u.mask != NULL;
}

static void pack_weights(struct layer *l)
{
    for (int pass = FR_FORWARD; pass <= FR_BACKWARD; pass++) {
        size_t bytes;
        check(fr_pack_bytes(&l->d, pass, &bytes));
        l->pack[pass] = memory(bytes);
        check(fr_pack(&l->d, pass, l->w_ih, l->w_hh, l->b_ih, l->b_hh, l->pack[pass]));
    }
}

static void fill_layer(struct layer *l)
{
    const fr_desc *d = &l->d;
    const fr_idx   N = d->N, I = d->I, H = d->H, GH = l->info.G * H, state = l->info.recurrent ? N * H : 0;
    double         scale = 1; /* of weights: about 1 / sqrt(H) */
    while (scale * scale * (double)H > 1)
        scale /= 2;
    l->w_ih = numbers(d->dtype, GH * I, scale, NULL), l->b_ih = numbers(d->dtype, GH, scale, NULL);
    if (l->info.recurrent)
        l->w_hh = numbers(d->dtype, GH * H, scale, NULL), l->b_hh = numbers(d->dtype, GH, scale, NULL);
    pack_weights(l);
    l->x = numbers(d->dtype, d->T * N * I, 1, NULL), l->dy = numbers(d->dtype, d->T * N * H, 1, NULL);
    if (state)
        l->h_0 = numbers(d->dtype, state, 1, NULL), l->dh_n = numbers(d->dtype, state, 1, NULL);
    if (l->info.has_c)
        l->c_0 = numbers(d->dtype, state, 1, NULL), l->dc_n = numbers(d->dtype, state, 1, NULL);
    const fr_idx sizes[N_OUTPUTS] = {
        [Y] = d->T * N * H,
        [H_N] = state,
        [C_N] = l->info.has_c ? state : 0,
        [DGATES] = l->R * l->info.S * H,
        [TAPE_C] = l->info.has_c ? l->R * H : 0,
        [DX] = d->T * N * I,
        [DH_0] = state,
        [DC_0] = l->info.has_c ? state : 0,
        [DW_IH] = GH * I,
        [DW_HH] = l->info.recurrent ? GH * H : 0,
        [DB_IH] = GH,
        [DB_HH] = l->info.recurrent ? GH : 0,
    };
    memcpy(l->n, sizes, sizeof sizes);
}

static void make_layer(struct layer *l, const fr_desc *d, int ragged, int update)
{
    *l = (struct layer){.d = *d, .R = d->T * d->N};
    check(fr_get_cell_info(d->cell, &l->info));
    if (ragged)
        order_rows(l);
    choose_update(l, update);
    fill_layer(l);
}

static void free_layer(struct layer *l)
{
    void *const all[] = {l->w_ih,
                         l->w_hh,
                         l->b_ih,
                         l->b_hh,
                         l->x,
                         l->h_0,
                         l->c_0,
                         l->dy,
                         l->dh_n,
                         l->dc_n,
                         (void *)l->update.fraction_h,
                         (void *)l->update.fraction_c,
                         (void *)l->update.mask,
                         l->pack[0],
                         l->pack[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

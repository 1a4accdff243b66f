/* SPDX-License-Identifier: BSD-3-Clause
 *
 * products.h - what the products of the forward loop read of the weights, and the one with the inputs.
 *
 * Weights are packed before a call, or where each is read once (reads_once), a few panels at a time into the same memory,
 * just before a product reads them there. An element is the same chain of vfma either way. Forward passes of one step
 * behind new weights, in the time of those that pack all before, LSTM, one thread of Zen 5 with AVX-512: 0.83 to 0.9 at 1
 * to 4 rows of 64 to 256 units, 0.55 at 1 row of 512, 0.97 to 1 at 16 to 64 rows of 256 and 320.
 *
 * The loops are expanded for each way, `packed` or not: where one loop asked, inference took 1 to 5 % longer at
 * (100, 1, 64, 64) and (200, 4, 16, 32). */

/* Groups of rows would each pack all panels; and where packing before has more threads than the call, it is faster. */
static int must_pack_forward(const fr_desc *d)
{
    if (!reads_once(d))
        return 1;
    const struct grid grid = plan(d, FR_FORWARD, d->n_threads);
    return grid.rows > 1 || grid.cols < pack_team(d, FR_FORWARD);
}

static const real *input_panels(const struct forward_call *f, const struct stage *t, fr_idx p, int np)
{
    assert(np * t->Gx * t->ub <= PRODUCT_VECTORS);
    pack_units(f->a->w_ih, f->d->I, f->d->H, t->Gx, t->gate_x, t->ub, (struct range){p, p + np}, f->space.panels);
    return f->space.panels;
}

static const real *recurrent_panels(const struct forward_call *f, const struct stage *t, fr_idx p, int np)
{
    assert(np * t->Gh * t->ub <= PRODUCT_VECTORS);
    pack_units(f->a->w_hh, f->d->H, f->d->H, t->Gh, t->gate_h, t->ub, (struct range){p, p + np}, f->space.panels);
    return f->space.panels;
}

/* tile = b + x W for m rows of the chunk, in every panel of every stage that this thread owns */
INLINE void project(const int packed, const struct forward_call *f, fr_idx m)
{
    const fr_idx I = f->d->I;
    real        *tiles = f->space.tiles;
    for (int k = 0; k < stage_count(f->cell); k++) {
        const struct stage *t = &f->cell->stage[k];
        const struct range  own = own_panels(f->d, t, f->grid, f->rank);
        const fr_idx        w_panel = I * t->Gx * t->ub * VL, c_panel = m * t->S * t->ub * VL;
        for (fr_idx p = own.lo; p < own.hi;) {
            const int ub = panel_vectors(f->d->H, t->ub, p), width = t->S * ub * VL;
            const int np = panel_group(panels_at_once(m, t->Gx * t->ub), f->d->H, t->ub, p, own.hi);
            for (int q = 0; q < np; q++) {
                const real *bias = f->pack[k].bias + (p + q) * t->S * t->ub * VL;
                for (fr_idx i = 0; i < m; i++)
                    for (int j = 0; j < width; j += VL)
                        store(tiles + q * c_panel + i * width + j, load(bias + j));
            }
            const real          *panels = packed ? f->pack[k].wx + p * w_panel : input_panels(f, t, p, np);
            const struct product product = {
                .k = I,
                .a = {f->space.x, 1},
                .b = {panels, t->Gx * ub * VL, w_panel},
                .c = {tiles + t->x0 * ub * VL, width, c_panel},
            };
            gemm(m, np, t->Gx * ub, &product);
            p += np, tiles += np * c_panel;
        }
    }
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pack.h - weights in the order in which gemm reads them, made once per change of the weights.
 *
 * forward, per stage: the columns of a panel are `ub` vectors of units of each gate of the window, so that one tile of
 * the product holds every gate of its units and the cell can finish them while they are in L1:
 *
 *     wx    [panel][I][Gx][ub][VL]        bias  [panel][S][ub][VL]
 *     wh    [panel][H][Gh][ub][VL]        or, of a layer with d->nonzeros, what sparse.h says
 *
 * backward, per stage: the transposes, gates as rows, in plain panels of MAX_NV vectors:
 *
 *     wh_t  [panel of H][Gh*H][nv][VL]    wx_t  [panel of I][Gx*H][nv][VL]
 */
struct stage_pack {
    real         *wx, *wh, *bias; /* forward */
    real         *wx_t, *wh_t;    /* backward */
    struct sparse sparse;         /* forward, in the place of wh */
};

/* Where each part lies from `base` on; returns the bytes of all. */
static size_t pack_layout(const fr_desc *d, fr_pass pass, void *base, struct stage_pack out[2])
{
    const struct cell *cell = &cells[d->cell];
    const fr_idx       I = d->I, H = d->H, Hv = round_up(H, VL), Iv = round_up(I, VL);
    struct arena       a = {base, 0};
    for (int k = 0; k < stage_count(cell); k++) {
        const struct stage *t = &cell->stage[k];
        struct stage_pack  *s = &out[k];
        if (pass == FR_FORWARD) {
            s->wx = reserve(&a, I * t->Gx * Hv, sizeof(real));
            s->sparse = (struct sparse){.K = d->nonzeros, .H = H, .ub = t->ub};
            if (d->nonzeros) {
                s->sparse.values = reserve(&a, d->nonzeros * Hv, sizeof(real));
                s->sparse.columns = reserve(&a, d->nonzeros * Hv, sizeof(int32_t));
            } else
                s->wh = reserve(&a, H * t->Gh * Hv, sizeof(real));
            s->bias = reserve(&a, t->S * Hv, sizeof(real));
        } else {
            s->wh_t = reserve(&a, t->Gh * H * Hv, sizeof(real));
            s->wx_t = reserve(&a, t->Gx * H * Iv, sizeof(real));
        }
    }
    return a.used;
}

static size_t pack_bytes(const fr_desc *d, fr_pass pass)
{
    struct stage_pack none[2];
    return pack_layout(d, pass, NULL, none);
}

/* A thread's part of the packing. */
struct part {
    int rank, parts;
};

/* Some panels of w (gates*H, K) -> [panel][K][G][ub][VL], of the G gates named in `gate`; units beyond H are 0. By squares
 * of VL units and VL elements of k, each read and written in whole vectors: rows are often 2^n apart and would evict each
 * other. */
static void pack_units(const real *w, fr_idx K, fr_idx H, int G, const int *gate, int ub_full, struct range panels,
                       real *to)
{
    for (fr_idx p = panels.lo; p < panels.hi; p++, to += K * G * ub_full * VL) {
        const int width = panel_vectors(H, ub_full, p) * VL;
        for (fr_idx k = 0; k < K; k += VL)
            for (int g = 0; g < G; g++)
                for (int v = 0; v < width; v += VL) {
                    vec          square[VL];
                    const fr_idx j = p * ub_full * VL + v, n = K - k < VL ? K - k : VL;
#pragma GCC unroll 16
                    for (int u = 0; u < VL; u++)
                        square[u] = j + u < H ? load_part(w + (gate[g] * H + j + u) * K + k, n) : (vec){0};
                    transpose(square);
#pragma GCC unroll 16
                    for (int l = 0; l < VL; l++)
                        if (l < n)
                            store(to + ((k + l) * G + g) * width + v, square[l]);
                }
    }
}

/* Row k of a matrix of K rows and n columns in panels of nv_full vectors. */
INLINE void pack_row(const real *row, fr_idx k, fr_idx K, fr_idx n, int nv_full, real *to)
{
    for (fr_idx p = 0; p < panel_count(n, nv_full); p++) {
        const int nv = panel_vectors(n, nv_full, p);
        real     *panel = to + p * K * nv_full * VL + k * nv * VL;
        for (int v = 0; v < nv; v++) {
            const fr_idx j = (p * nv_full + v) * VL;
            store(panel + v * VL, load_part(row + j, n - j));
        }
    }
}

/* w (gates*H, n) -> panels of the rows of the gates named */
static void pack_gates(const real *w, fr_idx n, fr_idx H, int G, const int *gate, real *to, struct part part)
{
    const struct range own = partition(G * H, part.rank, part.parts);
    for (fr_idx k = own.lo; k < own.hi; k++)
        pack_row(w + (gate[k / H] * H + k % H) * n, k, G * H, n, MAX_NV, to);
}

static void pack_bias(const struct stage *t, fr_idx H, const real *b_ih, const real *b_hh, real *to)
{
    for (fr_idx p = 0; p < panel_count(H, t->ub); p++) {
        const int ub = panel_vectors(H, t->ub, p);
        for (int b = 0; b < t->S; b++)
            for (int v = 0; v < ub; v++, to += VL) {
                const fr_idx j = (p * t->ub + v) * VL;
                const int    gx = b - t->x0, gh = b - t->h0;
                vec          sum = {0};
                if (b_ih && gx >= 0 && gx < t->Gx)
                    sum += load_part(b_ih + t->gate_x[gx] * H + j, H - j);
                if (b_hh && gh >= 0 && gh < t->Gh)
                    sum += load_part(b_hh + t->gate_h[gh] * H + j, H - j);
                store(to, sum);
            }
    }
}

struct pack_job {
    const fr_desc *d;
    fr_pass        pass;
    const void    *w_ih, *w_hh, *b_ih, *b_hh;
    void          *to;
};

static void pack_prepare(const void *job, struct grid grid) { (void)job, (void)grid; }

static void pack_thread(const void *job, struct grid grid, int rank)
{
    const struct pack_job *a = job;
    const fr_desc         *d = a->d;
    const struct cell     *cell = &cells[d->cell];
    const struct part      part = {rank, grid.cols};
    struct stage_pack      s[2];
    pack_layout(d, a->pass, a->to, s);
    for (int k = 0; k < stage_count(cell); k++) {
        const struct stage *t = &cell->stage[k];
        if (a->pass == FR_FORWARD) {
            const struct range own = partition(panel_count(d->H, t->ub), rank, part.parts);
            const fr_idx       before = own.lo * t->ub * VL;
            pack_units(a->w_ih, d->I, d->H, t->Gx, t->gate_x, t->ub, own, s[k].wx + before * t->Gx * d->I);
            if (d->nonzeros)
                pack_sparse(a->w_hh, d->H, partition(round_up(d->H, VL) / VL, rank, part.parts), s[k].sparse);
            else if (t->Gh)
                pack_units(a->w_hh, d->H, d->H, t->Gh, t->gate_h, t->ub, own, s[k].wh + before * t->Gh * d->H);
            if (rank == 0)
                pack_bias(t, d->H, a->b_ih, a->b_hh, s[k].bias);
        } else {
            if (t->Gh)
                pack_gates(a->w_hh, d->H, d->H, t->Gh, t->gate_h, s[k].wh_t, part);
            pack_gates(a->w_ih, d->I, d->H, t->Gx, t->gate_x, s[k].wx_t, part);
        }
    }
}

/* How many threads pack. */
static int pack_team(const fr_desc *d, fr_pass pass)
{
    return team_for(2.0 * (double)pack_bytes(d, pass) / TEAM_PACK_BYTES, d->n_threads);
}

static void pack(const fr_desc *d, fr_pass pass, const void *w_ih, const void *w_hh, const void *b_ih, const void *b_hh,
                 void *to)
{
    const struct pack_job job = {d, pass, w_ih, w_hh, b_ih, b_hh, to};
    const struct grid     grid = {1, pack_team(d, pass)};
    run_team(grid, d->n_threads, pack_prepare, pack_thread, &job);
}

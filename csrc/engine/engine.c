/* SPDX-License-Identifier: BSD-3-Clause
 *
 * engine.c - the one translation unit of an engine, compiled once for each instruction set and number type:
 *
 *     FR_BITS    32 or 64: float or double
 *     FR_ISA     the name of the instruction set, a string; the compiler's -m flags choose the instructions
 *     FR_ENGINE  the symbol of the table below, the only one that is not static
 *
 * The defaults let `cc -std=c11 -c engine.c` and an editor read it without a build system. */
#ifndef FR_BITS
#define FR_BITS 32
#endif
#ifndef FR_ISA
#define FR_ISA "baseline"
#endif
#ifndef FR_ENGINE
#define FR_ENGINE fr_engine_baseline_f32
#endif

#if defined __linux__
#define _GNU_SOURCE /* syscall and sched_getcpu, for the barrier */
#endif

#include "../engine.h"

/* Each uses only what stands before it. */
#include "simd.h"
#include "square.h"
#include "limits.h"
#include "act.h"
#include "gemm.h"
#include "barrier.h"
#include "team.h"
#include "arena.h"
#include "cell.h"
#include "sparse.h"
#include "pack.h"
#include "rows.h"
#include "cost.h"
#include "plan.h"
#include "forward_call.h"
#include "products.h"
#include "forward.h"
#include "backward_call.h"
#include "transposed.h"
#include "across.h"
#include "grads.h"
#include "backward.h"
#include "move_rows.h"
#include "update.h"
#include "wide.h"
#include "norm.h"
#include "pool.h"
#include "softmax.h"
#include "cross_entropy.h"
#include "scaled.h"
#include "lattice.h"
#include "ctc.h"
#include "dots.h"
#include "attend.h"
#include "attend_back.h"
#include "probe.h"

static size_t workspace_bytes(const fr_desc *d, fr_pass pass)
{
    return region_bytes(d, pass, pass == FR_FORWARD ? forward_region : backward_region);
}

static int must_pack(const fr_desc *d, fr_pass pass)
{
    return pass == FR_FORWARD ? must_pack_forward(d) : must_pack_backward(d);
}

static int threads_pay(const fr_desc *d)
{
    const fr_caches      caches = own_caches();
    const struct planned one = plan_on(d, FR_FORWARD, 1, &caches);
    return one.seconds > join_seconds(2);
}

static fr_idx backward_piece(const fr_desc *d, fr_idx s_hi)
{
    const fr_idx steps = piece_steps(d, FR_BACKWARD);
    fr_idx       s = s_hi;
    while (s > 0 && s_hi - s < steps)
        s = chunk_start(d, 0, s);
    return s;
}

static void cell_info(fr_cell code, fr_cell_info *info)
{
    const struct cell *cell = &cells[code];
    *info = (fr_cell_info){
        .name = cell->name,
        .activation = cell->activation,
        .gates = cell->gates,
        .G = gate_count(cell),
        .S = block_count(cell),
        .has_c = cell->has_c,
        .recurrent = cell->stage[0].Gh > 0,
    };
    for (int k = 0; k < stage_count(cell); k++) /* a gate lies where its input weights feed */
        for (int g = 0; g < cell->stage[k].Gx; g++)
            info->gate_block[cell->stage[k].gate_x[g]] = cell->stage[k].block + cell->stage[k].x0 + g;
}

static void test_act(fr_act act, fr_idx n, const void *x, void *y)
{
    const real   *from = x;
    real         *to = y;
    const fp_mode mode = flush_denormals();
    for (fr_idx i = 0; i < n; i += VL) {
        const vec v = load_part(from + i, n - i);
        const vec result = act == FR_SIGMOID ? sigmoid(v)
                           : act == FR_TANH  ? tanh_(v)
                           : act == FR_SELU  ? selu(v)
                                             : exp_minus(vabs(v));
        store_part(to + i, result, n - i);
    }
    restore_denormals(mode);
}

struct test_gemm_space {
    const real **rows;           /* (m) of a */
    real        *packed, *tiles; /* b and c as panels */
};

static size_t test_gemm_layout(const fr_test_gemm_args *a, char *base, struct test_gemm_space *out)
{
    const fr_idx width = panel_count(a->n, a->nv) * a->nv * VL;
    struct arena arena = {base, 0};
    out->rows = reserve(&arena, a->m, sizeof *out->rows);
    out->packed = reserve(&arena, a->k * width, sizeof(real));
    out->tiles = reserve(&arena, a->m * width, sizeof(real));
    return arena.used;
}

static size_t test_gemm_bytes(const fr_test_gemm_args *a)
{
    struct test_gemm_space none;
    return test_gemm_layout(a, NULL, &none);
}

static void test_gemm(const fr_test_gemm_args *a)
{
    const fr_idx           m = a->m, n = a->n, k = a->k, width = a->nv * VL, panels = panel_count(n, a->nv);
    real                  *c = a->c;
    struct test_gemm_space s;
    test_gemm_layout(a, a->workspace, &s);
    for (fr_idx i = 0; i < m; i++)
        s.rows[i] = (const real *)a->a + i * k;
    for (fr_idx l = 0; l < k; l++)
        pack_row((const real *)a->b + l * n, l, k, n, a->nv, s.packed);
    for (fr_idx i = 0; i < m; i++)
        for (fr_idx j = 0; j < panels * width; j++)
            s.tiles[j / width * m * width + i * width + j % width] = j < n ? c[i * n + j] : 0;
    for (fr_idx p = 0; p < panels;) {
        const int            nv = panel_vectors(n, a->nv, p);
        const int            np = panel_group(panels_at_once(m, nv), n, a->nv, p, panels);
        const struct product product = {
            .k = k,
            .a = {s.rows, 1},
            .b = {s.packed + p * k * width, nv * VL, k * width},
            .c = {s.tiles + p * m * width, width, m * width},
        };
        gemm(m, np, nv, &product);
        p += np;
    }
    for (fr_idx i = 0; i < m; i++)
        for (fr_idx j = 0; j < n; j++)
            c[i * n + j] = s.tiles[j / width * m * width + i * width + j % width];
}

static struct fr_planned test_plan(const fr_desc *d, fr_pass pass, const fr_caches *caches)
{
    const fr_caches      own = own_caches();
    const struct planned p = plan_on(d, pass, d->n_threads, caches ? caches : &own);
    return (struct fr_planned){p.grid.rows, p.grid.cols, p.seconds};
}

extern const struct fr_engine FR_ENGINE;
const struct fr_engine        FR_ENGINE = {
    .isa = FR_ISA,
    .must_pack = must_pack,
    .pack_bytes = pack_bytes,
    .pack = pack,
    .most_nonzero = most_nonzero,
    .sparse_pays = sparse_pays,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .backward = backward,
    .move_rows = move_rows,
    .threads_pay = threads_pay,
    .piece_steps = piece_steps,
    .backward_piece = backward_piece,
    .cell_info = cell_info,
    .update = update,
    .sum_of_squares = sum_of_squares,
    .max_pool = max_pool,
    .cross_entropy = cross_entropy,
    .ctc_bytes = ctc_bytes,
    .ctc = ctc,
    .attention_forward = attention_forward,
    .attention_backward = attention_backward,
    .attention_outer = attention_outer,
    .test_act = test_act,
    .test_gemm_bytes = test_gemm_bytes,
    .test_gemm = test_gemm,
    .test_plan = test_plan,
    .probe = probe,
};

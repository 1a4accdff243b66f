/* SPDX-License-Identifier: BSD-3-Clause
 *
 * engine.c - the one translation unit of an engine. The build compiles it once for each instruction set and number type:
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
#include "act.h"
#include "gemm.h"
#include "team.h"
#include "cell.h"
#include "pack.h"
#include "rows.h"
#include "forward.h"
#include "backward_call.h"
#include "grads.h"
#include "backward.h"
#include "update.h"
#include "norm.h"
#include "probe.h"

static size_t workspace_bytes(const fr_desc *d, fr_pass pass)
{
    return region_bytes(d, pass == FR_FORWARD ? forward_region : backward_region);
}

static int threads_pay(const fr_desc *d)
{
    const struct grid two = plan(d, 2);
    return two.rows * two.cols > 1;
}

static fr_idx forward_piece(const fr_desc *d, fr_idx s_lo)
{
    const fr_idx s_hi = s_lo + piece_steps(d, 1);
    return s_hi < d->T ? s_hi : d->T;
}

static fr_idx backward_piece(const fr_desc *d, fr_idx s_hi)
{
    const fr_idx steps = piece_steps(d, 2);
    fr_idx       s = s_hi;
    while (s > 0 && s_hi - s < steps)
        s = chunk_start(d, 0, s);
    return s;
}

static void cell_info(fr_cell cell, fr_cell_info *info)
{
    info->G = cells[cell].G;
    info->S = cells[cell].S;
    info->has_c = cells[cell].has_c;
    info->recurrent = cells[cell].stage[0].Gh > 0;
}

static void test_act(fr_act act, fr_idx n, const void *x, void *y)
{
    const real   *from = x;
    real         *to = y;
    const fp_mode mode = flush_denormals();
    for (fr_idx i = 0; i < n; i += VL) {
        const vec v = load_part(from + i, n - i);
        store_part(to + i, act == FR_SIGMOID ? sigmoid(v) : act == FR_TANH ? tanh_(v) : selu(v), n - i);
    }
    restore_denormals(mode);
}

static void test_gemm(fr_idx m, fr_idx n, fr_idx k, const void *a, const void *b, void *c, void *workspace)
{
    enum { WIDTH = MAX_NV * VL };
    const fr_idx panels = panel_count(n, MAX_NV);
    struct arena arena = {workspace, 0};
    const real **rows = take(&arena, m, sizeof *rows);
    real        *packed = take(&arena, panels * k * WIDTH, sizeof(real)),
         *tiles = take(&arena, panels * m * WIDTH, sizeof(real));
    for (fr_idx i = 0; i < m; i++)
        rows[i] = (const real *)a + i * k;
    for (fr_idx l = 0; l < k; l++)
        pack_row((const real *)b + l * n, l, k, n, packed);
    for (fr_idx i = 0; i < m; i++)
        for (fr_idx j = 0; j < panels * WIDTH; j++)
            tiles[j / WIDTH * m * WIDTH + i * WIDTH + j % WIDTH] = j < n ? ((real *)c)[i * n + j] : 0;
    for (fr_idx p = 0; p < panels;) {
        const int nv = panel_vectors(n, MAX_NV, p);
        const int np = panel_group(panels_at_once(m, nv), n, MAX_NV, p, panels);
        gemm(m, np, nv, k, rows, 1, packed + p * k * WIDTH, nv * VL, k * WIDTH, tiles + p * m * WIDTH, WIDTH,
             m * WIDTH);
        p += np;
    }
    for (fr_idx i = 0; i < m; i++)
        for (fr_idx j = 0; j < n; j++)
            ((real *)c)[i * n + j] = tiles[j / WIDTH * m * WIDTH + i * WIDTH + j % WIDTH];
}

extern const struct fr_engine FR_ENGINE;
const struct fr_engine        FR_ENGINE = {
    .isa = FR_ISA,
    .pack_bytes = pack_bytes,
    .pack = pack,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .backward = backward,
    .threads_pay = threads_pay,
    .forward_piece = forward_piece,
    .backward_piece = backward_piece,
    .cell_info = cell_info,
    .update = update,
    .sum_of_squares = sum_of_squares,
    .test_act = test_act,
    .test_gemm = test_gemm,
    .probe = probe,
};

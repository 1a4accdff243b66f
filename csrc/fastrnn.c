/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fastrnn.c - the C API: checks the arguments that could make an engine misbehave, and calls the engine. */
#include "fastrnn.h"

#include <stdint.h>

#include "engine.h"
#include "fits.h"

#if !defined FR_VERSION /* CMake passes it */
#define FR_VERSION "unversioned"
#endif

const char *fr_version(void) { return FR_VERSION; }

static const char *const messages[] = {
    [-FR_OK] = "no error",
    [-FR_ECELL] = "unknown cell",
    [-FR_EDTYPE] = "unknown dtype",
    [-FR_EISA] = "this machine cannot run the engine asked for",
    [-FR_ESIZE] = "a size is out of range",
    [-FR_EOVERFLOW] = "the sizes are too large: their product overflows",
    [-FR_ESTOPPED] = "the call was stopped",
};

const char *fr_strerror(int code)
{
    return code <= 0 && -code < (int)(sizeof messages / sizeof *messages) ? messages[-code] : "unknown error";
}

static int may_be_sparse(const fr_desc *d, const struct fr_engine *engine)
{
    fr_cell_info cell;
    engine->cell_info(d->cell, &cell);
    return cell.activation != NULL;
}

int fr_check(const fr_desc *d, const struct fr_engine **engine)
{
    if (d->cell < 0 || d->cell >= FR_N_CELLS)
        return FR_ECELL;
    if (d->dtype != FR_F32 && d->dtype != FR_F64)
        return FR_EDTYPE;
    if (!(*engine = fr_find_engine(d->isa, d->dtype)))
        return FR_EISA;
    if (d->T < 0 || d->N < 0 || d->I < 1 || d->H < 1 || d->n_threads < 1)
        return FR_ESIZE;
    if (d->nonzeros < 0 || d->nonzeros > d->H || (d->nonzeros && !may_be_sparse(d, *engine)))
        return FR_ESIZE;
    if (d->packed && (!d->rows || d->source))
        return FR_ESIZE;
    if (!fits(d->T, 1, 1) || !fits(d->N, 1, 1) || !fits(d->I, 1, 1) || !fits(d->H, 1, 1))
        return FR_EOVERFLOW;
    const fr_idx H = d->H + 64, I = d->I + 64, T = d->T + 1, N = d->N + 1;
    if (!fits(H, H, 1) || !fits(H, I, 1) || !fits(T, N, H) || !fits(T, N, I))
        return FR_EOVERFLOW;
    return FR_OK;
}

int fr_get_cell_info(fr_cell cell, fr_cell_info *info)
{
    if (cell < 0 || cell >= FR_N_CELLS)
        return FR_ECELL;
    fr_find_engine(fr_isa_count() - 1, FR_F32)->cell_info(cell, info);
    return FR_OK;
}

int fr_must_pack(const fr_desc *d, fr_pass pass)
{
    const struct fr_engine *engine;
    return fr_check(d, &engine) != FR_OK || engine->must_pack(d, pass);
}

int fr_pack_bytes(const fr_desc *d, fr_pass pass, size_t *bytes)
{
    const struct fr_engine *engine;
    const int               rc = fr_check(d, &engine);
    if (rc == FR_OK)
        *bytes = engine->pack_bytes(d, pass);
    return rc;
}

int fr_pack(const fr_desc *d, fr_pass pass, const void *w_ih, const void *w_hh, const void *b_ih, const void *b_hh,
            void *pack)
{
    const struct fr_engine *engine;
    const int               rc = fr_check(d, &engine);
    if (rc == FR_OK && pass == FR_FORWARD && d->nonzeros && engine->most_nonzero(w_hh, d->H) > d->nonzeros)
        return FR_ESIZE;
    if (rc == FR_OK)
        engine->pack(d, pass, w_ih, w_hh, b_ih, b_hh, pack);
    return rc;
}

int fr_nonzeros(const fr_desc *d, const void *w_hh, fr_idx *nonzeros)
{
    const struct fr_engine *engine;
    const int               rc = fr_check(d, &engine);
    if (rc != FR_OK)
        return rc;
    *nonzeros = may_be_sparse(d, engine) ? engine->most_nonzero(w_hh, d->H) : 0;
    if (!engine->sparse_pays(*nonzeros, d->H))
        *nonzeros = 0;
    return FR_OK;
}

const char *fr_rule_name(int rule)
{
    static const char *const names[FR_N_RULES] = {
        [FR_PLAIN] = "plain",     [FR_ADAGRAD] = "adagrad",
        [FR_RMSPROP] = "rmsprop", [FR_RMSPROP_CENTERED] = "rmsprop_centered",
        [FR_ADAM] = "adam",
    };
    return rule >= 0 && rule < FR_N_RULES ? names[rule] : NULL;
}

const char *fr_act_name(int act)
{
    static const char *const names[FR_N_ACTS] = {
        [FR_SIGMOID] = "sigmoid", [FR_TANH] = "tanh", [FR_SELU] = "selu", [FR_EXP] = "exp"};
    return act >= 0 && act < FR_N_ACTS ? names[act] : NULL;
}

const char *fr_probe_name(int what)
{
    static const char *const names[FR_N_PROBES] = {
        [FR_PROBE_FMA] = "fma", [FR_PROBE_READ] = "read", [FR_PROBE_BARRIER] = "barrier"};
    return what >= 0 && what < FR_N_PROBES ? names[what] : NULL;
}

static int check_update(const fr_update_args *a)
{
    if (a->dtype != FR_F32 && a->dtype != FR_F64)
        return FR_EDTYPE;
    if (!fr_find_engine(a->isa, a->dtype))
        return FR_EISA;
    return a->rule < 0 || a->rule >= FR_N_RULES || a->n < 0 || a->n_threads < 1 ? FR_ESIZE : FR_OK;
}

int fr_update(fr_idx count, const fr_update_args *args)
{
    for (fr_idx i = 0; i < count; i++) {
        const int rc = check_update(args + i);
        if (rc != FR_OK)
            return rc;
    }
    for (fr_idx i = 0, end; i < count; i = end) {
        const struct fr_engine *engine = fr_find_engine(args[i].isa, args[i].dtype);
        for (end = i + 1; end < count && args[end].isa == args[i].isa && args[end].dtype == args[i].dtype;)
            end++;
        engine->update(end - i, args + i);
    }
    return FR_OK;
}

int fr_sum_of_squares(int isa, fr_dtype dtype, fr_idx n, const void *x, double *sum)
{
    const struct fr_engine *engine = fr_find_engine(isa, dtype);
    if (!engine)
        return FR_EISA;
    *sum = engine->sum_of_squares(n, x);
    return FR_OK;
}

int fr_max_pool(const fr_max_pool_args *a)
{
    const struct fr_engine *engine = fr_find_engine(a->isa, a->dtype);
    if (!engine)
        return FR_EISA;
    if (a->T < 0 || a->N < 0 || a->F < 1)
        return FR_ESIZE;
    if (a->T > INT32_MAX || !fits(a->T + 1, a->N + 1, a->F)) /* steps are counted in numbers of the width of x */
        return FR_EOVERFLOW;
    engine->max_pool(a);
    return FR_OK;
}

int fr_test_act(int isa, fr_dtype dtype, fr_act act, fr_idx n, const void *x, void *y)
{
    const struct fr_engine *engine = fr_find_engine(isa, dtype);
    if (!engine)
        return FR_EISA;
    engine->test_act(act, n, x, y);
    return FR_OK;
}

static int check_gemm(const fr_test_gemm_args *a, const struct fr_engine **engine)
{
    if (!(*engine = fr_find_engine(a->isa, a->dtype)))
        return FR_EISA;
    return a->m < 0 || a->n < 0 || a->k < 0 || a->nv < 1 || a->nv > 4 ? FR_ESIZE : FR_OK;
}

int fr_test_gemm_bytes(const fr_test_gemm_args *a, size_t *bytes)
{
    const struct fr_engine *engine;
    const int               rc = check_gemm(a, &engine);
    if (rc == FR_OK)
        *bytes = engine->test_gemm_bytes(a);
    return rc;
}

int fr_test_gemm(const fr_test_gemm_args *a)
{
    const struct fr_engine *engine;
    const int               rc = check_gemm(a, &engine);
    if (rc == FR_OK)
        engine->test_gemm(a);
    return rc;
}

int fr_test_plan(const fr_desc *d, fr_pass pass, const size_t *caches, int *grid, double *seconds)
{
    const struct fr_engine *engine;
    const int               rc = fr_check(d, &engine);
    if (rc != FR_OK)
        return rc;
    const fr_caches         given = caches ? (fr_caches){caches[0], caches[1], caches[2]} : (fr_caches){0};
    const struct fr_planned planned = engine->test_plan(d, pass, caches ? &given : NULL);
    grid[0] = planned.rows, grid[1] = planned.cols, *seconds = planned.seconds;
    return FR_OK;
}

int fr_run_probe(int isa, fr_dtype dtype, fr_probe what, int n_threads, size_t nbytes, fr_idx repeats, void *buffer,
                 double *work)
{
    const struct fr_engine *engine = fr_find_engine(isa, dtype);
    if (!engine)
        return FR_EISA;
    if (n_threads < 1 || n_threads > FR_MAX_THREADS || nbytes < 512 || repeats < 1)
        return FR_ESIZE;
    *work = engine->probe(what, n_threads, nbytes, repeats, buffer);
    return FR_OK;
}

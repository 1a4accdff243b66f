/* SPDX-License-Identifier: BSD-3-Clause
 *
 * losses.c - the C API of losses: checks the sizes, and calls the engine. */
#include "engine.h"
#include "fits.h"

int fr_cross_entropy(const fr_cross_entropy_args *a)
{
    const struct fr_engine *engine = fr_find_engine(a->isa, a->dtype);
    if (!engine)
        return FR_EISA;
    if (a->M < 0 || a->V < 1 || a->n_threads < 1 || a->lo < 0 || a->lo > a->hi || a->hi > a->M)
        return FR_ESIZE;
    if (!fits(a->M, a->V, 1))
        return FR_EOVERFLOW;
    engine->cross_entropy(a);
    return FR_OK;
}

static int check_ctc(const fr_ctc_args *a, const struct fr_engine **engine)
{
    if (!(*engine = fr_find_engine(a->isa, a->dtype)))
        return FR_EISA;
    if (a->T < 0 || a->N < 0 || a->V < 1 || a->S < 0 || a->blank < 0 || a->blank >= a->V || a->n_threads < 1)
        return FR_ESIZE;
    const int sized = fits(a->T, 1, 1) && fits(a->N, 1, 1) && fits(a->S, 1, 1);
    if (!sized || !fits(a->T, a->N, a->V) || !fits(a->T + 1, a->S + 64, a->n_threads))
        return FR_EOVERFLOW;
    return FR_OK;
}

int fr_ctc_bytes(const fr_ctc_args *a, size_t *bytes)
{
    const struct fr_engine *engine;
    const int               rc = check_ctc(a, &engine);
    if (rc == FR_OK)
        *bytes = engine->ctc_bytes(a);
    return rc;
}

int fr_ctc(const fr_ctc_args *a)
{
    const struct fr_engine *engine;
    const int               rc = check_ctc(a, &engine);
    if (rc != FR_OK)
        return rc;
    if (a->lo < 0 || a->lo > a->hi || a->hi > a->N)
        return FR_ESIZE;
    engine->ctc(a);
    return FR_OK;
}

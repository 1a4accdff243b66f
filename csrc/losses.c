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

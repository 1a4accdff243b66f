/* SPDX-License-Identifier: BSD-3-Clause
 *
 * attention.c - the C API of attention: checks the sizes, and calls the engine. */
#include "engine.h"
#include "fits.h"

/* The sizes of what (S, N, T) and (N, T, features) are, and of rows of so many features. */
static int check_sizes(fr_idx S, fr_idx N, fr_idx T, fr_idx features)
{
    if (S < 0 || N < 0 || T < 0 || features < 1)
        return FR_ESIZE;
    const int sized = fits(S, 1, 1) && fits(N, 1, 1) && fits(T, 1, 1) && fits(features, 1, 1);
    if (!sized || !fits(S + 1, N + 1, T) || !fits(N + 1, T + 1, features) || !fits(S + 1, N + 1, features))
        return FR_EOVERFLOW;
    return FR_OK;
}

static int check_attention(const fr_attention_args *a, const struct fr_engine **engine)
{
    if (!(*engine = fr_find_engine(a->isa, a->dtype)))
        return FR_EISA;
    if (a->n_threads < 1)
        return FR_ESIZE;
    const int rc = check_sizes(a->S, a->N, a->T, a->K);
    return rc == FR_OK ? check_sizes(a->S, a->N, a->T, a->M) : rc;
}

int fr_attention_forward(const fr_attention_args *a)
{
    const struct fr_engine *engine;
    const int               rc = check_attention(a, &engine);
    if (rc == FR_OK)
        engine->attention_forward(a);
    return rc;
}

int fr_attention_backward(const fr_attention_args *a)
{
    const struct fr_engine *engine;
    const int               rc = check_attention(a, &engine);
    if (rc == FR_OK)
        engine->attention_backward(a);
    return rc;
}

int fr_attention_outer(const fr_attention_outer_args *a)
{
    const struct fr_engine *engine = fr_find_engine(a->isa, a->dtype);
    if (!engine)
        return FR_EISA;
    if (a->n_threads < 1)
        return FR_ESIZE;
    const int rc = check_sizes(a->S, a->N, a->T, a->M);
    if (rc == FR_OK)
        engine->attention_outer(a);
    return rc;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pooling.h - pooling over time: a part of fastrnn.h, which includes it. */
#ifndef FASTRNN_POOLING_H
#define FASTRNN_POOLING_H

/* The largest value of each feature over the steps of each row (engine/pool.h). */
typedef struct {
    fr_dtype      dtype;
    int           isa;
    fr_idx        T, N, F;
    const void   *x;     /* row n of step t is F numbers, at x[first[t] + n*x_sn] */
    const fr_idx *first; /* (T) */
    fr_idx        x_sn;
    const fr_idx *lengths; /* (N) how many steps each row has, 0..T */
    void         *y;       /* (N, F) out; 0 of a row without steps */
    fr_idx       *steps;   /* (N, F) out: the first step that has the value; 0 likewise */
} fr_max_pool_args;
int fr_max_pool(const fr_max_pool_args *a);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * losses.h - losses with their gradients: a part of fastrnn.h, which includes it.
 *
 * Sizes    V classes, M rows of logits.
 *
 * A caller may run the rows of a call in pieces lo..hi-1, in any order. */
#ifndef FASTRNN_LOSSES_H
#define FASTRNN_LOSSES_H

/* Rows lo..hi-1 of the cross-entropy of softmax(z), and its gradient (engine/cross_entropy.h). The target of row i is
 *     q[k] = spread[i][k], and peak[i] more for k = target[i] */
typedef struct {
    fr_dtype      dtype;
    int           isa, n_threads;
    fr_idx        M, V;
    const void   *z;        /* (M, V) logits */
    const fr_idx *target;   /* (M) the class in 0..V-1, or negative: the row does not count, and its z is not read */
    const double *peak;     /* (M) >= 0 */
    const void   *spread;   /* (M, V) >= 0, with the stride spread_s, which may be 0; or NULL for zero */
    fr_idx        spread_s; /* of the rows of spread */
    const double *scale;    /* (M) what the gradient of each row is multiplied by */
    void         *dz;       /* (M, V) out: the gradient; zero where a row does not count */
    double       *losses;   /* (M) out, not scaled; zero likewise */
    fr_idx        lo, hi;
} fr_cross_entropy_args;
int fr_cross_entropy(const fr_cross_entropy_args *a);

#endif

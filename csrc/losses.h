/* SPDX-License-Identifier: BSD-3-Clause
 *
 * losses.h - losses and their gradients; included by fastrnn.h.
 *
 * Sizes    V classes, M rows of logits, S the most labels of a row; T and N as in fastrnn.h.
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
    void         *dz;       /* (M, V) out: the gradient, which may be z; zero where a row does not count */
    double       *losses;   /* (M) out, not scaled; zero likewise */
    fr_idx        lo, hi;
} fr_cross_entropy_args;
int fr_cross_entropy(const fr_cross_entropy_args *a);

/* Rows lo..hi-1 of a batch: connectionist temporal classification, and its gradient (engine/ctc.h). */
typedef struct {
    fr_dtype      dtype;
    int           isa, n_threads;
    fr_idx        T, N, V, S;
    const void   *z; /* (T, N, V) logits, element (t, n, v) at z[t*z_st + n*z_sn + v] */
    fr_idx        z_st, z_sn;
    const fr_idx *labels; /* (N, S) classes in 0..V-1 other than blank */
    const fr_idx *counts; /* (N) number of labels of each row, 0..S; labels beyond are not read */
    const fr_idx *steps;  /* (N) number of steps of each row, 0..T; steps beyond are not read */
    fr_idx        blank;
    int           zero_infinity; /* an infinite loss, and its gradient, become 0 */
    const double *scale;         /* (N) what the gradient of each row is multiplied by */
    void         *dz;            /* (T, N, V) out: the gradient; zero beyond the steps of a row */
    fr_idx        dz_st, dz_sn;
    double       *losses;    /* (N) out, not scaled: -log P */
    void         *workspace; /* fr_ctc_bytes, 64-byte aligned */
    fr_idx        lo, hi;
} fr_ctc_args;
int fr_ctc_bytes(const fr_ctc_args *a, size_t *bytes); /* pointers, lo and hi are not read */
int fr_ctc(const fr_ctc_args *a);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * attention.h - attention of queries to a memory, forward and backward; included by fastrnn.h.
 *
 * Sizes    S queries of each row of the batch, K features of a query and a key, M of a value; T steps of the memory, N
 *          rows.
 *
 * Rows are independent, and so are the queries of a row: a caller may run any of them in separate calls. */
#ifndef FASTRNN_ATTENTION_H
#define FASTRNN_ATTENTION_H

/* (S, N, features): those of query s and row n begin at element s*st + n*sn */
typedef struct {
    void  *at;
    fr_idx st, sn;
} fr_attention_rows;

/* context[s] = sum_t weights[s, t] values[t], weights[s] = softmax over t of the scores (engine/attend.h)
 *     v . tanh(query[s] + keys[t])   or, where v is NULL,   query[s] . keys[t] */
typedef struct {
    fr_dtype          dtype;
    int               isa, n_threads;
    fr_idx            S, N, T, K, M;
    const void       *keys;    /* (N, T, K) */
    const void       *values;  /* (N, T, M) */
    const void       *v;       /* (K), or NULL */
    const fr_idx     *lengths; /* (N) number of steps of each row, 0..T; steps beyond are not read; NULL: all T */
    fr_attention_rows query;   /* (S, N, K) */
    fr_attention_rows weights; /* (S, N, T) out of the forward pass, 0 beyond a row's steps; in for the backward pass */
    fr_attention_rows context; /* (S, N, M) out of the forward pass; the rest is of the backward pass alone */
    fr_attention_rows dcontext; /* (S, N, M) */
    fr_attention_rows dweights; /* (S, N, T), or at NULL: zero */
    fr_attention_rows dscores;  /* (S, N, T) out: of the scores; 0 beyond a row's steps */
    fr_attention_rows dquery;   /* (S, N, K) out */
    void             *dhidden;  /* (N, T, K) added to: the gradient of the keys without the factor v[k]; NULL as v */
    void             *dv;       /* (N, K) added to: the gradient of v from each row; NULL as v */
} fr_attention_args;
/* The backward pass does not read queries whose dcontext and dweights, within the row's steps, are all 0. */
int fr_attention_forward(const fr_attention_args *a);
int fr_attention_backward(const fr_attention_args *a);

/* total[n, t] += sum_s columns[s, n, t] rows[s, n]: of the weights and dcontext, the gradient of the values; of dscores
 * and the queries, where scores are products, that of the keys. If either is all 0, the other is not read. */
typedef struct {
    fr_dtype          dtype;
    int               isa, n_threads;
    fr_idx            S, N, T, M;
    const fr_idx     *lengths; /* as above */
    fr_attention_rows columns; /* (S, N, T) */
    fr_attention_rows rows;    /* (S, N, M) */
    void             *total;   /* (N, T, M) */
} fr_attention_outer_args;
int fr_attention_outer(const fr_attention_outer_args *a);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * engine.h - an engine: the kernels for one instruction set and one number type, as a table.
 *
 * The table is data only. Whether this machine can run an engine is decided in dispatch.c, which is compiled without
 * the instructions in question. */
#ifndef FASTRNN_ENGINE_H
#define FASTRNN_ENGINE_H

#include "fastrnn.h"

/* A piece of a pass through one layer in one direction: steps s_lo..s_hi-1 (step s is time s, or in reverse the s-th from
 * a row's end). Pieces follow one another, backwards in a backward pass, with the same arguments and the same, untouched
 * workspace. What is between two layers is packed, as the sequences themselves may be. */
struct fr_piece {
    void  *workspace; /* workspace_bytes, 64-byte aligned */
    fr_idx s_lo, s_hi;
    int    x_packed, y_packed, dx_packed, dy_packed; /* (R, ...) in the order of the tape */
};

/* A sequence (T, N, ...) of a caller's, or packed (R, ...). */
struct fr_sequence {
    void  *at;
    fr_idx st, sn;
    int    packed;
};

/* to = from kept scale, or where kept is NULL to += from, in the rows of sequences of `width` features. */
struct fr_rows_job {
    struct fr_sequence from, to, kept; /* kept: bytes, 0 or 1 */
    fr_idx             width;
    double             scale;
};

/* Bytes of the caches of a core, or its share of them. */
typedef struct {
    size_t l1, l2, l3;
} fr_caches;

/* How a call is divided among threads (engine/team.h), and how long it takes by the model of engine/cost.h. */
struct fr_planned {
    int    rows, cols;
    double seconds;
};

struct fr_engine {
    const char *isa;
    int (*must_pack)(const fr_desc *d, fr_pass pass);
    size_t (*pack_bytes)(const fr_desc *d, fr_pass pass);
    void (*pack)(const fr_desc *d, fr_pass pass, const void *w_ih, const void *w_hh, const void *b_ih, const void *b_hh,
                 void *to);
    fr_idx (*most_nonzero)(const void *w_hh, fr_idx H); /* in a row, and at least 1 */
    int (*sparse_pays)(fr_idx nonzeros, fr_idx H);      /* in each row of H: is it faster to skip the others? */
    size_t (*workspace_bytes)(const fr_desc *d, fr_pass pass);
    void (*forward)(const fr_desc *d, const fr_forward_args *a, const struct fr_piece *piece);
    void (*backward)(const fr_desc *d, const fr_backward_args *a, const struct fr_piece *piece);
    void (*move_rows)(const fr_desc *d, const struct fr_rows_job *a);
    int (*threads_pay)(const fr_desc *d);                  /* may a call use more than one thread? */
    fr_idx (*piece_steps)(const fr_desc *d, fr_pass pass); /* of about a tenth of a second; more than T without rows */
    fr_idx (*backward_piece)(const fr_desc *d, fr_idx s_hi); /* s_lo of one: it must be there, so that the bits do not
                                                              * depend on the pieces */
    void (*cell_info)(fr_cell cell, fr_cell_info *info);
    void (*update)(fr_idx count, const fr_update_args *args);
    double (*sum_of_squares)(fr_idx n, const void *x);
    void (*max_pool)(const fr_max_pool_args *a);
    void (*cross_entropy)(const fr_cross_entropy_args *a);
    size_t (*ctc_bytes)(const fr_ctc_args *a);
    void (*ctc)(const fr_ctc_args *a);
    void (*attention_forward)(const fr_attention_args *a);
    void (*attention_backward)(const fr_attention_args *a);
    void (*attention_outer)(const fr_attention_outer_args *a);
    void (*test_act)(fr_act act, fr_idx n, const void *x, void *y);
    size_t (*test_gemm_bytes)(const fr_test_gemm_args *a);
    void (*test_gemm)(const fr_test_gemm_args *a);
    struct fr_planned (*test_plan)(const fr_desc *d, fr_pass pass, const fr_caches *caches);
    double (*probe)(fr_probe what, int n_threads, size_t nbytes, fr_idx repeats, void *buffer);
};

/* caches.c: always the same, because workspaces are laid out by it. */
fr_caches fr_machine_caches(void);

/* threads.c: how many threads the region of a call has that needs so many and may have n_threads. */
int fr_region_threads(int needed, int n_threads);

/* The engine of an isa and number type, or NULL where there is none or this machine cannot run it. */
const struct fr_engine *fr_find_engine(int isa, fr_dtype dtype);

/* FR_OK and the engine of a layer, or what is wrong with its sizes. */
int fr_check(const fr_desc *d, const struct fr_engine **engine);

#endif

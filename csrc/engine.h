/* SPDX-License-Identifier: BSD-3-Clause
 *
 * engine.h - an engine: the kernels for one instruction set and one number type, as a table.
 *
 * The table is data only. Whether this machine can run an engine is decided in dispatch.c, which is compiled without
 * the instructions in question. */
#ifndef FASTRNN_ENGINE_H
#define FASTRNN_ENGINE_H

#include "fastrnn.h"

struct fr_engine {
    const char *isa;
    size_t (*pack_bytes)(const fr_desc *d, fr_pass pass);
    void (*pack)(const fr_desc *d, fr_pass pass, const void *w_ih, const void *w_hh, const void *b_ih, const void *b_hh,
                 void *to);
    size_t (*workspace_bytes)(const fr_desc *d, fr_pass pass);
    void (*forward)(const fr_desc *d, const fr_forward_args *a);
    void (*backward)(const fr_desc *d, const fr_backward_args *a);
    int (*threads_pay)(const fr_desc *d);
    fr_idx (*forward_piece)(const fr_desc *d, fr_idx s_lo);
    fr_idx (*backward_piece)(const fr_desc *d, fr_idx s_hi);
    void (*cell_info)(fr_cell cell, fr_cell_info *info);
    void (*update)(const fr_update_args *a);
    double (*sum_of_squares)(fr_idx n, const void *x);
    void (*test_act)(fr_act act, fr_idx n, const void *x, void *y);
    size_t (*test_gemm_bytes)(const fr_test_gemm_args *a);
    void (*test_gemm)(const fr_test_gemm_args *a);
    double (*probe)(fr_probe what, int n_threads, size_t nbytes, fr_idx repeats, void *buffer);
};

/* The engine of an isa and number type, or NULL where there is none or this machine cannot run it. */
const struct fr_engine *fr_find_engine(int isa, fr_dtype dtype);

#endif

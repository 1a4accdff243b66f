/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fastrnn.h - recurrent layers on the CPU: the complete C API, which the Python bindings use, too.
 *
 * Sizes    T time steps, N batch rows, I input size, H hidden size, L layers, D directions,
 *          G gates that own weights, S blocks of H values that a step keeps for the backward pass (see fr_cell_info),
 *          R tape rows: the sum over the batch of the lengths (T*N when all rows are full).
 * Arrays   row-major, the last axis contiguous, of the element type desc->dtype. Strides count elements and may be
 *          negative. Every pointer states its shape.
 * Memory   the library never allocates and keeps no pointer after it returns: size / pack / run.
 * Threads  desc->n_threads is an upper bound, and so is FR_MAX_THREADS; the work decides how many are used. Results are
 *          bit-identical for any number of threads.
 * Errors   FR_OK or a negative code; fr_strerror says what it means.
 *
 * Versions The library exports the functions of this header and nothing else. A patch version changes no declaration.
 *          From 1.0 on, a minor version only adds: functions, macros, and enumerators behind the others of their enum
 *          (FR_N_* grow); structs keep their members. Before 1.0 a minor version may change anything. The soname has
 *          the major version, before 1.0 also the minor one, so that no program runs with structs that differ from its
 *          own. Packed weights and workspaces are specific to a build and a machine: their layout may always change. */
#ifndef FASTRNN_H
#define FASTRNN_H

#include <stddef.h>

/* VERSION: the installed header defines FR_VERSION_MAJOR, FR_VERSION_MINOR and FR_VERSION_PATCH here. */

#if defined FR_EXPORT /* while the library is built: what is declared here is exported, and nothing else */
#pragma GCC visibility push(default)
#endif
#if defined __cplusplus
extern "C" {
#endif

/* The version of the library at run time, such as "1.2.3". */
const char *fr_version(void);

typedef ptrdiff_t fr_idx;

typedef enum { /* FR_RNN_TANH .. FR_LINEAR */
#define CELL(code, name, activation, gates, has_c, stages) FR_##code,
#include "cells.h"
#undef CELL
               FR_N_CELLS
} fr_cell;

typedef enum { FR_F32, FR_F64 } fr_dtype;

enum { FR_OK = 0, FR_ECELL = -1, FR_EDTYPE = -2, FR_EISA = -3, FR_ESIZE = -4, FR_EOVERFLOW = -5, FR_ESTOPPED = -6 };
const char *fr_strerror(int code);

/* The name of a cell and the shapes of its arrays. */
typedef struct {
    const char *name;
    const char *activation; /* of a plain recurrent cell: "tanh" ..; else NULL */
    const char *gates; /* a letter for each, in PyTorch's order: the names in the equations; "" for a cell of one sum */
    int         gate_block[4]; /* the block of the tape that holds each, after its activation */
    int         G;             /* gates: w_ih is (G*H, I), w_hh (G*H, H), the biases (G*H) */
    int         S;             /* blocks: a tape row is (S, H) */
    int         has_c;         /* the state is (h, c), not h alone */
    int         recurrent;     /* w_hh exists */
} fr_cell_info;
int fr_get_cell_info(fr_cell cell, fr_cell_info *info);

/* Sizes and order of rows, of one layer in one direction, or common to the layers of a stack. */
typedef struct {
    fr_cell       cell;
    fr_dtype      dtype;
    int           isa;       /* index into the engines, see fr_isa_* below */
    int           n_threads; /* >= 1 */
    int           reverse;   /* walk each row from its own end to its start */
    int           masked;    /* there is a mask, see fr_state_update */
    int           packed;    /* x, y, dx and dy are (R, ...) in the order of the tape; their first stride is not read */
    fr_idx        T, N, I, H;
    const fr_idx *rows;    /* (N) batch rows, longest first. NULL: rows 0..N-1, all of length T */
    const fr_idx *lengths; /* (N) their lengths, not increasing. NULL with rows */
    const fr_idx *first;   /* (T+1) tape row at which a step begins; first[T] = R. NULL with rows */
    /* Batch rows may be parts of longer ones, each with a state of its own. Row rows[i] is then time start[i] and the
     * lengths[i] - 1 after it of row source[i] of the sequences and of the mask, which may be of any size; states
     * remain (N, H), and y is not zeroed beyond the parts. NULL: each from time 0 of the sequences' row rows[i] */
    const fr_idx *source; /* (N) */
    const fr_idx *start;  /* (N) NULL with source */
    fr_idx nonzeros; /* forward, of a plain recurrent cell: no row of w_hh has more that are not 0; 0: all may be */
} fr_desc;

/* Packed weights, in the layout of one engine. They depend on (cell, dtype, isa, I, H) and, forward, on nonzeros. */
typedef enum { FR_FORWARD, FR_BACKWARD } fr_pass;
int fr_must_pack(const fr_desc *d, fr_pass pass); /* 0: a call of these T and rows takes unpacked weights */
int fr_pack_bytes(const fr_desc *d, fr_pass pass, size_t *bytes);
int fr_pack(const fr_desc *d, fr_pass pass, const void *w_ih, /* (G*H, I) gates in PyTorch's order */
            const void *w_hh,                                 /* (G*H, H), NULL if not recurrent */
            const void *b_ih, const void *b_hh,               /* (G*H) each, or NULL */
            void *pack);                                      /* fr_pack_bytes, 64-byte aligned */

/* The fastest value of desc->nonzeros. Skipped weights of 0 do not turn an infinite state into NaN. */
int fr_nonzeros(const fr_desc *d, const void *w_hh, fr_idx *nonzeros);

/* How the state is updated after the cell. All zero: the state is that of the cell. */
typedef struct {
    /* The fraction of the new value, (T, N, H) with strides that may be 0; NULL is 1:
     *     h = fraction_h h~ + (1 - fraction_h) h_prev    h~ by the cell
     *     c = fraction_c c~ + (1 - fraction_c) c_prev    c~ likewise
     * Leaky units have a constant, zoneout zeros and ones in training and their mean in inference. */
    const void *fraction_h, *fraction_c;
    fr_idx      fraction_h_st, fraction_h_sn, fraction_c_st, fraction_c_sn;
    const void *mask; /* (N, H) if desc->masked: multiplies what each product with w_hh reads, at every step */
    double      clip; /* backward: the gradients of the pre-activations are clipped to +-clip; 0: none */
} fr_state_update;

/* A stack of layers of any cells; a linear layer is a cell without a state. Each layer reads the outputs of all
 * directions of the layer below, (T, N, D*H). Entry l*D + d of the arrays belongs to layer l and direction d. */
typedef struct {
    fr_cell cell;
    int     masked;         /* as in fr_desc */
    fr_idx  I, H, nonzeros; /* as in fr_desc; I of a layer above another is the D*H of that one */
} fr_layer;

typedef struct {
    fr_desc         desc; /* what fr_layer has is not read; reverse is of direction 0, and not of direction 1 */
    int             n_layers, n_directions; /* L >= 1 and D, 1 or 2 */
    const fr_layer *layers;                 /* (L*D) */
} fr_stack;
int fr_stack_workspace_bytes(const fr_stack *s, fr_pass pass, size_t *bytes);

/* Whether a call would use a second thread; 0 if the stack is invalid. */
int fr_stack_threads_pay(const fr_stack *s);

/* Dropout of the input of the next layer: y kept scale. Laid out as y, with their own strides. */
typedef struct {
    const unsigned char *kept;   /* (T, N, D*H) of 0 and 1; NULL: y itself is read */
    void                *result; /* (T, N, D*H) out, in forward */
    fr_idx               st, sn;
    double               scale;
} fr_dropout;

/* One layer and direction. */
typedef struct {
    const void *x; /* (T, N, I), element (t, n, i) at x[t*x_st + n*x_sn + i]. Of the first layer */
    fr_idx      x_st, x_sn;
    void  *y; /* (T, N, H) out; zero beyond a row's length. Direction 1 has the columns beside those of direction 0.
                    * NULL below another layer: in the workspace */
    fr_idx y_st, y_sn;
    const void *h_0, *c_0; /* (N, H) in; NULL is zero */
    void *h_n, *c_n; /* (N, H) out, which may be h_0 and c_0; h_n may be NULL. c_n is the running cell without a tape */
    void *gates;     /* (R, S, H) out: the tape, which needs y; NULL for inference */
    void *c;         /* (R, H) out: the tape's cells; NULL for inference or without c */
    const void     *pack, *w_ih, *w_hh, *b_ih, *b_hh; /* as in backward */
    fr_state_update state_update;
    fr_dropout      dropout; /* in direction 0, below another layer */
    int             back;    /* 1: steps 0, 2, .. read the weights from their end, instead of 1, 3, .. Same bits */
} fr_forward_args;

typedef struct {
    const void     *x; /* (T, N, I) as in forward: of the first layer */
    fr_idx          x_st, x_sn;
    const void     *y; /* (T, N, H) as forward wrote it */
    fr_idx          y_st, y_sn;
    const void     *h_0, *c_0; /* (N, H) as in forward */
    void           *gates;     /* (R, S, H) in: the tape of forward, out: its gradient (the tape is used up) */
    const void     *c;         /* (R, H) as forward wrote it */
    const void     *dy;        /* (T, N, H) in, or NULL for zero; below another layer, added to what comes from that */
    fr_idx          dy_st, dy_sn;
    const void     *dh_n, *dc_n; /* (N, H) in, or NULL for zero */
    void           *dx;          /* (T, N, I), added to, of the first layer; or NULL */
    fr_idx          dx_st, dx_sn;
    int             gates_done;  /* gates holds their gradients, only read; adds dx and parameter gradients */
    void           *dh_0, *dc_0; /* (N, H) out, or NULL */
    void           *dw_ih, *dw_hh, *db_ih, *db_hh; /* shapes of the parameters, added to; or NULL, each by itself */
    const void     *pack, *w_ih, *w_hh; /* packed weights; or, if fr_must_pack is 0, NULL and the weights themselves */
    fr_state_update state_update;       /* as in forward */
    fr_dropout      dropout;            /* as in forward: its result is read */
} fr_backward_args;

/* Runs a stack. About every 0.1 s it calls stop(context), unless stop is NULL; if the result is not 0, it returns
 * FR_ESTOPPED, with incomplete outputs. workspace: fr_stack_workspace_bytes, 64-byte aligned. */
typedef int fr_stop_fn(void *context);
int fr_stack_forward(const fr_stack *s, const fr_forward_args *args, void *workspace, fr_stop_fn *stop, void *context);
int fr_stack_backward(const fr_stack *s, const fr_backward_args *args, void *workspace, fr_stop_fn *stop,
                      void *context);

/* One step of an optimizer. Its rules are defined in engine/update.h. */
typedef enum { FR_PLAIN, FR_ADAGRAD, FR_RMSPROP, FR_RMSPROP_CENTERED, FR_ADAM, FR_N_RULES } fr_rule;
const char *fr_rule_name(int rule); /* NULL beyond the end, as of the names below */

typedef struct {
    fr_rule     rule;
    fr_dtype    dtype;
    int         isa, n_threads;
    fr_idx      n;
    void       *p; /* (n) the parameter */
    const void *g; /* (n) its gradient */
    void       *m; /* (n) mean of the gradients: rmsprop centered and adam; else NULL */
    void       *s; /* (n) of their squares, the mean or the sum: all rules but plain; else NULL */
    void       *v; /* (n) velocity, or NULL: no momentum */
    double      rate, keep, decay, beta1, beta2, root, eps, momentum;
    int         nesterov;
} fr_update_args;
int fr_update(fr_idx count, const fr_update_args *args); /* of `count` parameters; on error none has changed */
int fr_sum_of_squares(int isa, fr_dtype dtype, fr_idx n, const void *x, double *sum); /* x is (n) */

#include "losses.h"
#include "attention.h"
#include "pooling.h"

/* Engines, best first. */
int         fr_isa_count(void);
const char *fr_isa_name(int isa);   /* NULL beyond the end */
int         fr_isa_usable(int isa); /* can this machine run it? */

/* The OpenMP runtime, or its absence. */
enum { FR_MAX_THREADS = 1024 }; /* of a call */
int  fr_openmp(void);           /* built with OpenMP */
int  fr_thread_limit(void);     /* 1 inside a parallel region, in a child of fork that must not, or without OpenMP */
int  fr_max_threads(void);      /* what OpenMP would give a region of the calling thread now, 1..FR_MAX_THREADS */
void fr_init(void);             /* once, at the start: makes fork safe after threads have run */

/* Not API: single kernels, for tests and benchmarks. They may change or go in any version. */
typedef enum { FR_SIGMOID, FR_TANH, FR_SELU, FR_EXP, FR_N_ACTS } fr_act; /* FR_EXP: e^-|x| */
const char *fr_act_name(int act);
int         fr_test_act(int isa, fr_dtype dtype, fr_act act, fr_idx n, const void *x, void *y);

typedef struct {
    fr_dtype    dtype;
    int         isa, nv; /* nv: vectors in a panel of b, 1..4 */
    fr_idx      m, n, k;
    const void *a, *b;     /* (m, k) and (k, n) */
    void       *c;         /* (m, n), added to */
    void       *workspace; /* fr_test_gemm_bytes, 64-byte aligned */
} fr_test_gemm_args;
int fr_test_gemm_bytes(const fr_test_gemm_args *a, size_t *bytes);
int fr_test_gemm(const fr_test_gemm_args *a);

/* The division of a call, (rows, cols), its predicted seconds. caches: bytes of (L1, L2, L3); NULL: this machine's */
int fr_test_plan(const fr_desc *d, fr_pass pass, const size_t *caches, int *grid, double *seconds);

/* Limits of the machine. work: floating-point operations, bytes, or barriers done. The caller measures the time. */
typedef enum { FR_PROBE_FMA, FR_PROBE_READ, FR_PROBE_BARRIER, FR_N_PROBES } fr_probe;
const char *fr_probe_name(int what);

/* buffer is (n_threads, nbytes), and nbytes at least 512 */
int fr_run_probe(int isa, fr_dtype dtype, fr_probe what, int n_threads, size_t nbytes, fr_idx repeats, void *buffer,
                 double *work);

#if defined __cplusplus
}
#endif
#if defined FR_EXPORT
#pragma GCC visibility pop
#endif

#endif

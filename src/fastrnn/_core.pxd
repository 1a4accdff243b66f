# SPDX-License-Identifier: BSD-3-Clause
"""What the bindings use of csrc/fastrnn.h."""

cdef extern from "fastrnn.h" nogil:
    ctypedef Py_ssize_t fr_idx

    ctypedef enum fr_cell:
        FR_N_CELLS

    ctypedef enum fr_dtype:
        FR_F32
        FR_F64

    ctypedef enum fr_pass:
        FR_FORWARD
        FR_BACKWARD

    enum:
        FR_OK
        FR_ESIZE
        FR_EOVERFLOW
        FR_ESTOPPED

    const char *fr_strerror(int code)

    ctypedef struct fr_cell_info:
        const char *name
        const char *activation
        const char *gates
        int gate_block[4]
        int G, S, has_c, recurrent
    int fr_get_cell_info(fr_cell cell, fr_cell_info *info)

    ctypedef struct fr_desc:
        fr_cell cell
        fr_dtype dtype
        int isa, n_threads, reverse, masked, packed
        fr_idx T, N, I, H
        const fr_idx *rows
        const fr_idx *lengths
        const fr_idx *first
        const fr_idx *source
        const fr_idx *start
        fr_idx nonzeros

    int fr_must_pack(const fr_desc *d, fr_pass which)
    int fr_pack_bytes(const fr_desc *d, fr_pass which, size_t *nbytes)
    int fr_pack(const fr_desc *d, fr_pass which, const void *w_ih, const void *w_hh, const void *b_ih, const void *b_hh,
                void *pack)
    int fr_nonzeros(const fr_desc *d, const void *w_hh, fr_idx *nonzeros)

    ctypedef struct fr_state_update:
        const void *fraction_h
        const void *fraction_c
        fr_idx fraction_h_st, fraction_h_sn, fraction_c_st, fraction_c_sn
        const void *mask
        double clip

    ctypedef struct fr_layer:
        fr_cell cell
        int masked
        fr_idx I, H, nonzeros

    ctypedef struct fr_stack:
        fr_desc desc
        int n_layers, n_directions
        const fr_layer *layers

    int fr_stack_workspace_bytes(const fr_stack *s, fr_pass which, size_t *nbytes)
    int fr_stack_threads_pay(const fr_stack *s)

    ctypedef struct fr_dropout:
        const unsigned char *kept
        void *result
        fr_idx st, sn
        double scale

    ctypedef struct fr_forward_args:
        const void *x
        fr_idx x_st, x_sn
        void *y
        fr_idx y_st, y_sn
        const void *h_0, *c_0
        void *h_n, *c_n, *gates, *c
        const void *pack
        const void *w_ih, *w_hh, *b_ih, *b_hh
        fr_state_update state_update
        fr_dropout dropout
        int back

    ctypedef struct fr_backward_args:
        const void *x
        fr_idx x_st, x_sn
        const void *y
        fr_idx y_st, y_sn
        const void *h_0, *c_0
        void *gates
        const void *c
        const void *dy
        fr_idx dy_st, dy_sn
        const void *dh_n, *dc_n
        void *dx
        fr_idx dx_st, dx_sn
        int gates_done
        void *dh_0, *dc_0, *dw_ih, *dw_hh, *db_ih, *db_hh
        const void *pack
        const void *w_ih
        const void *w_hh
        fr_state_update state_update
        fr_dropout dropout

    ctypedef int fr_stop_fn(void *context) noexcept
    int fr_stack_forward(const fr_stack *s, const fr_forward_args *args, void *workspace, fr_stop_fn *stop,
                         void *context)
    int fr_stack_backward(const fr_stack *s, const fr_backward_args *args, void *workspace, fr_stop_fn *stop,
                          void *context)

    ctypedef enum fr_rule:
        FR_PLAIN
        FR_RMSPROP_CENTERED
        FR_ADAM
        FR_N_RULES
    const char *fr_rule_name(int rule)

    ctypedef struct fr_update_args:
        fr_rule rule
        fr_dtype dtype
        int isa, n_threads
        fr_idx n
        void *p
        const void *g
        void *m
        void *s
        void *v
        double rate, keep, decay, beta1, beta2, root, eps, momentum
        int nesterov
    int fr_update(fr_idx count, const fr_update_args *args)
    int fr_sum_of_squares(int isa, fr_dtype dtype, fr_idx n, const void *x, double *sum)

    ctypedef struct fr_max_pool_args:
        fr_dtype dtype
        int isa
        fr_idx T, N, F
        const void *x
        const fr_idx *first
        fr_idx x_sn
        const fr_idx *lengths
        void *y
        fr_idx *steps
    int fr_max_pool(const fr_max_pool_args *a)

    ctypedef struct fr_cross_entropy_args:
        fr_dtype dtype
        int isa, n_threads
        fr_idx M, V
        const void *z
        const fr_idx *target
        const double *peak
        const void *spread
        fr_idx spread_s
        const double *scale
        void *dz
        double *losses
        fr_idx lo, hi
    int fr_cross_entropy(const fr_cross_entropy_args *a)

    ctypedef struct fr_ctc_args:
        fr_dtype dtype
        int isa, n_threads
        fr_idx T, N, V, S
        const void *z
        fr_idx z_st, z_sn
        const fr_idx *labels
        const fr_idx *counts
        const fr_idx *steps
        fr_idx blank
        int zero_infinity
        const double *scale
        void *dz
        fr_idx dz_st, dz_sn
        double *losses
        void *workspace
        fr_idx lo, hi
    int fr_ctc_bytes(const fr_ctc_args *a, size_t *nbytes)
    int fr_ctc(const fr_ctc_args *a)

    ctypedef struct fr_attention_rows:
        void *at
        fr_idx st, sn

    ctypedef struct fr_attention_args:
        fr_dtype dtype
        int isa, n_threads
        fr_idx S, N, T, K, M
        const void *keys
        const void *values
        const void *v
        const fr_idx *lengths
        fr_attention_rows query, weights, context, dcontext, dweights, dscores, dquery
        void *dhidden
        void *dv
    int fr_attention_forward(const fr_attention_args *a)
    int fr_attention_backward(const fr_attention_args *a)

    ctypedef struct fr_attention_outer_args:
        fr_dtype dtype
        int isa, n_threads
        fr_idx S, N, T, M
        const fr_idx *lengths
        fr_attention_rows columns, rows
        void *total
    int fr_attention_outer(const fr_attention_outer_args *a)

    int fr_isa_count()
    const char *fr_isa_name(int isa)
    int fr_isa_usable(int isa)

    int fr_openmp()
    enum:
        FR_MAX_THREADS
    int fr_thread_limit()
    int fr_max_threads()
    void fr_init()

    ctypedef enum fr_act:
        FR_N_ACTS
    const char *fr_act_name(int act)
    int fr_test_act(int isa, fr_dtype dtype, fr_act act, fr_idx n, const void *x, void *y)

    int fr_test_plan(const fr_desc *d, fr_pass which, const size_t *caches, int *grid, double *seconds)

    ctypedef struct fr_test_gemm_args:
        fr_dtype dtype
        int isa, nv
        fr_idx m, n, k
        const void *a
        const void *b
        void *c
        void *workspace
    int fr_test_gemm_bytes(const fr_test_gemm_args *a, size_t *nbytes)
    int fr_test_gemm(const fr_test_gemm_args *a)

    ctypedef enum fr_probe:
        FR_N_PROBES
    const char *fr_probe_name(int what)
    int fr_run_probe(int isa, fr_dtype dtype, fr_probe what, int n_threads, size_t nbytes, fr_idx repeats, void *buffer,
                     double *work)

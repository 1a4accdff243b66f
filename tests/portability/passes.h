/* SPDX-License-Identifier: BSD-3-Clause
 *
 * passes.h - a layer forward and backward, by every number of threads and in pieces, to the same bits. */

/* Forward in pieces of `steps`, or where the library says (0). With the tape, or without it as in inference. */
static void forward(const struct layer *l, int threads, fr_idx steps, int tape, void *const *out)
{
    fr_desc d = l->d;
    size_t  bytes;
    d.n_threads = threads;
    check(fr_workspace_bytes(&d, FR_FORWARD, &bytes));
    fr_forward_args a = {
        .x = l->x,
        .x_st = l->batch_first ? d.I : d.N * d.I,
        .x_sn = l->batch_first ? d.T * d.I : d.I,
        .y = out[Y],
        .y_st = l->batch_first ? d.H : d.N * d.H,
        .y_sn = l->batch_first ? d.T * d.H : d.H,
        .h_0 = l->h_0,
        .c_0 = l->c_0,
        .h_n = out[H_N],
        .c_n = out[C_N],
        .gates = tape && l->info.recurrent ? out[DGATES] : NULL,
        .c = tape ? out[TAPE_C] : NULL,
        .pack = l->pack[FR_FORWARD],
        .workspace = memory(bytes),
        .state_update = l->update,
    };
    do {
        a.s_hi = steps ? a.s_lo + steps : fr_forward_piece(&d, a.s_lo);
        a.s_hi = a.s_hi < d.T ? a.s_hi : d.T;
        check(fr_forward(&d, &a));
        a.s_lo = a.s_hi;
    } while (a.s_hi < d.T);
    free(a.workspace);
}

static void backward(const struct layer *l, int threads, void *const *out)
{
    fr_desc d = l->d;
    size_t  bytes;
    d.n_threads = threads;
    check(fr_workspace_bytes(&d, FR_BACKWARD, &bytes));
    const fr_idx     y_st = l->batch_first ? d.H : d.N * d.H, y_sn = l->batch_first ? d.T * d.H : d.H;
    const fr_idx     x_st = l->batch_first ? d.I : d.N * d.I, x_sn = l->batch_first ? d.T * d.I : d.I;
    fr_backward_args a = {
        .x = l->x,
        .x_st = x_st,
        .x_sn = x_sn,
        .y = out[Y],
        .y_st = y_st,
        .y_sn = y_sn,
        .h_0 = l->h_0,
        .c_0 = l->c_0,
        .gates = out[DGATES],
        .c = out[TAPE_C],
        .dy = l->dy,
        .dy_st = y_st,
        .dy_sn = y_sn,
        .dh_n = l->dh_n,
        .dc_n = l->dc_n,
        .dx = out[DX],
        .dx_st = x_st,
        .dx_sn = x_sn,
        .dh_0 = out[DH_0],
        .dc_0 = out[DC_0],
        .dw_ih = out[DW_IH],
        .dw_hh = out[DW_HH],
        .db_ih = out[DB_IH],
        .db_hh = out[DB_HH],
        .pack = l->pack[FR_BACKWARD],
        .workspace = memory(bytes),
        .state_update = l->update,
        .s_hi = d.T,
    };
    do {
        a.s_lo = fr_backward_piece(&d, a.s_hi);
        check(fr_backward(&d, &a));
        a.s_hi = a.s_lo;
    } while (a.s_lo > 0);
    free(a.workspace);
}

/* Outputs; those that a pass adds to begin with the same numbers in each run. */
static void new_outputs(const struct layer *l, void **out)
{
    random_state = 1;
    for (int k = 0; k < N_OUTPUTS; k++) {
        out[k] = l->n[k] ? memory((size_t)l->n[k] * size_of(l->d.dtype)) : NULL;
        if (out[k] && (k == DX || k >= DW_IH))
            numbers(l->d.dtype, l->n[k], 0.25, out[k]);
    }
}

static void free_outputs(void **out)
{
    for (int k = 0; k < N_OUTPUTS; k++)
        free(out[k]);
}

static void compare_run(const struct label *label, const struct layer *l, void *const *first, int threads, fr_idx steps)
{
    void *out[N_OUTPUTS], *inference[N_OUTPUTS];
    char  run[60];
    new_outputs(l, out);
    forward(l, threads, steps, 1, out);
    backward(l, threads, out);
    snprintf(run, sizeof run, "%d threads, pieces of %d steps", threads, (int)steps);
    for (int k = 0; k < N_OUTPUTS; k++)
        same_bits(label, output_name[k], run, (size_t)l->n[k] * size_of(l->d.dtype), first[k], out[k]);
    free_outputs(out);
    new_outputs(l, inference);
    forward(l, threads, steps, 0, inference);
    snprintf(run, sizeof run, "%d threads, pieces of %d steps, no tape", threads, (int)steps);
    for (int k = Y; k <= C_N; k++)
        same_bits(label, output_name[k], run, (size_t)l->n[k] * size_of(l->d.dtype), first[k], inference[k]);
    free_outputs(inference);
}

static void run_layer(struct label label, const struct layer *l)
{
    const long forward_terms = (long)(l->d.I + l->d.H), GH = (long)(l->info.G * l->d.H), TN = (long)(l->d.T * l->d.N);
    void      *first[N_OUTPUTS];
    new_outputs(l, first);
    forward(l, 1, 0, 1, first);
    backward(l, 1, first);
    label.steps = (long)l->d.T;
    for (int k = 0; k < N_OUTPUTS; k++) {
        label.backward = k > TAPE_C;
        label.terms = !label.backward ? forward_terms : GH > TN ? GH : TN;
        if (l->n[k])
            write_result(&label, output_name[k], l->n[k], first[k]);
    }
    compare_run(&label, l, first, 1, 1);
    for (size_t i = 0; i < sizeof thread_counts / sizeof *thread_counts; i++)
        compare_run(&label, l, first, thread_counts[i], i ? 0 : 3);
    free_outputs(first);
}

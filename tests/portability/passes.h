/* SPDX-License-Identifier: BSD-3-Clause
 *
 * passes.h - a layer forward and backward, by every number of threads, to the same bits. */

/* A stack of this one layer, and the workspace of a pass. */
static fr_stack stack_of(const struct layer *l, int threads, fr_layer *layer)
{
    *layer = (fr_layer){.cell = l->d.cell, .masked = l->d.masked, .I = l->d.I, .H = l->d.H};
    fr_stack s = {.desc = l->d, .n_layers = 1, .n_directions = 1, .layers = layer};
    s.desc.n_threads = threads;
    return s;
}

static void *workspace(const fr_stack *s, fr_pass pass)
{
    size_t bytes;
    check(fr_stack_workspace_bytes(s, pass, &bytes));
    return memory(bytes);
}

/* With the tape, or without it as in inference. */
static void forward(const struct layer *l, int threads, int tape, void *const *out)
{
    const fr_desc         d = l->d;
    fr_layer              layer;
    const fr_stack        s = stack_of(l, threads, &layer);
    void *const           at = workspace(&s, FR_FORWARD);
    const fr_forward_args a = {
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
        .state_update = l->update,
    };
    check(fr_stack_forward(&s, &a, at, NULL, NULL));
    free(at);
}

static void backward(const struct layer *l, int threads, void *const *out)
{
    const fr_desc          d = l->d;
    fr_layer               layer;
    const fr_stack         s = stack_of(l, threads, &layer);
    void *const            at = workspace(&s, FR_BACKWARD);
    const fr_idx           y_st = l->batch_first ? d.H : d.N * d.H, y_sn = l->batch_first ? d.T * d.H : d.H;
    const fr_idx           x_st = l->batch_first ? d.I : d.N * d.I, x_sn = l->batch_first ? d.T * d.I : d.I;
    const fr_backward_args a = {
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
        .state_update = l->update,
    };
    check(fr_stack_backward(&s, &a, at, NULL, NULL));
    free(at);
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

static void compare_run(const struct label *label, const struct layer *l, void *const *first, int threads)
{
    void *out[N_OUTPUTS], *inference[N_OUTPUTS];
    char  run[60];
    new_outputs(l, out);
    forward(l, threads, 1, out);
    backward(l, threads, out);
    snprintf(run, sizeof run, "%d threads", threads);
    for (int k = 0; k < N_OUTPUTS; k++)
        same_bits(label, output_name[k], run, (size_t)l->n[k] * size_of(l->d.dtype), first[k], out[k]);
    free_outputs(out);
    new_outputs(l, inference);
    forward(l, threads, 0, inference);
    snprintf(run, sizeof run, "%d threads, no tape", threads);
    for (int k = Y; k <= C_N; k++)
        same_bits(label, output_name[k], run, (size_t)l->n[k] * size_of(l->d.dtype), first[k], inference[k]);
    free_outputs(inference);
}

static void run_layer(struct label label, const struct layer *l)
{
    const long forward_terms = (long)(l->d.I + l->d.H), GH = (long)(l->info.G * l->d.H), TN = (long)(l->d.T * l->d.N);
    void      *first[N_OUTPUTS];
    new_outputs(l, first);
    forward(l, 1, 1, first);
    backward(l, 1, first);
    label.steps = (long)l->d.T;
    for (int k = 0; k < N_OUTPUTS; k++) {
        label.backward = k > TAPE_C;
        label.terms = !label.backward ? forward_terms : GH > TN ? GH : TN;
        if (l->n[k])
            write_result(&label, output_name[k], l->n[k], first[k]);
    }
    for (int i = 0; i < N_THREAD_COUNTS; i++)
        compare_run(&label, l, first, thread_counts[i]);
    free_outputs(first);
}

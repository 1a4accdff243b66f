/* SPDX-License-Identifier: BSD-3-Clause
 *
 * loss_kernels.h - cross-entropy and CTC by themselves. The losses take a logarithm of the C library, which rounds as it
 * likes, so only the gradients are written. */

enum { PIECES = N_THREAD_COUNTS + 1, LOSS_RUNS }; /* one thread, several, then as many in pieces */

struct loss_run {
    double *losses;
    void   *dz;
};

static int loss_threads(int run) { return run == 0 ? 1 : run == PIECES ? 3 : thread_counts[run - 1]; }

static void compare_losses(struct label label, fr_idx rows, fr_idx logits, const struct loss_run *run)
{
    for (int k = 1; k < LOSS_RUNS; k++) {
        const char *const way = k == PIECES ? "pieces" : "several threads";
        same_bits(&label, "losses", way, (size_t)rows * sizeof(double), run[0].losses, run[k].losses);
        same_bits(&label, "dz", way, (size_t)logits * size_of(label.dtype), run[0].dz, run[k].dz);
    }
    write_result(&label, "dz", logits, run[0].dz);
    for (int k = 0; k < LOSS_RUNS; k++)
        free(run[k].losses), free(run[k].dz);
}

/* n numbers in [0, 1). */
static void *shares(fr_dtype dtype, fr_idx n)
{
    void *at = memory((size_t)n * size_of(dtype));
    for (fr_idx i = 0; i < n; i++) {
        const double value = below(1 << 20) / (double)(1 << 20);
        if (dtype == FR_F32)
            ((float *)at)[i] = (float)value;
        else
            ((double *)at)[i] = value;
    }
    return at;
}

static void run_cross_entropy(struct label label, int isa, fr_idx M, fr_idx V)
{
    char            what[60];
    struct loss_run run[LOSS_RUNS];
    fr_idx         *target = memory((size_t)M * sizeof *target);
    double         *ones = memory((size_t)M * sizeof *ones);
    random_state = (uint64_t)(M + V);
    for (fr_idx i = 0; i < M; i++)
        target[i] = i % 4 == 3 ? -1 : below((int)V), ones[i] = 1;
    fr_cross_entropy_args a = {.dtype = label.dtype, .isa = isa, .M = M, .V = V};
    void *const z = numbers(label.dtype, M * V, 8, NULL), *const spread = shares(label.dtype, V);
    a.z = z, a.target = target, a.peak = a.scale = ones, a.spread = spread;
    for (int k = 0; k < LOSS_RUNS; k++) {
        a.losses = run[k].losses = memory((size_t)M * sizeof(double));
        a.dz = run[k].dz = memory((size_t)(M * V) * size_of(label.dtype));
        a.n_threads = loss_threads(k);
        for (a.lo = 0; a.lo < M; a.lo = a.hi) {
            a.hi = k == PIECES && a.lo + 2 < M ? a.lo + 2 : M;
            check(fr_cross_entropy(&a));
        }
    }
    snprintf(what, sizeof what, "cross-entropy M=%d V=%d", (int)M, (int)V);
    label.what = what, label.terms = (long)V, label.steps = 1, label.backward = 1;
    compare_losses(label, M, M * V, run);
    free(z), free(spread), free(target), free(ones);
}

/* Labels of few classes, some like the one before; a row without any, and one without steps. */
static void make_ctc_rows(const fr_ctc_args *a, fr_idx *labels, fr_idx *counts, fr_idx *steps)
{
    for (fr_idx n = 0; n < a->N; n++) {
        counts[n] = n ? n % (a->S + 1) : a->S;
        steps[n] = n == a->S + 1 ? 0 : a->T - n;
        for (fr_idx u = 0; u < a->S; u++)
            labels[n * a->S + u] = 1 + below(2);
    }
}

static void run_ctc(struct label label, int isa, fr_idx T, fr_idx N, fr_idx V, fr_idx S)
{
    char            what[60];
    size_t          bytes;
    struct loss_run run[LOSS_RUNS];
    fr_idx         *labels = memory((size_t)(N * S) * sizeof *labels), *counts = memory(2 * (size_t)N * sizeof *counts);
    double         *scale = memory((size_t)N * sizeof *scale);
    fr_ctc_args     a = {.dtype = label.dtype, .isa = isa, .T = T, .N = N, .V = V, .S = S};
    random_state = (uint64_t)(T + S);
    make_ctc_rows(&a, labels, counts, counts + N);
    for (fr_idx n = 0; n < N; n++)
        scale[n] = 1;
    void *const z = numbers(label.dtype, T * N * V, 8, NULL);
    a.z = z, a.z_st = a.dz_st = N * V, a.z_sn = a.dz_sn = V;
    a.labels = labels, a.counts = counts, a.steps = counts + N, a.scale = scale;
    a.n_threads = thread_counts[N_THREAD_COUNTS - 1]; /* the most */
    check(fr_ctc_bytes(&a, &bytes));
    a.workspace = memory(bytes);
    for (int k = 0; k < LOSS_RUNS; k++) {
        a.losses = run[k].losses = memory((size_t)N * sizeof(double));
        a.dz = run[k].dz = memory((size_t)(T * N * V) * size_of(label.dtype));
        a.n_threads = loss_threads(k);
        for (a.lo = 0; a.lo < N; a.lo = a.hi) {
            a.hi = k == PIECES && a.lo + 2 < N ? a.lo + 2 : N;
            check(fr_ctc(&a));
        }
    }
    snprintf(what, sizeof what, "CTC T=%d N=%d V=%d S=%d", (int)T, (int)N, (int)V, (int)S);
    label.what = what, label.terms = (long)V, label.steps = (long)T, label.backward = 1;
    compare_losses(label, N, T * N * V, run);
    free(z), free(labels), free(counts), free(scale), free(a.workspace);
}

static void run_losses(struct label label, int isa)
{
    for (fr_idx V = 1; V < 300; V = 3 * V + 1)
        run_cross_entropy(label, isa, 13, V);
    for (fr_idx S = 1; S <= 17; S = 2 * S + 1)
        run_ctc(label, isa, 2 * S + 12, 6, 5, S);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * attention_kernels.h - attention by itself, forward and back. */

enum { ATTENTION_RUNS = N_THREAD_COUNTS + 1, ATTENTION_OUTPUTS = 7 };

static const char *const attention_output[] = {"context", "weights", "dscores", "dquery", "dhidden", "dv", "dvalues"};

/* (S, N, features), of random numbers. */
static fr_attention_rows attended(const fr_attention_args *a, fr_idx features)
{
    return (fr_attention_rows){numbers(a->dtype, a->S * a->N * features, 2, NULL), a->N * features, features};
}

static void *zeros(fr_dtype dtype, fr_idx n)
{
    return memset(memory((size_t)n * size_of(dtype)), 0, (size_t)n * size_of(dtype));
}

/* One run with results of its own; those that there are not, without v, are NULL. */
static void attention_run(fr_attention_args a, int threads, const fr_idx *size, void **out)
{
    for (int k = 0; k < ATTENTION_OUTPUTS; k++)
        out[k] = size[k] ? zeros(a.dtype, size[k]) : NULL;
    a.n_threads = threads;
    a.context = (fr_attention_rows){out[0], a.N * a.M, a.M}, a.weights = (fr_attention_rows){out[1], a.N * a.T, a.T};
    a.dscores = (fr_attention_rows){out[2], a.N * a.T, a.T}, a.dquery = (fr_attention_rows){out[3], a.N * a.K, a.K};
    a.dhidden = out[4], a.dv = out[5];
    check(fr_attention_forward(&a));
    check(fr_attention_backward(&a));
    fr_attention_outer_args outer = {.dtype = a.dtype, .isa = a.isa, .n_threads = threads};
    outer.S = a.S, outer.N = a.N, outer.T = a.T, outer.M = a.M, outer.lengths = a.lengths;
    outer.columns = a.weights, outer.rows = a.dcontext, outer.total = out[6];
    check(fr_attention_outer(&outer));
}

static void attention_case(struct label label, fr_attention_args a, int hidden)
{
    char         what[80];
    void        *out[ATTENTION_RUNS][ATTENTION_OUTPUTS];
    fr_idx      *lengths = memory((size_t)a.N * sizeof *lengths);
    const fr_idx NT = a.N * a.T, keys = hidden ? NT * a.K : 0;
    const fr_idx size[] = {a.S * a.N * a.M,        a.S * NT, a.S * NT, a.S * a.N * a.K, keys,
                           hidden ? a.N * a.K : 0, NT * a.M};
    random_state = (uint64_t)(a.S + a.T + a.K);
    for (fr_idx n = 0; n < a.N; n++)
        lengths[n] = n ? below((int)a.T + 1) : 0;
    void *const in[] = {numbers(a.dtype, NT * a.K, 2, NULL), numbers(a.dtype, NT * a.M, 2, NULL),
                        hidden ? numbers(a.dtype, a.K, 1, NULL) : NULL};
    a.keys = in[0], a.values = in[1], a.v = in[2], a.lengths = lengths;
    a.query = attended(&a, a.K), a.dcontext = attended(&a, a.M), a.dweights = attended(&a, a.T);
    for (int run = 0; run < ATTENTION_RUNS; run++)
        attention_run(a, run ? thread_counts[run - 1] : 1, size, out[run]);
    snprintf(what, sizeof what, "attention %s S=%d T=%d K=%d M=%d", hidden ? "hidden" : "products", (int)a.S, (int)a.T,
             (int)a.K, (int)a.M);
    label.what = what, label.terms = (long)(a.S * NT * a.K), label.steps = 2, label.backward = 1;
    for (int k = 0; k < ATTENTION_OUTPUTS; k++)
        for (int run = 0; run < ATTENTION_RUNS; run++) {
            const size_t bytes = (size_t)size[k] * size_of(a.dtype);
            same_bits(&label, attention_output[k], "several threads", bytes, out[0][k], out[run][k]);
            if (run == ATTENTION_RUNS - 1 && size[k])
                write_result(&label, attention_output[k], size[k], out[0][k]);
        }
    for (int run = 0; run < ATTENTION_RUNS; run++)
        for (int k = 0; k < ATTENTION_OUTPUTS; k++)
            free(out[run][k]);
    free(in[0]), free(in[1]), free(in[2]), free(lengths), free(a.query.at), free(a.dcontext.at), free(a.dweights.at);
}

static void run_attention(struct label label, int isa)
{
    static const fr_idx sizes[][4] = {{1, 3, 1, 2}, {3, 7, 5, 6}, {5, 9, 33, 17}, {9, 18, 16, 40}}; /* S, T, K, M */
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int hidden = 0; hidden < 2; hidden++) {
            fr_attention_args a = {.dtype = label.dtype, .isa = isa, .N = 7};
            a.S = sizes[i][0], a.T = sizes[i][1], a.K = sizes[i][2], a.M = sizes[i][3];
            attention_case(label, a, hidden);
        }
}

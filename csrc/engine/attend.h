/* SPDX-License-Identifier: BSD-3-Clause
 *
 * attend.h - what queries take from a memory, one row of the batch at a time.
 *
 *     score[t]   = v . hidden[t], hidden[t] = tanh(query + key[t])     or  query . key[t]
 *     weights    = softmax(score)
 *     context    = sum_t weights[t] value[t]
 *
 * Sums over steps and queries are taken in their order, sums over features and those of softmax lane by lane: bits depend
 * on the row and the query, and on no step behind a row's end. */
enum { HIDDEN_STEPS = 4 }; /* go together, so that the chains of tanh overlap */

struct attention_row {
    fr_idx        n, T; /* T: its own steps */
    struct matrix keys, values, query, weights, context, dcontext, dscores, dquery;
};

INLINE struct matrix of_row(fr_attention_rows r, fr_idx n)
{
    return (struct matrix){r.at ? (real *)r.at + n * r.sn : NULL, r.st};
}

static struct attention_row attention_row(const fr_attention_args *a, fr_idx n)
{
    return (struct attention_row){
        .n = n,
        .T = a->lengths ? a->lengths[n] : a->T,
        .keys = {(real *)a->keys + n * a->T * a->K, a->K},
        .values = {(real *)a->values + n * a->T * a->M, a->M},
        .query = of_row(a->query, n),
        .weights = of_row(a->weights, n),
        .context = of_row(a->context, n),
        .dcontext = of_row(a->dcontext, n),
        .dscores = of_row(a->dscores, n),
        .dquery = of_row(a->dquery, n),
    };
}

static void clear_rows(struct matrix a, fr_idx rows, fr_idx n)
{
    for (fr_idx i = 0; i < rows; i++)
        memset(a.at + i * a.row, 0, (size_t)n * sizeof(real));
}

/* The scores of a query with so many steps, by v . tanh(query + key). */
INLINE void score_steps(const int steps, const real *query, struct matrix keys, const real *v, fr_idx K, real *scores)
{
    vec  sum[HIDDEN_STEPS] = {{0}};
    real lane[HIDDEN_STEPS][VL];
    for (fr_idx k = 0; k < K; k += VL) {
        const vec q = load_part(query + k, K - k), v_k = load_part(v + k, K - k);
#pragma GCC unroll 4
        for (int t = 0; t < steps; t++)
            sum[t] = vfma(tanh_(q + load_part(keys.at + t * keys.row + k, K - k)), v_k, sum[t]);
    }
#pragma GCC unroll 4
    for (int t = 0; t < steps; t++)
        store(lane[t], sum[t]);
    sum_lanes(steps, lane);
    for (int t = 0; t < steps; t++)
        scores[t] = lane[t][0];
}

static void hidden_scores(const struct attention_row *r, const real *query, const real *v, fr_idx K, real *scores)
{
    fr_idx t = 0;
    for (; t + HIDDEN_STEPS <= r->T; t += HIDDEN_STEPS)
        score_steps(HIDDEN_STEPS, query, rows_from(r->keys, t), v, K, scores + t);
    for (; t < r->T; t++)
        score_steps(1, query, rows_from(r->keys, t), v, K, scores + t);
}

/* The softmax of the first n of scores, in place; 0 for the others, and for scores of -inf alone. */
static void weights_of_scores(real *w, fr_idx n, fr_idx T)
{
    real top = largest_logit(w, n);
    if (top == -(real)INFINITY)
        top = 0;
    const double total = exponentials(w, top, n, w);
    const vec    divisor = splat(total == 0 ? 1 : (real)total);
    for (fr_idx t = 0; t < n; t += VL)
        store_part(w + t, load_part(w + t, n - t) / divisor, n - t);
    memset(w + n, 0, (size_t)(T - n) * sizeof(real));
}

static void attend_row(const fr_attention_args *a, fr_idx n)
{
    const struct attention_row r = attention_row(a, n);
    if (!a->v)
        dots(a->S, r.query, r.keys, r.T, a->K, r.weights);
    for (fr_idx s = 0; s < a->S; s++) {
        real *w = r.weights.at + s * r.weights.row;
        if (a->v)
            hidden_scores(&r, r.query.at + s * r.query.row, a->v, a->K, w);
        weights_of_scores(w, r.T, a->T);
    }
    clear_rows(r.context, a->S, a->M);
    add_matrices(a->S, r.weights.at, r.weights.row, 1, r.T, r.values, a->M, r.context);
}

/* Rows differ in their lengths, so threads take them as they come to them. */
struct attention_job {
    const void *a;
    void (*row)(const void *a, fr_idx n);
    fr_idx          N;
    _Atomic fr_idx *next;
};

static void attention_prepare(const void *job, struct grid grid) { (void)job, (void)grid; }

static void attention_thread(const void *job, struct grid grid, int rank)
{
    const struct attention_job *j = job;
    (void)grid, (void)rank;
    for (;;) {
        const fr_idx n = atomic_fetch_add_explicit(j->next, 1, memory_order_relaxed);
        if (n >= j->N)
            return;
        j->row(j->a, n);
    }
}

/* N rows of so many products and tanh each, on the threads that these are worth */
static void for_rows(const void *a, void (*row)(const void *a, fr_idx n), fr_idx N, double products, double tanhs,
                     int n_threads)
{
    _Atomic fr_idx             next = 0;
    const struct attention_job job = {a, row, N, &next};
    const int                  most = N < n_threads ? (int)N : n_threads;
    const double               work = (double)N * (tanhs + products / TANH_PRODUCTS);
    const struct grid          grid = {1, team_for(work / ATTENTION_SHARE, most < 1 ? 1 : most)};
    run_team(grid, n_threads, attention_prepare, attention_thread, &job);
}

static double hidden_of(const fr_attention_args *a) { return (double)a->S * (double)a->T * (double)(a->v ? a->K : 0); }

static double products_of(const fr_attention_args *a)
{
    return (double)a->S * (double)a->T * (double)(a->M + (a->v ? 0 : a->K));
}

static void forward_of_row(const void *a, fr_idx n) { attend_row(a, n); }

static void attention_forward(const fr_attention_args *a)
{
    for_rows(a, forward_of_row, a->N, products_of(a), hidden_of(a), a->n_threads);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * attend_back.h - the gradients of attention (attend.h), given those of the weights and the context:
 *
 *     slope[t]   = dcontext . value[t] + dweights[t]
 *     dscore[t]  = weights[t] (slope[t] - sum_r weights[r] slope[r])
 *     slant[t]   = dscore[t] (1 - hidden[t]^2)          dquery = v sum_t slant[t],  dkey[t] = v slant[t]
 *     or                                                dquery = sum_t dscore[t] key[t]
 *
 * hidden is computed again: all of it would be (S, N, T, K). A query whose dcontext and dweights are all 0, as those of
 * padding are, is left out, whatever it holds: 0 times NaN would be NaN in sums over the queries. */
static int all_zero(const real *x, fr_idx n)
{
    fr_idx i = 0;
    while (i < n && x[i] == 0)
        i++;
    return i == n;
}

/* Does anything depend on query s? */
typedef int used_fn(const void *of, fr_idx s);

/* The first queries from s on, one behind another, on which something depends; none if lo is S. */
INLINE struct range used_from(fr_idx s, fr_idx S, used_fn *used, const void *of)
{
    while (s < S && !used(of, s))
        s++;
    struct range r = {s, s};
    while (r.hi < S && used(of, r.hi))
        r.hi++;
    return r;
}

/* The slopes d of the weights w become those of the scores: of n steps, and 0 for the others. */
static void scores_back(const real *w, const real *dweights, real *d, fr_idx n, fr_idx T)
{
    struct wide mean = {0};
    for (fr_idx t = 0; t < n; t += VL) {
        vec slope = load_part(d + t, n - t);
        if (dweights) {
            slope += load_part(dweights + t, n - t);
            store_part(d + t, slope, n - t);
        }
        add_wide(&mean, load_part(w + t, n - t) * slope);
    }
    const vec m = splat((real)sum_of(&mean));
    for (fr_idx t = 0; t < n; t += VL)
        store_part(d + t, load_part(w + t, n - t) * (load_part(d + t, n - t) - m), n - t);
    memset(d + n, 0, (size_t)(T - n) * sizeof(real));
}

/* Back through so many steps of v . tanh(query + key), but for the factor v. */
INLINE void hidden_steps_back(const int steps, const real *query, struct matrix keys, const real *dscores, fr_idx K,
                              real *dquery, struct matrix dhidden, real *dv)
{
    for (fr_idx k = 0; k < K; k += VL) {
        const fr_idx n = K - k;
        const vec    q = load_part(query + k, n);
        vec          dq = load_part(dquery + k, n), dv_k = load_part(dv + k, n);
#pragma GCC unroll 4
        for (int t = 0; t < steps; t++) {
            real     *at = dhidden.at + t * dhidden.row + k;
            const vec d = splat(dscores[t]), h = tanh_(q + load_part(keys.at + t * keys.row + k, n));
            const vec slant = d * vnfma(h, h, splat(1));
            dv_k = vfma(d, h, dv_k);
            dq += slant;
            store_part(at, load_part(at, n) + slant, n);
        }
        store_part(dquery + k, dq, n);
        store_part(dv + k, dv_k, n);
    }
}

static void hidden_back(const fr_attention_args *a, const struct attention_row *r, fr_idx s)
{
    const real         *query = r->query.at + s * r->query.row, *d = r->dscores.at + s * r->dscores.row, *v = a->v;
    real               *dquery = r->dquery.at + s * r->dquery.row, *dv = (real *)a->dv + r->n * a->K;
    const struct matrix dhidden = {(real *)a->dhidden + r->n * a->T * a->K, a->K};
    const fr_idx        K = a->K;
    fr_idx              t = 0;
    for (; t + HIDDEN_STEPS <= r->T; t += HIDDEN_STEPS)
        hidden_steps_back(HIDDEN_STEPS, query, rows_from(r->keys, t), d + t, K, dquery, rows_from(dhidden, t), dv);
    for (; t < r->T; t++)
        hidden_steps_back(1, query, rows_from(r->keys, t), d + t, K, dquery, rows_from(dhidden, t), dv);
    for (fr_idx k = 0; k < K; k += VL)
        store_part(dquery + k, load_part(dquery + k, K - k) * load_part(v + k, K - k), K - k);
}

struct row_back {
    const fr_attention_args *a;
    struct attention_row     r;
    struct matrix            dweights;
};

static int has_gradient(const void *of, fr_idx s)
{
    const struct row_back *b = of;
    const real            *dweights = b->dweights.at ? b->dweights.at + s * b->dweights.row : NULL;
    return !all_zero(b->r.dcontext.at + s * b->r.dcontext.row, b->a->M) || (dweights && !all_zero(dweights, b->r.T));
}

/* Back through some queries. */
static void queries_back(const struct row_back *b, struct range q)
{
    const fr_attention_args    *a = b->a;
    const struct attention_row *r = &b->r;
    const struct matrix         dscores = rows_from(r->dscores, q.lo);
    dots(q.hi - q.lo, rows_from(r->dcontext, q.lo), r->values, r->T, a->M, dscores);
    for (fr_idx s = q.lo; s < q.hi; s++)
        scores_back(r->weights.at + s * r->weights.row, b->dweights.at ? b->dweights.at + s * b->dweights.row : NULL,
                    r->dscores.at + s * r->dscores.row, r->T, a->T);
    if (!a->v)
        add_matrices(q.hi - q.lo, dscores.at, dscores.row, 1, r->T, r->keys, a->K, rows_from(r->dquery, q.lo));
    for (fr_idx s = q.lo; a->v && s < q.hi; s++)
        hidden_back(a, r, s);
}

static void attend_row_back(const fr_attention_args *a, fr_idx n)
{
    const struct row_back b = {a, attention_row(a, n), of_row(a->dweights, n)};
    fr_idx                s = 0;
    clear_rows(b.r.dquery, a->S, a->K);
    while (s < a->S) {
        const struct range used = used_from(s, a->S, has_gradient, &b);
        clear_rows(rows_from(b.r.dscores, s), used.lo - s, a->T);
        queries_back(&b, used);
        s = used.hi;
    }
}

static void backward_of_row(const void *a, fr_idx n) { attend_row_back(a, n); }

static void attention_backward(const fr_attention_args *a)
{
    for_rows(a, backward_of_row, a->N, products_of(a), hidden_of(a), a->n_threads);
}

struct row_outer {
    struct matrix columns, rows;
    fr_idx        T, M;
};

static int is_used(const void *of, fr_idx s)
{
    const struct row_outer *o = of;
    return !all_zero(o->rows.at + s * o->rows.row, o->M) && !all_zero(o->columns.at + s * o->columns.row, o->T);
}

static void outer_of_row(const void *job, fr_idx n)
{
    const fr_attention_outer_args *a = job;
    const fr_idx                   T = a->lengths ? a->lengths[n] : a->T;
    const struct row_outer         o = {of_row(a->columns, n), of_row(a->rows, n), T, a->M};
    const struct matrix            total = {(real *)a->total + n * a->T * a->M, a->M};
    for (fr_idx s = 0; s < a->S;) {
        const struct range used = used_from(s, a->S, is_used, &o);
        add_matrices(T, o.columns.at + used.lo * o.columns.row, 1, o.columns.row, used.hi - used.lo,
                     rows_from(o.rows, used.lo), a->M, total);
        s = used.hi;
    }
}

static void attention_outer(const fr_attention_outer_args *a)
{
    for_rows(a, outer_of_row, a->N, (double)a->S * (double)a->T * (double)a->M, 0, a->n_threads);
}

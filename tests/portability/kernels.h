/* SPDX-License-Identifier: BSD-3-Clause
 *
 * kernels.h - the product, the activations, the optimizers and the norm by themselves. */

static void run_product(struct label label, int isa)
{
    static const fr_idx sizes[][3] = {{1, 1, 1}, {3, 7, 5}, {13, 40, 29}, {50, 33, 17}}; /* m, n, k */
    for (int nv = 1; nv <= 4; nv++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const fr_idx      m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
            fr_test_gemm_args a = {.dtype = label.dtype, .isa = isa, .nv = nv, .m = m, .n = n, .k = k};
            char              what[60];
            size_t            bytes;
            random_state = i;
            void *const in[] = {numbers(a.dtype, m * k, 1, NULL), numbers(a.dtype, k * n, 1, NULL)};
            check(fr_test_gemm_bytes(&a, &bytes));
            a.a = in[0], a.b = in[1], a.c = numbers(a.dtype, m * n, 1, NULL), a.workspace = memory(bytes);
            check(fr_test_gemm(&a));
            snprintf(what, sizeof what, "product %dx%dx%d nv=%d", (int)m, (int)n, (int)k, nv);
            label.what = what, label.terms = (long)k, label.steps = 1;
            write_result(&label, "c", m * n, a.c);
            free(in[0]), free(in[1]), free(a.c), free(a.workspace);
        }
}

static void run_activations(struct label label, int isa)
{
    enum { COUNT = 2003 };
    for (int act = 0; act < FR_N_ACTS; act++)
        for (int scale = 1; scale <= 1024; scale *= 32) { /* from the steep part to where they saturate */
            char what[60];
            random_state = (uint64_t)scale;
            void *x = numbers(label.dtype, COUNT, scale, NULL), *y = memory(COUNT * size_of(label.dtype));
            memset(x, 0, size_of(label.dtype));
            check(fr_test_act(isa, label.dtype, act, COUNT, x, y));
            snprintf(what, sizeof what, "%s up to %d", fr_act_name(act), scale);
            label.what = what, label.terms = 2, label.steps = 1;
            write_result(&label, "y", COUNT, y);
            free(x), free(y);
        }
}

/* Elements from..from+n of a parameter. */
static fr_update_args part_of(const fr_update_args *a, fr_idx from, fr_idx n)
{
    const size_t   bytes = (size_t)from * size_of(a->dtype);
    fr_update_args part = *a;
    part.n = n;
    part.p = (char *)a->p + bytes, part.g = (const char *)a->g + bytes;
    part.m = a->m ? (char *)a->m + bytes : NULL;
    part.s = a->s ? (char *)a->s + bytes : NULL;
    part.v = a->v ? (char *)a->v + bytes : NULL;
    return part;
}

/* Three steps, of the elements as two parameters; which: no velocity, momentum, nesterov. Returns p, m, s and v. */
static void update(const struct label *label, int isa, int threads, int rule, int which, fr_idx n, void **out)
{
    fr_update_args a = {
        .rule = rule,
        .dtype = label->dtype,
        .isa = isa,
        .n_threads = threads,
        .n = n,
        .rate = 0.01,
        .keep = 0.999,
        .decay = 0.001,
        .beta1 = rule == FR_ADAM ? 0.9 : 0.99,
        .beta2 = 0.99,
        .root = 0.3,
        .eps = 1e-6,
        .momentum = which ? 0.9 : 0,
        .nesterov = which == 2,
    };
    random_state = (uint64_t)n;
    a.p = out[0] = numbers(a.dtype, n, 1, NULL);
    for (int k = 1; k < 4; k++)
        out[k] = memset(memory((size_t)n * size_of(a.dtype)), 0, (size_t)n * size_of(a.dtype));
    a.m = rule == FR_ADAM || rule == FR_RMSPROP_CENTERED ? out[1] : NULL;
    a.s = rule == FR_PLAIN ? NULL : out[2];
    a.v = which ? out[3] : NULL;
    for (int step = 0; step < 3; step++) {
        void *g = numbers(a.dtype, n, 1, NULL);
        a.g = g;
        const fr_update_args parts[] = {part_of(&a, 0, n / 3), part_of(&a, n / 3, n - n / 3)};
        check(fr_update(2, parts));
        free(g);
    }
}

static void run_optimizer(struct label label, int isa, int rule, int which, fr_idx n)
{
    static const char *const arrays[] = {"p", "m", "s", "v"}, *const velocity[] = {"", " momentum", " nesterov"};
    char  what[60];
    void *first[4], *other[4];
    snprintf(what, sizeof what, "%s%s n=%d", fr_rule_name(rule), velocity[which], (int)n);
    label.what = what, label.terms = 2, label.steps = 3;
    update(&label, isa, 1, rule, which, n, first);
    for (int i = 0; i < N_THREAD_COUNTS; i++) {
        update(&label, isa, thread_counts[i], rule, which, n, other);
        for (int k = 0; k < 4; k++) {
            same_bits(&label, arrays[k], "several threads", (size_t)n * size_of(label.dtype), first[k], other[k]);
            free(other[k]);
        }
    }
    for (int k = 0; k < 4; k++) {
        write_result(&label, arrays[k], n, first[k]);
        free(first[k]);
    }
}

static void run_norm(struct label label, int isa)
{
    const fr_dtype dtype = label.dtype;
    for (fr_idx n = 1; n <= 10000; n *= 10) {
        char   what[60];
        double sum;
        random_state = (uint64_t)n;
        void *x = numbers(dtype, n, 8, NULL);
        check(fr_sum_of_squares(isa, dtype, n, x, &sum));
        snprintf(what, sizeof what, "sum of squares of %s n=%d", dtype_name[dtype], (int)n);
        label.what = what, label.dtype = FR_F64, label.terms = (long)n, label.steps = 1; /* it is a double */
        write_result(&label, "sum", 1, &sum);
        free(x);
    }
}

static void run_kernels(struct label label, int isa)
{
    run_product(label, isa);
    run_activations(label, isa);
    run_norm(label, isa);
    for (int rule = 0; rule < FR_N_RULES; rule++)
        for (int which = 0; which < 3; which++)
            for (fr_idx n = 1; n <= 2003; n += 1001)
                run_optimizer(label, isa, rule, which, n);
}

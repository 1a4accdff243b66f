/* SPDX-License-Identifier: BSD-3-Clause
 *
 * race_losses.h - losses on several threads: a part of races.c. */

static void run_cross_entropy(fr_dtype dtype, int threads)
{
    enum { M = 61, V = 7 };
    fr_idx *target = memory(M * sizeof *target);
    double *ones = memory(M * sizeof *ones);
    for (fr_idx i = 0; i < M; i++)
        target[i] = i % 5 ? i % V : -1, ones[i] = 1;
    fr_cross_entropy_args a = {.dtype = dtype, .n_threads = threads, .M = M, .V = V, .hi = M};
    a.z = numbers(dtype, M * V), a.spread = memory(V * sizeof(double)), a.dz = numbers(dtype, M * V);
    a.target = target, a.peak = a.scale = ones, a.losses = memory(M * sizeof(double));
    require(fr_cross_entropy(&a));
}

static void run_ctc(fr_dtype dtype, int threads)
{
    enum { T = 12, N = 9, V = 5, S = 3 };
    fr_idx *labels = memory(N * S * sizeof *labels), *counts = memory(N * sizeof *counts);
    fr_idx *steps = memory(N * sizeof *steps);
    double *scale = memory(N * sizeof *scale);
    size_t  bytes;
    for (fr_idx n = 0; n < N; n++) {
        counts[n] = n % (S + 1), steps[n] = T - n, scale[n] = 1;
        for (fr_idx u = 0; u < S; u++)
            labels[n * S + u] = 1 + u % 2;
    }
    fr_ctc_args a = {.dtype = dtype, .n_threads = threads, .T = T, .N = N, .V = V, .S = S, .hi = N};
    a.z = numbers(dtype, T * N * V), a.z_st = N * V, a.z_sn = V;
    a.dz = numbers(dtype, T * N * V), a.dz_st = N * V, a.dz_sn = V;
    a.labels = labels, a.counts = counts, a.steps = steps, a.scale = scale, a.losses = memory(N * sizeof(double));
    require(fr_ctc_bytes(&a, &bytes));
    a.workspace = memory(bytes);
    require(fr_ctc(&a));
}

static void run_losses(fr_dtype dtype, int threads)
{
    run_cross_entropy(dtype, threads);
    run_ctc(dtype, threads);
    cases += 2;
    while (array_count)
        free(arrays[--array_count]);
}

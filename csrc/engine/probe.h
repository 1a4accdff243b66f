/* SPDX-License-Identifier: BSD-3-Clause
 *
 * probe.h - what the machine allows: the limits that the benchmarks compare every kernel with.
 *
 *     fma      chains of vfma in registers, as many as a tile of the product has
 *     read     sums of whole vectors over nbytes of memory, again and again
 *     barrier  the team waits for each other
 *
 * Each thread works in its own nbytes of the buffer, and leaves its sum at their beginning so that it is not optimized
 * away. */
struct probe_job {
    fr_probe        what;
    size_t          nbytes;
    fr_idx          repeats;
    char           *buffer; /* (threads, nbytes) */
    struct barrier *meet;
};

INLINE vec probe_fma(fr_idx repeats, vec x)
{
    vec acc[ACCUMULATORS], sum = {0};
    for (int i = 0; i < ACCUMULATORS; i++)
        acc[i] = x + (real)i;
    for (fr_idx r = 0; r < repeats; r++)
#pragma GCC unroll 24
        for (int i = 0; i < ACCUMULATORS; i++)
            acc[i] = vfma(acc[i], x, x);
    for (int i = 0; i < ACCUMULATORS; i++)
        sum += acc[i];
    return sum;
}

INLINE vec probe_read(fr_idx repeats, const real *from, fr_idx n)
{
    vec acc[8] = {{0}}, sum = {0};
    for (fr_idx r = 0; r < repeats; r++) {
        for (fr_idx i = 0; i + 8 * VL <= n; i += 8 * VL)
#pragma GCC unroll 8
            for (int v = 0; v < 8; v++)
                acc[v] += load(from + i + v * VL);
        __asm__ volatile("" ::: "memory"); /* or the passes become one */
    }
    for (int v = 0; v < 8; v++)
        sum += acc[v];
    return sum;
}

static void probe_prepare(const void *job, struct grid grid)
{
    (void)grid;
    memset(((const struct probe_job *)job)->meet, 0, sizeof(struct barrier));
}

static void probe_thread(const void *job, struct grid grid, int rank)
{
    const struct probe_job *p = job;
    real                   *own = (real *)(p->buffer + (size_t)rank * p->nbytes);
    if (p->what == FR_PROBE_FMA)
        store(own, probe_fma(p->repeats, load(own)));
    else if (p->what == FR_PROBE_READ)
        store(own, probe_read(p->repeats, own, (fr_idx)(p->nbytes / sizeof(real))));
    else
        for (fr_idx r = 0; r < p->repeats; r++)
            wait_for(p->meet, grid.cols, rank);
}

static double probe(fr_probe what, int n_threads, size_t nbytes, fr_idx repeats, void *buffer)
{
    struct barrier         meet;
    const struct probe_job job = {what, nbytes, repeats, buffer, &meet};
    run_team((struct grid){1, n_threads}, n_threads, probe_prepare, probe_thread, &job);
    const double each = what == FR_PROBE_FMA    ? 2.0 * ACCUMULATORS * VL
                        : what == FR_PROBE_READ ? (double)(nbytes / sizeof(vec) / 8 * 8 * sizeof(vec))
                                                : 1;
    return each * (double)repeats * (what == FR_PROBE_BARRIER ? 1 : n_threads);
}

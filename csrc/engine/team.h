/* SPDX-License-Identifier: BSD-3-Clause
 *
 * team.h - the threads of one call: how work is divided among them, and the only parallel region.
 *
 * The loops open one parallel region per call and then divide by plain arithmetic. Two ways to divide a step, and their
 * product: the batch rows are split among `rows` groups, which never wait for each other, and the units among the
 * `cols` threads of a group, which meet once per step (each needs the whole of h). */
#if defined _OPENMP
#include <omp.h>
#endif

struct range {
    fr_idx lo, hi;
};

/* The part-th of `parts` nearly equal pieces of 0..n-1. A call of one small step on one thread made some 30 divisions,
 * an eighth of its time: here and below they are left out where the divisor is 1. */
INLINE struct range partition(fr_idx n, fr_idx part, fr_idx parts)
{
    return parts == 1 ? (struct range){0, n} : (struct range){n * part / parts, n * (part + 1) / parts};
}

struct grid {
    int rows, cols;
};

/* How many of at most `threads` are of use, where each should have one of so many shares of the work. */
INLINE int team_for(double shares, int threads)
{
    const int most = threads < FR_MAX_THREADS ? threads : FR_MAX_THREADS;
    return shares < 2 ? 1 : shares < most ? (int)shares : most;
}

INLINE int team_size(void)
{
#if defined _OPENMP
    return omp_get_num_threads();
#else
    return 1;
#endif
}

INLINE int team_rank(void)
{
#if defined _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* Runs work(job, grid, rank) on a team, in the only parallel region of a call of at most n_threads. prepare(job, grid)
 * first sets up the memory that the team shares. If the runtime grants fewer threads than asked for, one of them does
 * everything; the region may have some that are not needed now (fr_region_threads), which do nothing. */
static void run_team(struct grid grid, int n_threads, void (*prepare)(const void *job, struct grid grid),
                     void (*work)(const void *job, struct grid grid, int rank), const void *job)
{
    const struct grid one = {1, 1};
    const int         threads = grid.rows * grid.cols;
    prepare(job, grid);
    if (threads == 1) { /* a region of one thread would cost as much as a small step */
        const fp_mode mode = flush_denormals();
        work(job, one, 0);
        restore_denormals(mode);
        return;
    }
    const int      region = fr_region_threads(threads, n_threads);
    struct barrier done = {0};
    (void)region; /* without OpenMP */
    shares_core(&done, 1, 0);
#pragma omp parallel num_threads(region)
    {
        const fp_mode mode = flush_denormals();
        if (team_rank() < threads && team_size() >= threads) {
            if (team_rank() && shares_core(&done, threads, team_rank()))
                leave_core(own_core(), threads);
            work(job, grid, team_rank());
            wait_for(&done, threads, team_rank()); /* here, because at the end of the region libgomp spins */
        } else if (team_rank() == 0) {
            prepare(job, one);
            work(job, one, 0);
        }
        restore_denormals(mode);
    }
}

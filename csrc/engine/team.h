/* SPDX-License-Identifier: BSD-3-Clause
 *
 * team.h - the threads of one call: who does what, and waiting for each other.
 *
 * The loops open one parallel region per call and then divide by plain arithmetic. Two ways to divide a step, and their
 * product: the batch rows are split among `rows` groups, which never wait for each other, and the units among the `cols`
 * threads of a group, which meet once per step (each needs the whole of h). */
#include <stdatomic.h>
#if defined _OPENMP
#include <omp.h>
#endif
#if defined __linux__
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <sched.h>
#endif

struct range {
    fr_idx lo, hi;
};

/* The part-th of `parts` nearly equal pieces of 0..n-1. */
INLINE struct range share(fr_idx n, fr_idx part, fr_idx parts)
{
    return (struct range){n * part / parts, n * (part + 1) / parts};
}

struct grid {
    int rows, cols;
};

/* A barrier for a fixed number of threads. Each spins for some tens of microseconds, then sleeps. Sleeping matters when a
 * foreign process holds one of the cores: only an idle core makes the scheduler bring the missing thread over, while a
 * barrier that spins or yields keeps it waiting for a time slice. */
struct barrier {
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_int round;
    atomic_int sleepers;
};

enum { SPINS = 1500 }; /* 20 us (pause of 45 cycles, Zen) to 70 us (140 cycles, since Skylake) */

INLINE void relax(void)
{
#if defined __x86_64__
    _mm_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* Sleep unless *at has changed; wake those who sleep on it. */
#if defined __linux__
static void sleep_while(atomic_int *at, int value) { syscall(SYS_futex, at, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0); }
static void wake_all(atomic_int *at) { syscall(SYS_futex, at, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }
#else
static void sleep_while(atomic_int *at, int value)
{
    (void)at, (void)value;
    sched_yield();
}
static void wake_all(atomic_int *at) { (void)at; }
#endif

static void wait_for(struct barrier *b, int size)
{
    if (size == 1)
        return;
    const int round = atomic_load_explicit(&b->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) == size - 1) {
        atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
        atomic_store(&b->round, round + 1); /* sequentially consistent, as are sleepers: one side sees the other */
        if (atomic_load(&b->sleepers))
            wake_all(&b->round);
        return;
    }
    for (int spin = 0; spin < SPINS; spin++) {
        if (atomic_load_explicit(&b->round, memory_order_acquire) != round)
            return;
        relax();
    }
    atomic_fetch_add(&b->sleepers, 1);
    while (atomic_load(&b->round) == round)
        sleep_while(&b->round, round);
    atomic_fetch_sub(&b->sleepers, 1);
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

/* Runs work(job, grid, rank) on a team, in the only parallel region of a call. prepare(job, grid) first sets up the memory
 * that the team shares. Where the runtime gives fewer threads than asked for, one of them does it all. */
static void run_team(struct grid grid, void (*prepare)(const void *job, struct grid grid),
                     void (*work)(const void *job, struct grid grid, int rank), const void *job)
{
    const struct grid one = {1, 1};
    const int         threads = grid.rows * grid.cols;
    prepare(job, grid);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const fp_mode mode = flush_denormals();
        if (team_size() == threads) {
            work(job, grid, team_rank());
        } else if (team_rank() == 0) {
            prepare(job, one);
            work(job, one, 0);
        }
        restore_denormals(mode);
    }
}

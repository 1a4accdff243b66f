/* SPDX-License-Identifier: BSD-3-Clause
 *
 * team.h - the threads of one call: how work is divided among them, and the barrier where they meet.
 *
 * The loops open one parallel region per call and then divide by plain arithmetic. Two ways to divide a step, and their
 * product: the batch rows are split among `rows` groups, which never wait for each other, and the units among the
 * `cols` threads of a group, which meet once per step (each needs the whole of h). */
#include <stdatomic.h>
#if defined _OPENMP
#include <omp.h>
#endif
#if defined __linux__
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include <sched.h>

struct range {
    fr_idx lo, hi;
};

/* The part-th of `parts` nearly equal pieces of 0..n-1. */
INLINE struct range partition(fr_idx n, fr_idx part, fr_idx parts)
{
    return (struct range){n * part / parts, n * (part + 1) / parts};
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

/* A barrier for a fixed number of threads: spins for some tens of microseconds, then sleeps.
 *
 * On a machine that is busy, or has just been idle, the system may put two threads of a team on one core, and seldom
 * moves one away while each waits for the other. So each thread records the core that it runs on, and two on one core
 *
 *     move to another one, once for each barrier (leave_core);
 *     yield instead of spinning, which would keep the other thread from running;
 *     give the team up after CROWDED waits in a row on a shared core: where a loop can do so, the first one continues
 *     alone. Two threads on one core take longer than one, because they switch at every step.
 *
 * Beside a competing process pinned to one of two cores an LSTM at (1000, 1, 256, 256) takes 2.05 times its quiet time
 * at the median and 2.52 at the 95th percentile, as `python -m fastrnn.benchmarks` measures it. Calls of a millisecond
 * or less may wait for a time slice of the other process, 3 ms, once in twenty. threads.py keeps libgomp's own waiting
 * between calls short. */
struct barrier {
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_int round;
    atomic_int sleepers;
    atomic_int shared;                       /* waits in a row on a shared core */
    atomic_int left;                         /* a thread has tried to move to another core */
    _Alignas(64) atomic_short core[WATCHED]; /* of each thread at its last wait, from 1 */
};

INLINE void relax(void)
{
#if defined __x86_64__
    _mm_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* System calls: the core of this thread, from 1; move to another core, if there are as many as threads, without staying
 * pinned to it; sleep unless *at has changed; wake all who sleep on it.
 *
 * A thread that must move needs another mask for a moment. One that is set from outside in this moment (taskset) stays,
 * unless it is the same, or is set between two calls in a row, to read and to set: the kernel has none that does both. */
#if defined __linux__
static int  own_core(void) { return sched_getcpu() + 1; }
static void leave_core(int core, int threads)
{
    cpu_set_t allowed, others, now;
    if (sched_getaffinity(0, sizeof allowed, &allowed) || CPU_COUNT(&allowed) < threads)
        return;
    others = allowed;
    CPU_CLR(core - 1, &others);
    if (sched_setaffinity(0, sizeof others, &others) == 0 && sched_getaffinity(0, sizeof now, &now) == 0 &&
        CPU_EQUAL(&now, &others))
        sched_setaffinity(0, sizeof allowed, &allowed);
}
static void sleep_while(atomic_int *at, int value) { syscall(SYS_futex, at, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0); }
static void wake_all(atomic_int *at) { syscall(SYS_futex, at, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }
#else
static int  own_core(void) { return 0; } /* unknown */
static void leave_core(int core, int threads) { (void)core, (void)threads; }
static void sleep_while(atomic_int *at, int value)
{
    (void)at, (void)value;
    sched_yield();
}
static void wake_all(atomic_int *at) { (void)at; }
#endif

/* Records the core of this thread (it seldom changes); is another thread of the team on it? */
static int shares_core(struct barrier *b, int size, int rank)
{
    const short core = (short)own_core();
    if (!core || rank >= WATCHED)
        return 0;
    if (atomic_load_explicit(&b->core[rank], memory_order_relaxed) != core)
        atomic_store_explicit(&b->core[rank], core, memory_order_relaxed);
    for (int i = 0; i < size && i < WATCHED; i++)
        if (i != rank && atomic_load_explicit(&b->core[i], memory_order_relaxed) == core)
            return 1;
    return 0;
}

/* Thread `rank` of `size` waits for the others. */
static void wait_for(struct barrier *b, int size, int rank)
{
    if (size == 1)
        return;
    int shared = shares_core(b, size, rank);
    if (shared && rank && !atomic_exchange_explicit(&b->left, 1, memory_order_relaxed)) {
        leave_core(own_core(), size);
        shared = shares_core(b, size, rank);
    }
    const int round = atomic_load_explicit(&b->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) == size - 1) {
        atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&b->shared, shared ? b->shared + 1 : 0, memory_order_relaxed);
        atomic_store(&b->round, round + 1); /* sequentially consistent, as are sleepers: one side sees the other */
        if (atomic_load(&b->sleepers))
            wake_all(&b->round);
        return;
    }
    for (int spin = 0; spin < SPINS; spin++) {
        if (atomic_load_explicit(&b->round, memory_order_acquire) != round)
            return;
        if (shared)
            sched_yield();
        else
            relax();
    }
    atomic_fetch_add(&b->sleepers, 1);
    while (atomic_load(&b->round) == round)
        sleep_while(&b->round, round);
    atomic_fetch_sub(&b->sleepers, 1);
}

/* Do threads of this team keep sharing a core? All get the same answer between two waits. One thread is then faster:
 * two on one core switch at every wait, some microseconds each. */
INLINE int crowded(struct barrier *b) { return atomic_load_explicit(&b->shared, memory_order_relaxed) >= CROWDED; }

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

/* Runs work(job, grid, rank) on a team, in the only parallel region of a call. prepare(job, grid) first sets up the
 * memory that the team shares. If the runtime grants fewer threads than asked for, one of them does everything. */
static void run_team(struct grid grid, void (*prepare)(const void *job, struct grid grid),
                     void (*work)(const void *job, struct grid grid, int rank), const void *job)
{
    const struct grid one = {1, 1};
    const int         threads = grid.rows * grid.cols;
    struct barrier    done = {0};
    prepare(job, grid);
    shares_core(&done, 1, 0);
    if (threads == 1) { /* a region of one thread would cost as much as a small step */
        const fp_mode mode = flush_denormals();
        work(job, one, 0);
        restore_denormals(mode);
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        const fp_mode mode = flush_denormals();
        if (team_size() == threads) {
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

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * barrier.h - where the threads of a call wait for each other. */
#include <stdatomic.h>
#if defined __linux__
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include <sched.h>

/* At how many nodes the threads of a barrier arrive before they meet: all at one, up to TREE of them; beyond that about
 * as many as arrive at each, so that n arrivals in a row become 2 sqrt(n). */
INLINE int barrier_nodes(int threads)
{
    int nodes = 1;
    while (threads > TREE && nodes < MAX_NODES && nodes * nodes < threads)
        nodes++;
    return nodes;
}

/* A barrier for a fixed number of threads: spins for some tens of microseconds, then sleeps.
 *
 * On a machine that is busy, or has just been idle, the system may put two threads of a team on one core, and seldom
 * moves one away while each waits for the other. So each thread records the core that it runs on, and two on one core
 *
 *     move to another one, once for each barrier (leave_core);
 *     yield instead of spinning, which would keep the other thread from running;
 *     give the team up after CROWDED waits in a row on half as many cores as threads (on_few_cores): where a loop can do
 *     so, the first one continues alone. Two threads on one core take longer than one, because they switch at every
 *     step. A larger team of which two share a core takes twice its time, and is kept.
 *
 * Beside a competing process pinned to one of two cores an LSTM at (1000, 1, 256, 256) takes 2.05 times its quiet time
 * at the median and 2.52 at the 95th percentile, as `python -m fastrnn.benchmarks` measures it. Calls of a millisecond
 * or less may wait for a time slice of the other process, 3 ms, once in twenty. threads.py keeps libgomp's own waiting
 * between calls short. */
struct barrier {
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_int round;
    atomic_int sleepers;
    atomic_int shared;                       /* waits in a row on too few cores */
    atomic_int left;                         /* a thread has tried to move to another core */
    _Alignas(64) atomic_short core[WATCHED]; /* of each thread at its last wait, from 1 */
    struct {
        _Alignas(64) atomic_int arrived;
    } node[MAX_NODES]; /* where threads arrive first, if there are many (barrier_nodes) */
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

/* Are the threads of this team on half as many cores, rounded up? Asked only where some share one. */
static int on_few_cores(struct barrier *b, int size)
{
    const int watched = size < WATCHED ? size : WATCHED;
    int       cores = 0;
    for (int i = 0; i < watched; i++) {
        const short core = atomic_load_explicit(&b->core[i], memory_order_relaxed);
        int         j = 0;
        while (j < i && atomic_load_explicit(&b->core[j], memory_order_relaxed) != core)
            j++;
        cores += j == i;
    }
    return 2 * cores <= watched + 1;
}

/* Has this thread come as the last one? What the others did before is then visible to it. */
static int is_last(struct barrier *b, int size, int rank)
{
    const int nodes = barrier_nodes(size);
    if (nodes > 1) {
        const int   members = (size - rank % nodes + nodes - 1) / nodes; /* ranks that are the same modulo nodes */
        atomic_int *arrived = &b->node[rank % nodes].arrived;
        if (atomic_fetch_add_explicit(arrived, 1, memory_order_acq_rel) < members - 1)
            return 0;
        atomic_store_explicit(arrived, 0, memory_order_relaxed);
    }
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) < (nodes > 1 ? nodes : size) - 1)
        return 0;
    atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
    return 1;
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
    if (is_last(b, size, rank)) {
        atomic_store_explicit(&b->shared, shared && on_few_cores(b, size) ? b->shared + 1 : 0, memory_order_relaxed);
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

/* Does this team keep to too few cores? All get the same answer between two waits. One thread is then faster: two on one
 * core switch at every wait, some microseconds each. */
INLINE int crowded(struct barrier *b) { return atomic_load_explicit(&b->shared, memory_order_relaxed) >= CROWDED; }

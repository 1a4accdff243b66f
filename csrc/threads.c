/* SPDX-License-Identifier: BSD-3-Clause
 *
 * threads.c - what the OpenMP runtime allows, and how to survive fork.
 *
 * A child of fork inherits libgomp's record of a pool of threads but not the threads, and its first parallel region
 * waits for them forever. libgomp gives the pool up when asked to pause (OpenMP 5.0), so a handler asks just before
 * each fork; the next region of the parent makes a new pool. This rests on libgomp, not on the standard: where the
 * function is missing or the runtime is another one, the child runs on one thread instead. Never use omp tasks here:
 * pausing with one unfinished is undefined. */
#include "fastrnn.h"

#if defined _OPENMP
#include <omp.h>
#endif

#if defined _OPENMP && (defined __unix__ || defined __APPLE__)
#include <pthread.h>

#if defined __GNUC__ && !defined __clang__
extern int omp_pause_resource_all(omp_pause_resource_t kind) __attribute__((weak));
#define CAN_PAUSE (omp_pause_resource_all != NULL)
static void pause_pool(void)
{
    if (CAN_PAUSE)
        omp_pause_resource_all(omp_pause_soft);
}
#else
#define CAN_PAUSE 0
static void pause_pool(void) {}
#endif

static int one_thread_only; /* written once in a child, before it runs anything else */

static void in_child(void)
{
    if (!CAN_PAUSE)
        one_thread_only = 1;
}

void fr_init(void) { pthread_atfork(pause_pool, NULL, in_child); }
#else
#if defined _OPENMP
enum { one_thread_only = 0 };
#endif
void fr_init(void) {}
#endif

int fr_openmp(void)
{
#if defined _OPENMP
    return 1;
#else
    return 0;
#endif
}

/* Runtimes cut a setting above INT_MAX to its low bits: what is no number of threads here was a very large one. */
#if defined _OPENMP
static int capped(int n) { return n < 1 || n > FR_MAX_THREADS ? FR_MAX_THREADS : n; }
#endif

int fr_thread_limit(void)
{
#if defined _OPENMP
    return one_thread_only || omp_in_parallel() ? 1 : capped(omp_get_thread_limit());
#else
    return 1;
#endif
}

int fr_max_threads(void)
{
#if defined _OPENMP
    return capped(omp_get_max_threads());
#else
    return 1;
#endif
}
